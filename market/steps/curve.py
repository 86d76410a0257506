"""Steps of Curve's StableSwap pools."""

from __future__ import annotations

from core.errors import SwapRefused
from market.events_curve import CurveExchange, CurveFees, CurveLiquidity, CurveRamp, CurveUnstated
from market.pools.curve_stable import CurveStablePool
from market.pools.pool import Pool
from market.steps.step import Step, Steps, contradiction, left_open
from market.unseen import moves_unseen


def _exchange(pool: CurveStablePool, event: CurveExchange) -> Pool:
    """Repeat the trade: the log does not tell the administrator's part, the arithmetic does.

    Where a coin's rate comes from elsewhere it may have moved in this very block.
    """
    if max(event.sold, event.bought) >= len(pool.tokens):
        raise contradiction(pool, f"coins {event.sold} and {event.bought} are not two of the pool")
    try:
        swap = pool.swap(pool.tokens[event.sold], pool.tokens[event.bought], event.amount_in)
    except SwapRefused as refused:
        raise contradiction(pool, f"the pool would have refused this trade ({refused.message})") from None
    if swap.amount_out != event.amount_out and moves_unseen(pool):
        return left_open(pool, event)
    if swap.amount_out != event.amount_out:
        raise contradiction(pool, f"the pool paid {event.amount_out}, ours pays {swap.amount_out}")
    return swap.pool


def _liquidity(pool: CurveStablePool, event: CurveLiquidity) -> Pool:
    if len(event.amounts) != len(pool.tokens):
        raise contradiction(pool, f"the event has {len(event.amounts)} coins")
    return pool.after_liquidity(event.amounts, event.fees)


def _ramp(pool: CurveStablePool, event: CurveRamp) -> Pool:
    return pool.after_ramp(event.amplification)


def _fees(pool: CurveStablePool, event: CurveFees) -> Pool:
    admin_fee = pool.admin_fee if event.admin_fee is None else event.admin_fee
    kept = event.offpeg_multiplier is None
    return pool.after_fees(
        event.fee, admin_fee, pool.offpeg_multiplier if kept else event.offpeg_multiplier or 0
    )


CURVE_STEPS: Steps = {
    (CurveStablePool, CurveExchange): Step(_exchange),
    (CurveStablePool, CurveLiquidity): Step(_liquidity),
    (CurveStablePool, CurveUnstated): Step(left_open),
    (CurveStablePool, CurveRamp): Step(_ramp),
    (CurveStablePool, CurveFees): Step(_fees),
}
