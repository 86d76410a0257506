"""What batch columns are built with: rows that look back, and functions that NumPy rounds differently.

NumPy has its own logarithms and sines, which may differ from the C library's in the last bit.
:func:`each` calls the very functions that the stream calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def each(function: Callable[[float], float], values: Floats, where: Flags | None = None) -> Floats:
    """Return a function of every value; NaN where ``where`` is false, by default where a value is NaN."""
    chosen = ~np.isnan(values) if where is None else where
    result = np.full(len(values), np.nan)
    inputs = values[chosen].tolist()
    result[chosen] = np.fromiter(map(function, inputs), np.float64, len(inputs))
    return result


def each_run(function: Callable[[float], float], values: Floats) -> Floats:
    """Return a function of every value, asked once for equal ones in a row, as of candles that stay."""
    fresh = np.ones(len(values), dtype=np.bool_)
    fresh[1:] = values[1:] != values[:-1]
    found: Floats = each(function, values[fresh])[np.cumsum(fresh) - 1]
    return found


def logs(values: Floats) -> Floats:
    """Return natural logarithms; NaN of what has none."""
    return each(math.log, values, values > 0)


def known(values: Floats, where: Flags) -> Floats:
    """Return the values where the condition holds, else NaN."""
    return np.where(where, values, np.nan)


def before(values: Floats) -> Floats:
    """Return the value of the row before; NaN in the first."""
    return np.concatenate(([np.nan], values[:-1])) if len(values) else values


def last_known(values: Floats) -> Floats:
    """Return the last value that is no NaN, this row's included."""
    return values[_last(~np.isnan(values))] if len(values) else values


def earlier_known(values: Floats, lag: int) -> Floats:
    """Return the ``lag``-th last value that is no NaN among the rows before."""
    present = ~np.isnan(values)
    places = np.cumsum(present) - present - lag
    compressed = np.append(values[present], np.nan)
    return np.where(places >= 0, compressed[np.maximum(places, -1)], np.nan)


def since(times: NDArray[np.int64], flags: Flags) -> Floats:
    """Return the time since the last row with a flag, this row's included; NaN before the first."""
    if not len(times):
        return np.zeros(0)
    last = _last(flags)
    return np.where(flags[last], (times - times[last]).astype(np.float64), np.nan)


def ratio(above: Floats, below: Floats) -> Floats:
    """Return quotients; NaN where the divisor is zero or one is unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below != 0, above / below, np.nan)


def _last(flags: Flags) -> NDArray[np.int64]:
    """Return the last row with a flag; the first row before there is one."""
    rows = np.arange(len(flags))
    return np.maximum.accumulate(np.where(flags, rows, 0))
