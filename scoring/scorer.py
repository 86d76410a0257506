"""From a market state to the opportunities in it, best first.

The scorer is the seam behind which cycles may be scored by other means. What it returns
depends on the state alone, never on which blocks led there: a cycle's result is kept until
one of its pools is another value, be it by a block, a rollback or a reload.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason
from market.pools.pool import Pool
from market.state import MarketState
from scoring.curves import DEAD, Curve, curve_of
from scoring.cycles import Cycle, CycleIndex, Edge, Tradable
from scoring.one_cycle import reason_of, score_cycle
from scoring.opportunity import Opportunity


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """What a market offers at one state.

    Parameters
    ----------
    opportunities
        Best first by gross profit, then by cycle id.
    refusals
        How many of all cycles were refused, by reason.
    cycles_considered
        How many cycles were scored anew for this result.
    """

    opportunities: tuple[Opportunity, ...]
    refusals: Counter[Reason]
    cycles_considered: int


class Scorer(Protocol):
    """Scores the cycles of a market."""

    def rescore(self, state: MarketState, touched: Iterable[str] | None, *, found_at_ns: int) -> ScoreResult:
        """Return what the market offers now.

        Parameters
        ----------
        state
            The market; its head is the state block.
        touched
            Pools that changed since the last call, by blocks or by a rollback; ``None`` scores
            everything anew.
        found_at_ns
            Wall-clock nanoseconds to note on opportunities found by this call.
        """
        ...


class CpuScorer:
    """Score on one core: a NumPy gate over all touched cycles, then one cycle at a time.

    Parameters
    ----------
    pools
        Pools or specs of the market; the cycles are enumerated once.
    start_tokens
        Tokens to profit in; the wrapped native token if gas and bid are paid from profit.
    max_hops
        Longest cycle, in swaps.
    tolerance
        Raw units of a start token that are not worth looking for; sets how long integer sizes
        are improved, never whether a bound holds.
    """

    def __init__(
        self,
        pools: Iterable[Tradable],
        start_tokens: Sequence[Address],
        max_hops: int = 4,
        tolerance: int = 0,
    ) -> None:
        self._tolerance = tolerance
        self.index = CycleIndex(pools, start_tokens, max_hops)
        self._edges: list[Edge] = list(
            dict.fromkeys(edge for cycle in self.index.cycles for edge in cycle.edges)
        )
        self._gate = _Gate(self.index.cycles, self._edges)
        self._edges_of: dict[str, list[int]] = {}
        for position, edge in enumerate(self._edges):
            self._edges_of.setdefault(edge.pool_id, []).append(position)
        self._curves: dict[Edge, Curve] = {}
        self._scored: dict[str, Pool] = {}
        self._found: dict[int, Opportunity] = {}
        self._refused: dict[int, Reason] = {}
        self._dead: dict[Edge, Reason] = {}
        self._suspended: set[str] = set()

    def rescore(self, state: MarketState, touched: Iterable[str] | None, *, found_at_ns: int) -> ScoreResult:
        """Return what the market offers now; see :class:`Scorer`.

        ``touched`` is a hint: pools that are no longer the value last scored are found here as
        well, so that a forgotten one cannot leave a stale opportunity behind.

        Raises
        ------
        MarketError
            If the state lacks a pool of the index, or has no head yet.
        InvariantBroken
            If an exact profit exceeds its proven bound: curve and pool contradict each other.
        """
        if state.head is None:
            raise MarketError("the market has no head block yet; apply a block or load one first")
        moved = self._moved(state, touched)
        for pool_id in moved:
            # forgotten until its cycles are scored: whatever fails on the way leaves nothing stale
            self._scored.pop(pool_id, None)
            self._renew(state.pools[pool_id], pool_id in state.suspended)
        positions = self.index.touched(moved)
        block = state.head.number
        for position, rate in zip(positions, self._gate.rates(positions), strict=True):
            self._score(position, rate, state.pools, block, found_at_ns)
        self._scored.update((pool_id, state.pools[pool_id]) for pool_id in moved)
        opportunities = sorted(
            (opportunity.seen_at(block) for opportunity in self._found.values()),
            key=lambda opportunity: (-opportunity.gross_profit, opportunity.cycle_id),
        )
        return ScoreResult(tuple(opportunities), Counter(self._refused.values()), len(positions))

    def _moved(self, state: MarketState, touched: Iterable[str] | None) -> list[str]:
        hinted = set(self._edges_of if touched is None else touched)
        pools, suspended = state.pools, state.suspended
        try:
            return [
                pool_id
                for pool_id in self._edges_of
                if pools[pool_id] is not self._scored.get(pool_id)
                or pool_id in hinted
                or (pool_id in suspended) is not (pool_id in self._suspended)
            ]
        except KeyError as error:
            raise MarketError(
                "the state lacks a pool that cycles were made of; make the scorer from the same pools",
                pool_id=error.args[0],
            ) from None

    def _renew(self, pool: Pool, suspended: bool) -> None:
        (self._suspended.add if suspended else self._suspended.discard)(pool.pool_id)
        for position in self._edges_of[pool.pool_id]:
            edge = self._edges[position]
            curve = DEAD if suspended else curve_of(pool, edge.token_in, edge.token_out)
            self._curves[edge] = curve
            rate = curve.tangent_map()[0]
            self._gate.set_rate(position, rate)
            self._dead.pop(edge, None)
            if suspended:
                self._dead[edge] = Reason.POOL_QUARANTINED
            elif rate <= 0.0:
                self._dead[edge] = _why_dead(pool, edge)

    def _score(
        self, position: int, rate: float, pools: Mapping[str, Pool], block: int, found_at_ns: int
    ) -> None:
        cycle = self.index.cycles[position]
        if rate <= 0.0:
            outcome: Opportunity | Reason = next(
                self._dead[edge] for edge in cycle.edges if edge in self._dead
            )
        elif rate <= 1.0:
            outcome = Reason.RATE_BELOW_ONE
        else:
            curves = [self._curves[edge] for edge in cycle.edges]
            outcome = score_cycle(
                pools, cycle, curves, block=block, found_at_ns=found_at_ns, tolerance=self._tolerance
            )
        if isinstance(outcome, Reason):
            self._found.pop(position, None)
            self._refused[position] = outcome
        else:
            self._refused.pop(position, None)
            self._found[position] = outcome


def _why_dead(pool: Pool, edge: Edge) -> Reason:
    """Return why a pool gives nothing at all in one direction."""
    try:
        pool.swap(edge.token_in, edge.token_out, 1)
    except MarketError as error:
        return reason_of(error)
    return Reason.ZERO_LIQUIDITY


class _Gate:
    """Products of marginal rates over many cycles at once.

    Short cycles are padded with an edge of rate one, so that the table is rectangular.
    """

    def __init__(self, cycles: Sequence[Cycle], edges: Sequence[Edge]) -> None:
        place = {edge: position for position, edge in enumerate(edges)}
        longest = max((len(cycle.edges) for cycle in cycles), default=0)
        self._table: NDArray[np.int32] = np.full((len(cycles), longest), len(edges), dtype=np.int32)
        for row, cycle in enumerate(cycles):
            self._table[row, : len(cycle.edges)] = [place[edge] for edge in cycle.edges]
        self._rates: NDArray[np.float64] = np.ones(len(edges) + 1)

    def set_rate(self, edge: int, rate: float) -> None:
        self._rates[edge] = rate

    def rates(self, positions: Sequence[int]) -> list[float]:
        """Return the rate of each of these cycles at size zero."""
        rates: list[float] = self._rates[self._table[positions]].prod(axis=1).tolist()
        return rates
