"""Price and active liquidity of concentrated pools in columns; :mod:`market.arrays.ticks` has the ticks."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.arrays.limbs import Limbs, compiled, from_limbs, to_floats, to_limbs
from market.pools.v3_math import MAX_TICK, MIN_TICK

PRICE_LIMBS = 3
LIQUIDITY_LIMBS = 2
EVERYTHING_KNOWN = (MIN_TICK - 1, MAX_TICK + 1)
"""Stands in ``known`` for the whole tick map."""

_HALF_TICK = math.log(1.0001) / 2
_Q96 = 2.0**96
_CERTAIN = 1e-4


class ConcentratedColumns(NamedTuple):
    """One row per pool.

    Parameters
    ----------
    sqrt_price
        ``sqrt_price_x96``, shape ``(n, 3)``.
    liquidity
        Active liquidity, shape ``(n, 2)``.
    tick
        Shape ``(n,)``, int32.
    known
        Ticks strictly between which every initialised one is known, shape ``(n, 2)``, int32.
    sqrt_price_floats
        ``sqrt_price_x96`` as float64, shape ``(n,)``.
    liquidity_floats
        Active liquidity as float64, shape ``(n,)``.
    """

    sqrt_price: Limbs
    liquidity: Limbs
    tick: NDArray[np.int32]
    known: NDArray[np.int32]
    sqrt_price_floats: NDArray[np.float64]
    liquidity_floats: NDArray[np.float64]


def concentrated_columns(count: int) -> ConcentratedColumns:
    """Return columns of pools without a price."""
    return ConcentratedColumns(
        np.zeros((count, PRICE_LIMBS), np.uint64),
        np.zeros((count, LIQUIDITY_LIMBS), np.uint64),
        np.zeros(count, np.int32),
        np.full((count, 2), EVERYTHING_KNOWN, np.int32),
        np.zeros(count),
        np.zeros(count),
    )


def write_price(
    pools: ConcentratedColumns, slot: int, sqrt_price_x96: int, tick: int, liquidity: int
) -> None:
    """Set what a swap changes."""
    pools.sqrt_price[slot] = to_limbs((sqrt_price_x96,), PRICE_LIMBS)[0]
    pools.liquidity[slot] = to_limbs((liquidity,), LIQUIDITY_LIMBS)[0]
    pools.tick[slot] = tick
    pools.sqrt_price_floats[slot] = to_floats(pools.sqrt_price[slot])
    pools.liquidity_floats[slot] = to_floats(pools.liquidity[slot])


def read_price(pools: ConcentratedColumns, slot: int) -> tuple[int, int, int]:
    """Return ``sqrt_price_x96``, tick and active liquidity."""
    price, liquidity = pools.sqrt_price[slot : slot + 1], pools.liquidity[slot : slot + 1]
    return from_limbs(price)[0], int(pools.tick[slot]), from_limbs(liquidity)[0]


@compiled
def surely_at(tick: int, sqrt_price: float) -> bool:
    """Tell whether a price surely lies between a tick and the next; near either of them it is not sure.

    The float is off by less than ``1e-8`` ticks, and the contract's own rounding of the price at a tick
    by less than ``1e-5`` ticks, which it is at the lowest one.
    """
    price = math.log(sqrt_price / _Q96) / _HALF_TICK
    return tick + _CERTAIN < price < tick + 1 - _CERTAIN and MIN_TICK <= tick < MAX_TICK
