"""One cycle at one state: the sized, exact, certified trade, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import floor

from core.errors import InvariantBroken, MarketError, SwapRefused
from core.reasons import Reason
from market.pools.pool import Pool
from scoring.curves import Curve
from scoring.cycles import Cycle
from scoring.exact import best_integers, profit_of
from scoring.integers.trade import PairTrade
from scoring.opportunity import Certificate, Hop, Opportunity
from scoring.pair_lane import pair_trade
from scoring.sizing import size_cycle


def score_cycle(
    pools: Mapping[str, Pool],
    cycle: Cycle,
    curves: Sequence[Curve],
    *,
    block: int,
    found_at_ns: int,
    tolerance: int = 0,
) -> Opportunity | Reason:
    """Return the sized, exact, certified trade of one cycle, or why there is none.

    Parameters
    ----------
    pools
        State by pool id.
    cycle, curves
        The cycle and its hops' curves on that state.
    block
        Height of the state.
    found_at_ns
        When we know it, wall-clock nanoseconds.
    tolerance
        Raw units of the start token that are not worth looking for.

    Raises
    ------
    InvariantBroken
        If the exact profit exceeds its proven bound.
    """
    found = _pairs_sized(pools, cycle) or _sized(pools, cycle, curves, tolerance)
    if isinstance(found, Reason):
        return found
    hops, upper_bound = found
    profit = profit_of(hops)
    if profit <= 0:
        return Reason.DUST_PROFIT
    return Opportunity(
        cycle_id=cycle.cycle_id,
        token=cycle.token,
        hops=hops,
        amount_in=hops[0].amount_in,
        amount_out=hops[-1].amount_out,
        gross_profit=profit,
        certificate=_certified(cycle, profit, floor(upper_bound), block),
        state_block=block,
        found_at_ns=found_at_ns,
    )


_Sized = tuple[tuple[Hop, ...], float]
"""A trade, and the bound of its cycle's profit."""


def _pairs_sized(pools: Mapping[str, Pool], cycle: Cycle) -> _Sized | Reason | None:
    """Return the best trade of a cycle of pairs alone, ``None`` if it is none."""
    trade = pair_trade(pools, cycle.edges)
    if not isinstance(trade, PairTrade):
        return trade
    hops = tuple(
        Hop(edge.pool_id, edge.token_in, edge.token_out, paid, given)
        for edge, (paid, given) in zip(cycle.edges, pairwise(trade.amounts), strict=True)
    )
    return hops, trade.upper_bound


def _sized(
    pools: Mapping[str, Pool], cycle: Cycle, curves: Sequence[Curve], tolerance: int
) -> _Sized | Reason:
    """Return the best trade found of any cycle."""
    size = size_cycle(curves)
    if isinstance(size, Reason):
        return size
    try:
        return best_integers(pools, cycle.edges, curves, size, tolerance), size.upper_bound
    except MarketError as error:
        return reason_of(error)


def _certified(cycle: Cycle, profit: int, bound: int, block: int) -> Certificate:
    """Return the certificate of a profit; a profit above its bound refutes the curves."""
    if profit > bound:
        raise InvariantBroken(
            "an exact profit exceeds its bound; compare scoring/curves with the pool's arithmetic",
            cycle_id=cycle.cycle_id,
            profit=profit,
            bound=bound,
        )
    return Certificate(bound, bound - profit, block)


def reason_of(error: MarketError) -> Reason:
    """Return why a pool refuses a swap, or that its state is none: a stranger's pool stops nobody else."""
    if isinstance(error, SwapRefused):
        reason: Reason = error.fields["reason"]
        return reason
    return Reason.IMPOSSIBLE_STATE
