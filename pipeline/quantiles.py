"""Nearest-rank quantiles."""

from __future__ import annotations

import math
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank quantile; 0.0 of nothing.

    Examples
    --------
    >>> quantile([3.0, 1.0, 2.0], 0.5), quantile(range(1, 101), 0.99), quantile([], 0.5)
    (2.0, 99, 0.0)
    """
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * share)) - 1]
