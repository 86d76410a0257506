"""Columns that need the row before: recurrences as machine code, with the stream's operations in its order.

Nothing is reordered or fused, so the bits are those of the same arithmetic in Python.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from features.groups.prices import PPM

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_PARTIALS = 64
"""More than ever are: 53 bits each over the 2100 or so that a float can reach."""


@compiled
def follow(values: Floats, step: float) -> Floats:
    """Return the exponentially weighted mean after each row; NaN before the first known value."""
    result = np.empty(len(values))
    mean = np.nan
    for row in range(len(values)):
        value = values[row]
        if not np.isnan(value):
            mean = value if np.isnan(mean) else mean + step * (value - mean)
        result[row] = mean
    return result


@compiled
def gaps(quotes: Floats, pair_of: Integers, pool_of: Integers) -> Floats:
    """Return ``float64[3, block]``: widest and mean gap in ppm, and age in blocks.

    Parameters
    ----------
    quotes
        ``float64[block, slot]``; the slots of a pair stand together, in the order of pool ids.
    pair_of, pool_of
        Of each slot.
    """
    count, slots = quotes.shape
    result = np.full((3, count), np.nan)
    prices, holders = np.empty(slots), np.empty(slots, np.int64)
    dear, cheap, age = -1, -1, 0
    for row in range(count):
        widest, total, couples = 0.0, 0.0, 0
        high, low = -1, -1
        begin = 0
        while begin < slots:
            end, size = begin, 0
            while end < slots and pair_of[end] == pair_of[begin]:
                price = quotes[row, end]
                if not np.isnan(price):
                    place = size
                    # not past an equal price: ids break ties
                    while place and prices[place - 1] > price:
                        prices[place], holders[place] = prices[place - 1], holders[place - 1]
                        place -= 1
                    prices[place], holders[place] = price, pool_of[end]
                    size += 1
                end += 1
            begin = end
            if size < 2:
                continue
            gap = prices[size - 1] - prices[0]
            if high < 0 or gap > widest:
                widest, high, low = gap, holders[size - 1], holders[0]
            within = 0.0
            for place in range(size):
                within += prices[place] * (2 * place - size + 1)
            total += within
            couples += size * (size - 1) // 2
        age = age + 1 if high == dear and low == cheap else 0
        dear, cheap = high, low
        if high >= 0:
            result[0, row] = widest * PPM
            result[1, row] = total / couples * PPM
            result[2, row] = age
    return result


@compiled
def builder_windows(builders: Integers, window: int, kinds: int) -> Integers:
    """Return ``int64[4, block]`` of the last blocks: by this builder, known, distinct, sum of squares.

    ``builders`` are numbers below ``kinds``; -1 if unknown.
    """
    result = np.zeros((4, len(builders)), np.int64)
    counts = np.zeros(kinds + 1, np.int64)
    total, distinct, squares = 0, 0, 0
    for row in range(len(builders)):
        if row >= window and builders[row - window] >= 0:
            gone = builders[row - window]
            squares -= 2 * counts[gone] - 1
            counts[gone] -= 1
            total -= 1
            distinct -= counts[gone] == 0
        new = builders[row]
        if new >= 0:
            distinct += counts[new] == 0
            squares += 2 * counts[new] + 1
            counts[new] += 1
            total += 1
            result[0, row] = counts[new]
        result[1, row], result[2, row], result[3, row] = total, distinct, squares
    return result


@compiled
def builder_bids(builders: Integers, bids: Floats, step: float, kinds: int) -> Floats:
    """Return ``float64[2, block]``: the builder's mean bid, and blocks since its last one."""
    result = np.full((2, len(builders)), np.nan)
    means, built = np.full(kinds + 1, np.nan), np.full(kinds + 1, -1, np.int64)
    for row in range(len(builders)):
        builder = builders[row]
        if builder < 0:
            continue
        if built[builder] >= 0:
            result[1, row] = row - built[builder]
        built[builder] = row
        bid = bids[row]
        if not np.isnan(bid):
            mean = means[builder]
            means[builder] = bid if np.isnan(mean) else mean + step * (bid - mean)
        result[0, row] = means[builder]
    return result


@compiled
def _rounded(partials: Floats, count: int) -> float:
    """Return the sum of partials that do not overlap, the smallest first."""
    if count == 0:
        return 0.0
    place = count - 1
    high, low = partials[place], 0.0
    while place > 0:
        place -= 1
        before, part = high, partials[place]
        high = before + part
        low = part - (high - before)
        if low != 0.0:
            break
    if place > 0 and ((low < 0.0 and partials[place - 1] < 0.0) or (low > 0.0 and partials[place - 1] > 0.0)):
        twice = low * 2.0
        moved = high + twice
        if twice == moved - high:
            high = moved
    return float(high)


@compiled
def _add(partials: Floats, count: int, value: float) -> int:
    """Add a value to partials that do not overlap, without rounding; return how many there are then."""
    kept = 0
    for part in range(count):
        other = partials[part]
        if abs(value) < abs(other):
            value, other = other, value
        total = value + other
        rest = other - (total - value)
        if rest != 0.0:
            partials[kept] = rest
            kept += 1
        value = total
    if value != 0.0:
        partials[kept] = value
        kept += 1
    return kept


@compiled
def exact_sums(values: Floats, ends: Integers) -> Floats:
    """Return the correctly rounded sum of successive slices of values, as ``math.fsum`` gives it.

    References
    ----------
    J. R. Shewchuk, Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates, 1997.
    """
    result = np.empty(len(ends))
    partials = np.empty(_PARTIALS)
    start = 0
    for row in range(len(ends)):
        count = 0
        for place in range(start, ends[row]):
            count = _add(partials, count, values[place])
        start = ends[row]
        result[row] = _rounded(partials, count)
    return result


@compiled
def exact_window_sums(values: Floats, window: int) -> Floats:
    """Return the correctly rounded sum of each value and those before it in the window.

    Partials hold the sum itself, so taking a value out again is exact too.
    """
    result = np.empty(len(values))
    partials = np.empty(_PARTIALS)
    count = 0
    for row in range(len(values)):
        count = _add(partials, count, values[row])
        if row >= window:
            count = _add(partials, count, -values[row - window])
        result[row] = _rounded(partials, count)
    return result
