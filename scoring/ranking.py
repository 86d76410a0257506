"""The best cycles of a market by exact integers, found from upper bounds.

A *loop* is a directed cycle wherever it starts; it is worth what its best start in a hub token nets. Loops
come with bounds, highest first. They are solved in integers one by one until the net value of the last one
kept exceeds the next bound.

Why nothing better is left out: let ``t`` be the least net value kept when the walk ends. A loop that was
listed and not solved has a bound below ``t``, since bounds descend; one that was not listed nets at most
``rest``, which is below ``t`` too, or everything was listed. Either nets less than ``t``. Comparing is exact:
net values are integers, and Python compares an integer with a float by value. A loop whose bound *equals*
``t`` is solved, for it may come first by its hops.

Loops that promise too much are withheld before they are solved, so the ranking is exact among the others. A
source need not list those it withholds itself.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor, inf

from chain.blocks import Address
from core.errors import InputError
from core.reasons import Reason
from market.pools.pool import Pool
from scoring.curves import Curve, curve_of
from scoring.cycles import Cycle, Edge, cycle_id
from scoring.one_cycle import score_cycle
from scoring.opportunity import Opportunity
from scoring.sizing import marginal_rate

_SPARE = 16
"""Candidates asked for at first beyond twice the number that is wanted."""

Loop = tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Cycles with upper bounds.

    Parameters
    ----------
    edges
        Hops of each cycle; rotations of one loop may come more than once.
    bounds
        What the loop can net at most from any start, wei; descending.
    rest
        What a loop that is neither listed nor withheld can net at most, wei; minus infinity if there is none.
    withheld
        How many loops were passed over for their marginal rate at size zero.
    """

    edges: Sequence[Loop]
    bounds: Sequence[float]
    rest: float = -inf
    withheld: int = 0


Source = Callable[[int], Candidates]
"""Gives at least so many candidates, or all that may net anything."""


@dataclass(frozen=True, slots=True)
class RankedTrade:
    """One loop's best trade, what its swaps cost and what it nets, wei."""

    opportunity: Opportunity
    cost: int
    net: int


