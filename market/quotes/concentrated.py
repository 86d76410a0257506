"""Concentrated liquidity over arrays: ranges between ticks become segments of constant product.

Segments are built once for a pool and a direction; then any number of inputs is looked up in the inputs at
which segments end. Beyond the last one the pool takes nothing more, and outputs stay flat.

Square-root prices come in two floats each, the nearest one and what is left, since the difference of two
close prices would lose most of its digits otherwise.

References
----------
Uniswap V3 Core, ``SqrtPriceMath``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from market.pools.concentrated import ConcentratedPool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.uniswap_v4 import UniswapV4Pool, unsupported
from market.pools.v3_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    Q96,
    sqrt_ratio_at_tick,
)

_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Segments:
    """One direction of one pool, as pieces ``a x / (1 + c x)`` one after the other.

    Parameters
    ----------
    a, c
        Marginal rate at the start of each piece, and its bend per raw input.
    starts_in, starts_out, widths_in
        Raw input and output at which each piece starts, and the input it takes, all float64 of shape
        ``(segments,)``.
    """

    a: NDArray[np.float64]
    c: NDArray[np.float64]
    starts_in: NDArray[np.float64]
    starts_out: NDArray[np.float64]
    widths_in: NDArray[np.float64]

    def amounts_out(self, amounts: ArrayLike) -> NDArray[np.float64]:
        """Return what inputs buy, before flooring; raw units, fee included, finite and not negative."""
        given = np.asarray(amounts, dtype=np.float64)
        if not len(self.a):
            return np.zeros(given.shape)
        piece = self._pieces(given)
        inside = np.minimum(given - self.starts_in[piece], self.widths_in[piece])
        bought = self.a[piece] * inside / (1.0 + self.c[piece] * inside)
        return np.asarray(self.starts_out[piece] + bought)

    def rates(self, amounts: ArrayLike) -> NDArray[np.float64]:
        """Return raw output per further raw input at sizes; zero beyond the liquidity."""
        given = np.asarray(amounts, dtype=np.float64)
        if not len(self.a):
            return np.zeros(given.shape)
        piece = self._pieces(given)
        inside = given - self.starts_in[piece]
        bent = 1.0 + self.c[piece] * np.minimum(inside, self.widths_in[piece])
        return np.where(inside < self.widths_in[piece], self.a[piece] / (bent * bent), 0.0)

    def _pieces(self, amounts: NDArray[np.float64]) -> NDArray[np.intp]:
        return np.searchsorted(self.starts_in, amounts, side="right") - 1


def segments(
    prices: NDArray[np.float64], rests: NDArray[np.float64], liquidity: NDArray[np.float64], keep: float
) -> Segments:
    """Return the segments of a swap's way; its direction is that of the prices.

    Parameters
    ----------
    prices, rests
        Square-root prices times 2**96 at which liquidity changes, in a swap's order and from the present
        one on, each the sum of the two; shape ``(ranges + 1,)``.
    liquidity
        Between each two of them; ranges without any are passed over at once.
    keep
        Share of the input left after the fee, positive.

    Examples
    --------
    >>> way = segments(np.array([1.0, 0.8, 0.5]) * 2.0**96, np.zeros(3), np.array([100.0, 300.0]), 1.0)
    >>> way.starts_in, way.amounts_out([25.0, 1e9])
    (array([ 0., 25.]), array([ 20., 110.]))
    """
    moves = np.diff(prices) + np.diff(rests)
    here = (liquidity > 0.0) & (moves != 0.0)
    start, stop, depth = prices[:-1][here] / Q96, prices[1:][here] / Q96, liquidity[here]
    width1 = depth * (np.abs(moves[here]) / Q96)
    width0 = width1 / (start * stop)
    if len(prices) > 1 and prices[-1] < prices[0]:
        widths_in, widths_out, rate, bend = width0 / keep, width1, start * start, start / depth
    else:
        widths_in, widths_out, rate, bend = (
            width1 / keep,
            width0,
            1.0 / (start * start),
            1.0 / (start * depth),
        )
    return Segments(keep * rate, keep * bend, _sums_before(widths_in), _sums_before(widths_out), widths_in)


def segments_of(pool: ConcentratedPool, *, zero_for_one: bool) -> Segments:
    """Return the segments of one direction of a pool, at the fee that its next swap pays.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> spec = PoolSpec("uniswap_v3", "0xp", "0xp", ("0xa", "0xb"), 3000, tick_spacing=60)
    >>> pool = UniswapV3Pool(spec=spec, sqrt_price_x96=2**96, tick=0, liquidity=2 * 10**18,
    ...                      ticks={-6000: 2 * 10**18, 6000: -2 * 10**18})
    >>> float(segments_of(pool, zero_for_one=True).amounts_out(1e17))
    9.496594751631186e+16
    """
    keep = (_PPM - pool.begun().fee_of(zero_for_one)) / _PPM
    ranges = list(price_ranges(pool, zero_for_one=zero_for_one))
    if not ranges:
        return Segments(*(np.zeros(0),) * 5)
    prices = [ranges[0][0], *(stop for _, stop, _ in ranges)]
    nearest = np.array([float(price) for price in prices])
    rests = np.array([float(price - int(near)) for price, near in zip(prices, nearest, strict=True)])
    return segments(nearest, rests, np.array([float(depth) for *_, depth in ranges]), keep)


def price_ranges(pool: ConcentratedPool, *, zero_for_one: bool) -> Iterator[tuple[int, int, int]]:
    """Yield the ranges that a swap goes through: square-root price at both ends, and liquidity between.

    They begin at the present price and end where nothing is known, or at the contract's last price. There
    are none where nothing can be traded: no price, hooks that take part in swaps, a fee of all of the input.
    """
    price, liquidity = pool.sqrt_price_x96, pool.liquidity
    refused = isinstance(pool, UniswapV4Pool) and unsupported(pool.spec) is not None
    if price == 0 or refused or pool.begun().fee_of(zero_for_one) >= _PPM:
        return
    for stop, net in _stops(pool, zero_for_one):
        yield price, stop, liquidity
        price = stop
        liquidity += net


def _stops(pool: ConcentratedPool, zero_for_one: bool) -> Iterator[tuple[int, int]]:
    """Yield square-root prices at which liquidity changes, and the change, in a swap's order."""
    ticks = tuple(pool.ticks)
    known = pool.known if isinstance(pool, UniswapV3Pool) else None
    lower, upper = known or (MIN_TICK, MAX_TICK)
    if not lower <= pool.tick < upper:
        return
    at = bisect_right(ticks, pool.tick)
    if zero_for_one:
        for tick in reversed(ticks[:at]):
            if tick > lower:
                yield sqrt_ratio_at_tick(tick), -pool.ticks[tick]
        yield (sqrt_ratio_at_tick(lower) if known else MIN_SQRT_RATIO + 1), 0
    else:
        for tick in ticks[at:]:
            if tick < upper:
                yield sqrt_ratio_at_tick(tick), pool.ticks[tick]
        yield (sqrt_ratio_at_tick(upper) if known else MAX_SQRT_RATIO - 1), 0


def _sums_before(widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of all widths before each."""
    return np.concatenate((np.zeros(min(len(widths), 1)), np.cumsum(widths[:-1])))
