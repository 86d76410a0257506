"""State that changes without any event: fees that a module computes, rates that a provider gives."""

from __future__ import annotations

from dataclasses import replace

from market.pools.balancer_v3 import BalancerV3Pool
from market.pools.composable_stable import ComposableStablePool
from market.pools.curve_stable import CurveStablePool
from market.pools.log_exp_math import ONE
from market.pools.pool import Pool
from market.pools.slipstream import SlipstreamPool


def moves_unseen(pool: Pool) -> bool:
    """Tell whether part of the state changes without any event, so that it must be read every block."""
    match pool:
        case SlipstreamPool():
            return True
        case ComposableStablePool():
            return any(rate is not None for rate in pool.rates)
        case BalancerV3Pool():
            return any(rate != ONE for rate in pool.account.rates)
        case CurveStablePool():
            return any(str(rate).strip("0") != "1" for rate in pool.rates)
    return False


def with_unseen(pool: Pool, read: Pool) -> Pool:
    """Return the pool with what no event tells taken over from a pool that was read.

    Parameters
    ----------
    pool
        Ours, followed by events.
    read
        The same pool as the chain had it at the same block.
    """
    match pool, read:
        case SlipstreamPool(), SlipstreamPool():
            return pool.with_fee(read.fee)
        case ComposableStablePool(), ComposableStablePool():
            return pool.with_provided(tuple(None if rate is None else rate.provided for rate in read.rates))
        case BalancerV3Pool(), BalancerV3Pool():
            return replace(pool, account=replace(pool.account, rates=read.account.rates))
        case CurveStablePool(), CurveStablePool():
            return pool.after_rates(read.rates)
    return pool
