"""What a pool's own state says it can pay out, token by token."""

from __future__ import annotations

from core.errors import MarketError
from market.pools.balancer_v3 import BalancerV3Pool
from market.pools.composable_stable import ComposableStablePool
from market.pools.concentrated import ConcentratedPool
from market.pools.curve_stable import CurveStablePool
from market.pools.pool import Pool
from market.pools.solidly import SolidlyPool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import amount0_between, amount1_between, sqrt_ratio_at_tick
from market.pools.weighted import WeightedPool


def holdings(pool: Pool) -> tuple[int, ...]:
    """Return the most that a pool can pay of each token, in raw units and the order of ``pool.tokens``.

    Reserves or balances; of concentrated liquidity what a swap to the end of the known ticks gets.

    Raises
    ------
    MarketError
        If the family is not one of ours.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> holdings(UniswapV2Pool(PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000), 7, 9))
    (7, 9)
    """
    match pool:
        case UniswapV2Pool() | SolidlyPool():
            return pool.reserve0, pool.reserve1
        case WeightedPool() | ComposableStablePool() | CurveStablePool():
            return pool.balances
        case BalancerV3Pool():
            return pool.account.balances
        case UniswapV3Pool():
            return _in_ranges(pool, pool.known)
        case ConcentratedPool():
            return _in_ranges(pool, None)
    raise MarketError("this family of pools does not say what it holds", pool_id=pool.pool_id)


def _in_ranges(pool: UniswapV3Pool | ConcentratedPool, known: tuple[int, int] | None) -> tuple[int, int]:
    """Return token0 above the price and token1 below it, walking outward range by range."""
    amount0 = amount1 = 0
    if pool.sqrt_price_x96 == 0:
        return amount0, amount1
    nets = dict.fromkeys(known or (), 0) | dict(pool.ticks)
    places = sorted(nets)
    at, active = pool.sqrt_price_x96, pool.liquidity
    for place in (place for place in places if place > pool.tick):
        edge = sqrt_ratio_at_tick(place)
        amount0 += amount0_between(at, edge, max(active, 0), round_up=False)
        at, active = edge, active + nets[place]
    at, active = pool.sqrt_price_x96, pool.liquidity
    for place in (place for place in reversed(places) if place <= pool.tick):
        edge = sqrt_ratio_at_tick(place)
        amount1 += amount1_between(edge, at, max(active, 0), round_up=False)
        at, active = edge, active - nets[place]
    return amount0, amount1
