"""Means and ratios of means with intervals: resampled ones, and one that holds at any sample size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError

Floats = NDArray[np.float64]

RESAMPLES = 1000

_CHUNK = 2_000_000
"""Numbers drawn at once."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with an interval."""

    value: float
    lower: float
    upper: float

    def holds(self, truth: float) -> bool:
        """Whether the interval holds a number."""
        return self.lower <= truth <= self.upper


def ratio_interval(
    above: Floats, below: Floats, random: np.random.Generator, *, length: int = 1, level: float = 0.95
) -> Estimate:
    """Return ``sum(above) / sum(below)`` with a moving-block bootstrap interval.

    Parameters
    ----------
    above, below
        ``float64[row]``; with ones below it is the mean.
    random
        Draws the blocks.
    length
        Rows a block has.
    level
        Share of resampled ratios inside the interval.

    Raises
    ------
    ModelError
        If there are no rows, or fewer than a block has.
    """
    count = len(above)
    if not 1 <= length <= count:
        raise ModelError("an interval needs a block of rows, and blocks no longer than they are", count=count)
    blocks = -(-count // length)
    tops, bottoms = _block_sums(above, length), _block_sums(below, length)
    ratios = []
    for drawn in _parts(RESAMPLES, blocks):
        starts = random.integers(0, len(tops), (drawn, blocks))
        top, bottom = tops.take(starts).sum(axis=1), bottoms.take(starts).sum(axis=1)
        ratios.append(top / np.where(bottom > 0, bottom, math.inf))
    lower, upper = np.quantile(np.concatenate(ratios), ((1 - level) / 2, (1 + level) / 2))
    return Estimate(float(above.sum() / below.sum()), float(lower), float(upper))


def bernstein_interval(terms: Floats, widest: float, *, level: float = 0.95) -> Estimate:
    """Return the mean of independent terms with an interval that holds at any sample size.

    Parameters
    ----------
    terms
        ``float64[row]``, each in [0, ``widest``].
    widest
        The largest value that a term could have had.
    level
        Coverage, at least.

    References
    ----------
    Maurer and Pontil, "Empirical Bernstein Bounds and Sample Variance Penalization" (2009), theorem 4.

    Examples
    --------
    >>> bernstein_interval(np.full(1000, 0.5), 1.0)
    Estimate(value=0.5, lower=0.4897650362219829, upper=0.510234963778017)
    """
    count, value = len(terms), float(terms.mean())
    if count < 2:
        return Estimate(value, 0.0, widest)
    # each side gets half of what may fail
    confidence = math.log(4 / (1 - level))
    spread = math.sqrt(2 * float(terms.var(ddof=1)) * confidence / count)
    half = spread + 7 * widest * confidence / (3 * (count - 1))
    return Estimate(value, max(value - half, 0.0), min(value + half, widest))


def _block_sums(values: Floats, length: int) -> Floats:
    total = np.concatenate([[0.0], np.cumsum(values)])
    sums: Floats = total[length:] - total[:-length]
    return sums


def _parts(total: int, size: int) -> list[int]:
    """Split draws of ``size`` numbers each, so that few are in memory at once."""
    most = max(1, _CHUNK // size)
    return [min(most, total - start) for start in range(0, total, most)]
