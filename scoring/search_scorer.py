"""The best opportunities of a market too large to list its cycles.

Columns are kept up with the pools, a search (:mod:`scoring.search`) finds the loops that promise most, and
these are solved in integers until no other can be among the best. A loop is tried from each of its tokens
that have a worth, as :class:`scoring.scorer.CpuScorer` does.

Why nothing better is left out: take any start of any loop. The search has either solved it, and then it nets
at most what it nets in floats and the distance to its bound, or its majorant says that it nets no more than
the last loop listed. A loop is listed by its best start. So every start of a listed loop nets at most the
loop's net value and the widest distance that the search met; every other at most the last one's and that.
What contracts pay beyond their curves is added. The walk ends when that is less than the last one kept, or
after a few thousand loops; :attr:`SearchScorer.proven` tells which.

Left out are trades that earn only by the rounding of floats or of contracts, a few units: their net value in
floats is not above zero.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import compress
from operator import is_not

import numpy as np

from chain.blocks import Address
from core.errors import InputError, MarketError
from core.reasons import Reason
from market.pools.pool import Pool
from market.state import MarketState
from scoring.candidates import rounding_worth
from scoring.curves import Curve, curve_of
from scoring.cycles import Cycle, Edge, cycle_id
from scoring.edge_table import EdgeTable
from scoring.one_cycle import score_cycle
from scoring.opportunity import Opportunity
from scoring.ranking import PricedMarket, RankedTrade
from scoring.scorer import ScoreResult
from scoring.search import CycleSearch, Ranked

COUNT = 100
"""Opportunities returned at most: far more than a block's trader tries."""

_SPARE = 16
"""Loops asked for at first beyond the number that is wanted."""

_MOST_ROUNDS = 5
"""Times that the search is asked, each time for twice as many loops: a block has to end."""

Rows = tuple[int, ...]


class SearchScorer:
    """Score by searching: the cost of a block grows with what moved, not with the number of cycles.

    Kernels are compiled here, not in the first block.

    Parameters
    ----------
    pools
        Pools of the market.
    worth
        Wei of the native token per raw unit of the tokens to profit in; 1.0 for the wrapped native one.
    costs
        Wei that a swap costs, by pool id; nothing where a pool is not named.
    max_hops
        Longest cycle, 2 to 4 swaps.
    count
        How many opportunities to return at most.
    tolerance
        Raw units of a start token that are not worth looking for; see :class:`scoring.scorer.CpuScorer`.

    Attributes
    ----------
    proven
        Whether nothing better than the latest result was left out. It was not proven if pools may pay so much
        more than their curves, or curves so hard to size were met, that bounds say nothing.

    Raises
    ------
    InputError
        If a pool comes twice, the length is another, the count is below one, or a worth or cost is no number
        from zero up.
    """

    def __init__(
        self,
        pools: Iterable[Pool],
        worth: Mapping[Address, float],
        *,
        costs: Mapping[str, int] | None = None,
        max_hops: int = 4,
        count: int = COUNT,
        tolerance: int = 0,
    ) -> None:
        if count < 1:
            raise InputError("ask for one opportunity at least", count=count)
        listed = tuple(pools)
        made_of = {pool.pool_id: pool for pool in listed}
        self._costs = dict(costs or {})
        self._table = EdgeTable(
            listed,
            {token for pool in listed for token in pool.tokens} | set(worth),
            {pool_id: float(self._costs.get(pool_id, 0)) for pool_id in made_of},
        )
        self._worth = {token: value for token, value in worth.items() if value != 0.0}
        self._unit = np.array([worth.get(token, 0.0) for token in self._table.tokens])
        self._max_hops, self._count, self._tolerance = max_hops, count, tolerance
        self._search = CycleSearch(self._table.edges, self._unit, max_hops)
        self._scored: list[Pool | None] = [made_of[pool_id] for pool_id in self._table.pool_ids]
        self._suspended: frozenset[str] = frozenset()
        self._dead = {row: reason for row in range(len(self._table)) if (reason := self._table.why_dead(row))}
        self._solved: dict[Rows, RankedTrade | Reason] = {}
        self._best: tuple[Opportunity, ...] | None = None
        self.proven = False
        self._search.update(())
        self._search.top(1, self._table.pieces)

    def rescore(self, state: MarketState, touched: Iterable[str] | None, *, found_at_ns: int) -> ScoreResult:
        """Return what the market offers now; see :class:`scoring.scorer.Scorer`.

        Pools that moved are found by comparing values, whatever ``touched`` says; ``None`` takes over all.

        Opportunities come by what their profit is worth less the costs of their swaps, then by cycle id.
        Of one start token and without costs that is their gross profit, and they are the first of those of
        :class:`scoring.scorer.CpuScorer`. A trade that nets no wei is none.

        Cycles are not looked at one by one, so refusals are two kinds of numbers: directions of pools that
        give nothing, by reason; and ``NOT_AMONG_BEST``, all cycles that were not returned. The latter, and
        the cycles considered, count a loop once for each start, and also the few pairs of paths that
        use a pool or a token twice.

        Raises
        ------
        MarketError
            If the state lacks a pool of the market, or has no head yet.
        InvariantBroken
            If an exact profit exceeds its proven bound: curve and pool contradict each other.
        """
        if state.head is None:
            raise MarketError("the market has no head block yet; apply a block or load one first")
        self._take_over(state, everything=touched is None)
        represented = self._search.counters.combinations
        considered = 0
        if self._best is None:
            self._best = self._searched(state, state.head.number, found_at_ns)
            considered = represented
        refusals = Counter(self._dead.values())
        refusals[Reason.NOT_AMONG_BEST] = max(represented - len(self._best), 0)
        best = tuple(opportunity.seen_at(state.head.number) for opportunity in self._best)
        return ScoreResult(best, refusals, considered)

    def _searched(self, state: MarketState, block: int, found_at_ns: int) -> tuple[Opportunity, ...]:
        market = PricedMarket(state.pools, self._worth, self._costs, block)
        walk = _Walk(self._table, market, self._count, self._tolerance, found_at_ns, self._solved)
        spare = rounding_worth(self._table.edges, self._unit, self._max_hops)
        asked = self._count + _SPARE
        for _ in range(_MOST_ROUNDS):
            self.proven = walk.through(self._search.top(asked, self._table.pieces), asked, spare)
            if self.proven:
                break
            asked *= 2
        self._solved = walk.solved
        return walk.best()

    def _take_over(self, state: MarketState, *, everything: bool) -> None:
        """Bring columns and search to a state.

        Pools count as unknown until the search has them: whatever fails on the way leaves nothing stale.
        """
        pools = self._pools_of(state)
        suspended = frozenset(state.suspended)
        places = set(range(len(pools))) if everything else self._moved(pools, suspended)
        if not places:
            return
        ids = self._table.pool_ids
        rows = [row for place in sorted(places) for row in self._table.rows_of(ids[place])]
        self._forget(places, rows)
        for place in sorted(places):
            self._table.update(pools[place], ids[place] in suspended)
        for row in rows:
            reason = self._table.why_dead(row)
            if reason is None:
                self._dead.pop(row, None)
            else:
                self._dead[row] = reason
        self._search.update(rows)
        for place in places:
            self._scored[place] = pools[place]
        self._suspended = suspended

    def _pools_of(self, state: MarketState) -> list[Pool]:
        try:
            return list(map(state.pools.__getitem__, self._table.pool_ids))
        except KeyError as error:
            raise MarketError(
                "the state lacks a pool of the market; make the scorer from the same pools",
                pool_id=error.args[0],
            ) from None

    def _moved(self, pools: list[Pool], suspended: frozenset[str]) -> set[int]:
        numbers = self._table.pool_numbers
        moved = set(compress(range(len(pools)), map(is_not, pools, self._scored)))
        return moved | {numbers[name] for name in suspended ^ self._suspended if name in numbers}

    def _forget(self, places: Iterable[int], rows: Iterable[int]) -> None:
        self._best = None
        for place in places:
            self._scored[place] = None
        gone = set(rows)
        self._solved = {hops: each for hops, each in self._solved.items() if gone.isdisjoint(hops)}