@dataclass(frozen=True, slots=True)
class PricedMarket:
    """Pools, and what their swaps and tokens are worth in wei of the native token.

    Parameters
    ----------
    pools
        State by pool id.
    worth
        Wei per raw unit of the tokens a cycle may start in.
    costs
        Wei that a swap costs, by pool id; nothing where a pool is not named.
    block
        Height of the state.
    """

    pools: Mapping[str, Pool]
    worth: Mapping[Address, float]
    costs: Mapping[str, int]
    block: int = 0

    def priced(self, opportunity: Opportunity) -> RankedTrade:
        """Return a trade with what it nets, rounded down."""
        gross = floor(Fraction(self.worth[opportunity.token]) * opportunity.gross_profit)
        cost = sum(self.costs.get(hop.pool_id, 0) for hop in opportunity.hops)
        return RankedTrade(opportunity, cost, gross - cost)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best trades, and what became of the other loops that were looked at.

    Parameters
    ----------
    best
        Highest net value first, then by hops; only those that net something.
    solved
        Loops solved in integers.
    refused
        Why loops that were looked at gave no trade, or were withheld; they are counted once each. Of those
        that the source withheld, its count.
    complete
        Whether no other loop nets anything, so that ``best`` is all there is.
    """

    best: tuple[RankedTrade, ...]
    solved: int
    refused: Counter[Reason]
    complete: bool


def rank(source: Source, market: PricedMarket, count: int, max_gap: float = inf) -> Ranking:
    """Return the best loops of all by exact integer net value.

    Parameters
    ----------
    source
        Where candidates come from; it may withhold loops whose marginal rate is above ``max_gap``, no others.
    market
        Decides what a candidate really nets.
    count
        How many to return at most.
    max_gap
        Loops whose marginal rate at size zero is above this are withheld.

    Raises
    ------
    InputError
        If ``count`` is below one, or ``max_gap`` not above one.
    InvariantBroken
        If an exact profit exceeds its proven bound.
    """
    if count < 1:
        raise InputError(f"{count} is no number of cycles; ask for one at least", count=count)
    if not max_gap > 1.0:
        raise InputError(f"a rate of {max_gap:g} withholds every cycle that earns; give more than 1")
    walk = _Walk(market, count, max_gap)
    asked = 2 * count + _SPARE
    while True:
        candidates = source(asked)
        if walk.through(candidates):
            break
        asked *= 2
    kept = tuple(trade for _, trade in walk.kept)
    refused = walk.refused + Counter({Reason.GAP_IMPLAUSIBLE: candidates.withheld})
    return Ranking(kept, walk.solved, refused, len(kept) < count)


def rotations(loop: Loop) -> Iterator[Loop]:
    """Yield a loop from each of its starts, as given first."""
    for start in range(len(loop)):
        yield loop[start:] + loop[:start]


def canonical(loop: Loop) -> Loop:
    """Return the rotation that comes first by its hops.

    Examples
    --------
    >>> there, back = Edge("0x2", "0xa", "0xb"), Edge("0x1", "0xb", "0xa")
    >>> [edge.pool_id for edge in canonical((there, back))]
    ['0x1', '0x2']
    """
    return min(rotations(loop), key=_hops)


def _hops(loop: Loop) -> tuple[tuple[str, str, str], ...]:
    return tuple((edge.pool_id, edge.token_in, edge.token_out) for edge in loop)


@dataclass(slots=True)
class _Walk:
    """What is known after some candidates: the best so far, in the order of the result."""

    market: PricedMarket
    count: int
    max_gap: float
    kept: list[tuple[tuple[object, ...], RankedTrade]] = field(default_factory=list)
    seen: set[Loop] = field(default_factory=set)
    refused: Counter[Reason] = field(default_factory=Counter)
    solved: int = 0
    _curves: dict[Edge, Curve] = field(default_factory=dict)

    def through(self, candidates: Candidates) -> bool:
        """Take candidates over; return whether no other can change the result."""
        for edges, bound in zip(candidates.edges, candidates.bounds, strict=True):
            if bound < self._least():
                return True
            loop = canonical(edges)
            if loop not in self.seen:
                self.seen.add(loop)
                self._take(loop)
        return candidates.rest < self._least()

    def _least(self) -> int:
        """Return the net value below which nothing is kept."""
        return self.kept[-1][1].net if len(self.kept) == self.count else 1

    def _take(self, loop: Loop) -> None:
        curves = [self._curve(edge) for edge in loop]
        if marginal_rate(curves) > self.max_gap:
            self.refused[Reason.GAP_IMPLAUSIBLE] += 1
            return
        self.solved += 1
        found = self._best_start(loop)
        if isinstance(found, Reason):
            self.refused[found] += 1
            return
        key, trade = found
        if trade.net <= 0:
            self.refused[Reason.PROFIT_BELOW_COST] += 1
            return
        insort(self.kept, (key, trade), key=lambda each: each[0])
        del self.kept[self.count :]

    def _best_start(self, loop: Loop) -> tuple[tuple[object, ...], RankedTrade] | Reason:
        """Return the loop's best trade with its place in the order, or why no start gives one."""
        best: tuple[tuple[object, ...], RankedTrade] | None = None
        refusal = Reason.NO_HUB_TOKEN
        for edges in rotations(loop):
            if edges[0].token_in not in self.market.worth:
                continue
            outcome = self._solve(edges)
            if isinstance(outcome, Reason):
                refusal = outcome
                continue
            trade = self.market.priced(outcome)
            key = (-trade.net, _hops(edges))
            if best is None or key < best[0]:
                best = key, trade
        return refusal if best is None else best

    def _solve(self, edges: Loop) -> Opportunity | Reason:
        cycle = Cycle(cycle_id(edges), edges[0].token_in, edges)
        curves = [self._curve(edge) for edge in edges]
        return score_cycle(self.market.pools, cycle, curves, block=self.market.block, found_at_ns=0)

    def _curve(self, edge: Edge) -> Curve:
        curve = self._curves.get(edge)
        if curve is None:
            curve = curve_of(self.market.pools[edge.pool_id], edge.token_in, edge.token_out)
            self._curves[edge] = curve
        return curve
