"""Read pools of concentrated liquidity with a contract each: Uniswap V3, Pancake V3 and Slipstream."""

from __future__ import annotations

from chain.questions import Reading
from market.pools.slipstream import SlipstreamPool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_ticks import TickMap
from market.readings.answers import View, read, same, same_pair, signed
from market.readings.ticks import read_ticks

_V3_WORDS, _SLIPSTREAM_WORDS = 7, 6
"""Of ``slot0``; Slipstream's has no share of the protocol."""


def read_v3(spec: PoolSpec) -> Reading[UniswapV3Pool]:
    """Read a pool of Uniswap V3 or Pancake V3.

    Raises
    ------
    MarketError
        If the pool has other tokens, spacing or fee than described, or its ticks do not add up.
    """
    price, tick, liquidity, fee = yield from _read_state(spec, _V3_WORDS)
    same("fee", fee, spec.fee)
    ticks = yield from _read_map(spec, price, tick, liquidity)
    return UniswapV3Pool(spec, price, tick, liquidity, ticks)


def read_slipstream(spec: PoolSpec) -> Reading[SlipstreamPool]:
    """Read a Slipstream pool, with the fee that a sender without a discount pays in that block.

    Raises
    ------
    MarketError
        If the pool has other tokens or another spacing than described, or its ticks do not add up.
    """
    price, tick, liquidity, fee = yield from _read_state(spec, _SLIPSTREAM_WORDS)
    ticks = yield from _read_map(spec, price, tick, liquidity)
    return SlipstreamPool(spec, price, tick, liquidity, ticks, fee)


def _read_state(spec: PoolSpec, words: int) -> Reading[tuple[int, int, int, int]]:
    """Read price, tick, liquidity and fee."""
    simple = ("liquidity()", "fee()", "token0()", "token1()", "tickSpacing()")
    views = [View(spec.address, "slot0()", words=words), *(View(spec.address, each) for each in simple)]
    slot0, (liquidity,), (fee,), token0, token1, (spacing,) = yield from read(views)
    same_pair(spec, token0, token1)
    same("tick spacing", signed(spacing), spec.tick_spacing)
    return slot0[0], signed(slot0[1]), liquidity, fee


def _read_map(spec: PoolSpec, price: int, tick: int, liquidity: int) -> Reading[TickMap]:
    if price == 0:  # nobody can have a position before the price is set
        return TickMap()
    return (yield from read_ticks(spec, "tickBitmap(int16)", tick, liquidity))