@dataclass(slots=True)
class _Walk:
    """What is known after some loops: the best so far, in the order of the result.

    ``known`` are cycles solved before whose pools have not moved since; ``solved`` those that were needed.
    """

    table: EdgeTable
    market: PricedMarket
    count: int
    tolerance: int
    found_at_ns: int
    known: Mapping[Rows, RankedTrade | Reason]
    solved: dict[Rows, RankedTrade | Reason] = field(default_factory=dict)
    kept: list[tuple[tuple[int, str], RankedTrade]] = field(default_factory=list)
    _curves: dict[Edge, Curve] = field(default_factory=dict)

    def through(self, found: Ranked, asked: int, spare: float) -> bool:
        """Take loops over; return whether no other can change the result."""
        slack = found.widest + spare
        bounds = (found.net + slack).tolist()
        for bound, hops, length in zip(bounds, found.hops.tolist(), found.count.tolist(), strict=True):
            if bound < self._least():
                return True
            self._take(tuple(hops[:length]))
        return len(found) < asked or bounds[-1] < self._least()

    def best(self) -> tuple[Opportunity, ...]:
        """Return the best in order; those found before name the block that they were found at."""
        return tuple(trade.opportunity for _, trade in self.kept)

    def _least(self) -> int:
        """Return the net value, wei, below which nothing is kept."""
        return -self.kept[-1][0][0] if len(self.kept) == self.count else 1

    def _take(self, loop: Rows) -> None:
        for turn in range(len(loop)):
            hops = loop[turn:] + loop[:turn]
            if hops in self.solved or self.table.edge(hops[0]).token_in not in self.market.worth:
                continue
            outcome = self.known.get(hops)
            if outcome is None:
                outcome = self._solve(hops)
            self.solved[hops] = outcome
            if isinstance(outcome, RankedTrade) and outcome.net > 0:
                place = -outcome.net, outcome.opportunity.cycle_id
                insort(self.kept, (place, outcome), key=lambda each: each[0])
                del self.kept[self.count :]

    def _solve(self, hops: Rows) -> RankedTrade | Reason:
        edges = tuple(self.table.edge(row) for row in hops)
        outcome = score_cycle(
            self.market.pools,
            Cycle(cycle_id(edges), edges[0].token_in, edges),
            [self._curve(edge) for edge in edges],
            block=self.market.block,
            found_at_ns=self.found_at_ns,
            tolerance=self.tolerance,
        )
        return self.market.priced(outcome) if isinstance(outcome, Opportunity) else outcome

    def _curve(self, edge: Edge) -> Curve:
        curve = self._curves.get(edge)
        if curve is None:
            curve = curve_of(self.market.pools[edge.pool_id], edge.token_in, edge.token_out)
            self._curves[edge] = curve
        return curve
