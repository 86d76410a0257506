"""Pieces of constant product of a pool of concentrated liquidity, made again quickly after each swap.

Ticks change rarely, the price with every swap. So what depends on the ticks alone is kept: of every range
between two of them its prices, liquidity and widths. After a swap only the range that holds the price is
measured anew, in integers, since the difference of two close prices would lose most of its digits in floats.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

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
from scoring.columns import PieceColumns
from scoring.curves.curve import UPWARD

_PPM = 1_000_000
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TickRanges:
    """All ranges between two ticks of one pool.

    Parameters
    ----------
    ticks, known
        Of the pool they were made of.
    order
        Ticks at which liquidity changes, ascending.
    prices
        Square-root prices times 2**96 at which ranges begin and end, one more than there are ranges.
    liquidity
        Of each range.
    held
        Places of the ranges with liquidity; the floats are of these.
    low, high
        Square roots of their prices.
    depth, width0, width1
        Their liquidity, and what of either token leads through them; raw units before a fee.
    """

    ticks: Mapping[int, int]
    known: tuple[int, int] | None
    order: tuple[int, ...]
    prices: tuple[int, ...]
    liquidity: tuple[int, ...]
    held: NDArray[np.int64]
    low: Floats
    high: Floats
    depth: Floats
    width0: Floats
    width1: Floats

    @classmethod
    def of(cls, pool: ConcentratedPool) -> TickRanges:
        """Return the ranges of a pool with a price."""
        known = _known(pool)
        lower, upper = known or (MIN_TICK, MAX_TICK)
        order = tuple(tick for tick in pool.ticks if lower < tick < upper) if known else tuple(pool.ticks)
        first = sqrt_ratio_at_tick(lower) if known else MIN_SQRT_RATIO + 1
        last = sqrt_ratio_at_tick(upper) if known else MAX_SQRT_RATIO - 1
        parts = [_parts(first), *map(_parts_at_tick, order), _parts(last)]
        prices, nearest, rests = zip(*parts, strict=True)
        liquidity = _liquidity(pool, order)
        depths, near = np.array([float(depth) for depth in liquidity]), np.array(nearest)
        moves = np.diff(near) + np.diff(np.array(rests))
        held = np.flatnonzero((depths > 0.0) & (moves > 0.0))
        low, high, depth = near[held] / Q96, near[held + 1] / Q96, depths[held]
        width1 = depth * (moves[held] / Q96)
        width0 = width1 / (low * high)
        return cls(pool.ticks, known, order, prices, liquidity, held, low, high, depth, width0, width1)

    @property
    def amounts(self) -> tuple[Floats, Floats, Floats]:
        """Liquidity and both widths."""
        return self.depth, self.width0, self.width1

    def hold(self, pool: ConcentratedPool) -> bool:
        """Return whether these are a pool's ranges still."""
        same = pool.ticks is self.ticks and _known(pool) == self.known
        return same and pool.liquidity == self.liquidity[bisect_right(self.order, pool.tick)]


def tradable(pool: ConcentratedPool) -> bool:
    """Return whether a pool has a price that is known, and no hooks that take part in swaps."""
    if pool.sqrt_price_x96 == 0 or (isinstance(pool, UniswapV4Pool) and unsupported(pool.spec) is not None):
        return False
    lower, upper = _known(pool) or (MIN_TICK, MAX_TICK)
    return lower <= pool.tick < upper


def pieces_of(pool: ConcentratedPool, ranges: TickRanges, *, zero_for_one: bool) -> PieceColumns:
    """Return the pieces of one direction of a tradable pool, at the fee that its next swap pays.

    Parameters
    ----------
    pool
        Its price and fee are read.
    ranges
        Its ranges.
    zero_for_one
        Whether token0 goes in.
    """
    keep = (_PPM - pool.begun().fee_of(zero_for_one)) / _PPM
    if keep <= 0.0:
        return PieceColumns(*(np.zeros(0) for _ in PieceColumns._fields))
    here = bisect_right(ranges.order, pool.tick)
    root, depth, width0, width1 = _at_price(pool, ranges, here, zero_for_one)
    if zero_for_one:
        ahead = slice(int(np.searchsorted(ranges.held, here)))
        columns = tuple(each[ahead][::-1] for each in (ranges.high, *ranges.amounts))
    else:
        ahead = slice(int(np.searchsorted(ranges.held, here, "right")), None)
        columns = tuple(each[ahead] for each in (ranges.low, *ranges.amounts))
    if depth > 0.0 and width0 > 0.0 and width1 > 0.0:
        first = root, depth, width0, width1
        columns = tuple(np.concatenate(((one,), rest)) for one, rest in zip(first, columns, strict=True))
    roots, depths, widths0, widths1 = columns
    if zero_for_one:
        return _columns(roots * roots, roots / depths, widths0, widths1, keep)
    return _columns(1.0 / (roots * roots), 1.0 / (roots * depths), widths1, widths0, keep)


def _columns(rate: Floats, bend: Floats, width_in: Floats, width_out: Floats, keep: float) -> PieceColumns:
    given, paid = width_in / keep, UPWARD * width_out
    return PieceColumns(UPWARD * keep * rate, keep * bend, _sums_before(given), _sums_before(paid), given)


def _sums_before(widths: Floats) -> Floats:
    sums = np.zeros(len(widths))
    np.cumsum(widths[:-1], out=sums[1:])
    return sums


def _at_price(
    pool: ConcentratedPool, ranges: TickRanges, here: int, zero_for_one: bool
) -> tuple[float, float, float, float]:
    """Return root, depth and widths of what is left of the range that holds the price."""
    price, depth = pool.sqrt_price_x96, pool.liquidity
    low, high = (ranges.prices[here], price) if zero_for_one else (price, ranges.prices[here + 1])
    if depth == 0 or low >= high:
        return price / Q96, 0.0, 0.0, 0.0
    width1 = depth * (high - low)
    return price / Q96, float(depth), (width1 << 96) / (low * high), width1 / Q96


def _known(pool: ConcentratedPool) -> tuple[int, int] | None:
    return pool.known if isinstance(pool, UniswapV3Pool) else None


def _liquidity(pool: ConcentratedPool, order: tuple[int, ...]) -> tuple[int, ...]:
    """Return the liquidity of every range, counted from the one that holds the price."""
    here = bisect_right(order, pool.tick)
    below, above = [pool.liquidity], [pool.liquidity]
    for tick in reversed(order[:here]):
        below.append(below[-1] - pool.ticks[tick])
    for tick in order[here:]:
        above.append(above[-1] + pool.ticks[tick])
    return (*below[:0:-1], *above)


def _parts(price: int) -> tuple[int, float, float]:
    """Return a price, the float nearest to it, and what is left."""
    nearest = float(price)
    return price, nearest, float(price - int(nearest))


@lru_cache(maxsize=1 << 16)
def _parts_at_tick(tick: int) -> tuple[int, float, float]:
    return _parts(sqrt_ratio_at_tick(tick))
