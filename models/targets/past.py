"""What a row may know of the rows before it; every function here looks back only.

Row ``i`` of a result depends on rows up to ``i`` and on nothing after them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def lag(values: Floats, rows: int) -> Floats:
    """Return what was ``rows`` rows ago; the first value where there was nothing.

    Examples
    --------
    >>> lag(np.array([1.0, 2.0, 3.0]), 1).tolist()
    [1.0, 1.0, 2.0]
    """
    return values[np.maximum(np.arange(len(values)) - rows, 0)]


def ew_mean(values: Floats, half_life: float) -> Floats:
    """Return exponentially weighted means; a value counts half after ``half_life`` rows."""
    return pd.Series(values).ewm(halflife=half_life).mean().to_numpy(np.float64)


def rolling_mean(values: Floats, rows: int) -> Floats:
    """Return means of the last ``rows`` values, of fewer at the start."""
    return pd.Series(values).rolling(rows, min_periods=1).mean().to_numpy(np.float64)


def rolling_median(values: Floats, rows: int) -> Floats:
    """Return medians of the last ``rows`` values, of fewer at the start.

    Examples
    --------
    >>> rolling_median(np.array([5.0, 1.0, 3.0, 9.0]), 3).tolist()
    [5.0, 3.0, 3.0, 3.0]
    """
    return pd.Series(values).rolling(rows, min_periods=1).median().to_numpy(np.float64)


def rolling_deviation(values: Floats, rows: int) -> Floats:
    """Return standard deviations of the last ``rows`` values; 0 in the first row."""
    deviation = pd.Series(values).rolling(rows, min_periods=2).std()
    return deviation.fillna(0.0).to_numpy(np.float64)


def carried(values: Floats, null: float) -> Floats:
    """Return the last value that was a number; ``null`` before the first.

    Examples
    --------
    >>> carried(np.array([np.nan, 2.0, np.nan]), 0.0).tolist()
    [0.0, 2.0, 2.0]
    """
    return np.asarray(pd.Series(values).ffill().fillna(null), dtype=np.float64)


def ahead(values: Floats, rows: int) -> Floats:
    """Return what comes ``rows`` rows later, for labels alone; NaN where the recording ends.

    Examples
    --------
    >>> ahead(np.array([1.0, 2.0, 3.0]), 2).tolist()
    [3.0, nan, nan]
    """
    later = np.full(len(values), np.nan)
    later[: max(len(values) - rows, 0)] = values[rows:]
    return later


def seen_by(known: Integers, issued: Integers) -> Integers:
    """Return how many labels were known at each issue, where ``known`` ascends.

    Examples
    --------
    >>> seen_by(np.array([3, 4, 9]), np.array([1, 4, 8])).tolist()
    [0, 2, 2]
    """
    return np.searchsorted(known, issued, side="right").astype(np.int64)
