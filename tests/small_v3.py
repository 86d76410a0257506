"""A V3 pool of two positions, one wide and one narrow, for tests of its arithmetic."""

from __future__ import annotations

from collections.abc import Mapping

from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import sqrt_ratio_at_tick

SPEC = PoolSpec("uniswap_v3", "0xpool", "0xpool", ("0xa", "0xb"), 3000, tick_spacing=60)
WIDE, NARROW = 2 * 10**18, 5 * 10**18
TICKS = {-60_000: WIDE, -120: NARROW, 180: -NARROW, 60_000: -WIDE}


def pool(
    tick: int = 0,
    liquidity: int = WIDE + NARROW,
    ticks: Mapping[int, int] = TICKS,
    known: tuple[int, int] | None = None,
) -> UniswapV3Pool:
    return UniswapV3Pool(
        spec=SPEC,
        sqrt_price_x96=sqrt_ratio_at_tick(tick),
        tick=tick,
        liquidity=liquidity,
        ticks=ticks,
        known=known,
    )
