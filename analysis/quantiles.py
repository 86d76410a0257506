"""Quantiles as ``summary.json`` has them, so that one latency is one number wherever it is shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def nearest_rank(values: Sequence[float], *shares: float) -> tuple[float, ...]:
    """Return a quantile for each share: the smallest value that so many of the values do not exceed.

    Examples
    --------
    >>> nearest_rank([3.0, 1.0, 2.0, 10.0], 0.5, 0.99)
    (2.0, 10.0)
    """
    found = np.quantile(np.asarray(values, dtype=float), shares, method="inverted_cdf")
    return tuple(float(value) for value in found)
