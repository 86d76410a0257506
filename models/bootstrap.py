"""How sure a skill is: intervals that respect that neighbouring errors are alike.

Losses of consecutive forecasts are not independent, so rows are drawn in blocks. An interval
from single rows would be too narrow, and would call luck a skill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Skill:
    """``1 - loss / loss of the baseline`` with an interval.

    Parameters
    ----------
    value, lower, upper
        The skill and its bounds; ``-inf`` where the baseline is perfect and the forecaster is not.
    """

    value: float
    lower: float
    upper: float

    @property
    def clear(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.lower > 0


def block_length(count: int, overlap: int) -> int:
    """Return how many consecutive rows are drawn together.

    The square root of the number of rows, which is longer than the cube root that is optimal for
    weakly dependent series, and at least twice the rows whose labels overlap.

    Examples
    --------
    >>> block_length(10_000, 5), block_length(100, 8), block_length(4, 50)
    (100, 16, 4)
    """
    return max(1, min(count, max(math.isqrt(count), 2 * overlap)))


def bootstrap_skill(
    loss: NDArray[np.float64],
    baseline_loss: NDArray[np.float64],
    random: np.random.Generator,
    *,
    length: int,
    level: float = 0.95,
) -> Skill:
    """Return the skill of paired losses with a moving-block bootstrap interval.

    Parameters
    ----------
    loss, baseline_loss
        ``float64[row]``: losses of both on the same rows, not negative.
    random
        Draws the blocks.
    length
        Rows a block has, see :func:`block_length`.
    level
        Share of resampled skills inside the interval.

    Raises
    ------
    ModelError
        If the losses differ in length, are none, or are not finite.

    References
    ----------
    Künsch, "The Jackknife and the Bootstrap for General Stationary Observations" (1989).

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> bootstrap_skill(np.ones(50), np.full(50, 2.0), random, length=5)
    Skill(value=0.5, lower=0.5, upper=0.5)
    """
    count = len(loss)
    if count != len(baseline_loss) or not count or not 1 <= length <= count:
        raise ModelError(
            "a bootstrap needs as many losses of both, and blocks no longer than they are", count=count
        )
    if not (np.isfinite(loss).all() and np.isfinite(baseline_loss).all()):
        raise ModelError("a loss is not finite; judge rows with a label only")
    blocks = -(-count // length)
    starts = random.integers(0, count - length + 1, (RESAMPLES, blocks))
    skills = skill_of(_sums(loss, starts, length), _sums(baseline_loss, starts, length))
    edge = (1 - level) / 2
    # an order statistic, not an interpolation: a perfect baseline makes some of them infinite
    lower, upper = np.quantile(skills, (edge, 1 - edge), method="inverted_cdf")
    return Skill(float(skill_of(loss.sum(), baseline_loss.sum())), float(lower), float(upper))


def skill_of(
    loss: NDArray[np.float64] | float, baseline_loss: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Return ``1 - loss / baseline_loss``; a perfect baseline can only be matched."""
    loss, baseline_loss = np.asarray(loss, dtype=np.float64), np.asarray(baseline_loss, dtype=np.float64)
    perfect = baseline_loss <= 0
    ratio = loss / np.where(perfect, 1.0, baseline_loss)
    return np.where(perfect, np.where(loss > 0, -np.inf, 0.0), 1 - ratio)


def _sums(loss: NDArray[np.float64], starts: NDArray[np.int64], length: int) -> NDArray[np.float64]:
    total = np.concatenate(([0.0], np.cumsum(loss)))
    sums: NDArray[np.float64] = (total[starts + length] - total[starts]).sum(axis=1)
    return sums
