"""Exponentially weighted means, one step a block."""

from __future__ import annotations

import math

HALF_LIFE_CAP = 10_000.0
"""Longest half-life that is told, blocks: beyond it nothing returns."""


def step_of(half_life: float) -> float:
    """Return the weight of a new value.

    Examples
    --------
    >>> step_of(1)
    0.5
    """
    return float(1 - 0.5 ** (1 / half_life))


def follow(mean: float | None, value: float | None, step: float) -> float | None:
    """Return the mean after one more value; unknown values leave it as it is, the first one starts it."""
    if value is None:
        return mean
    return value if mean is None else mean + step * (value - mean)


def follow_all(
    means: tuple[float | None, ...], value: float | None, steps: tuple[float, ...]
) -> tuple[float | None, ...]:
    """Return several means of the same values after one more."""
    return tuple(follow(mean, value, step) for mean, step in zip(means, steps, strict=True))


def half_life_of(product: float | None, square: float | None) -> float | None:
    """Return after how many blocks half of a deviation is gone, from its autocovariance and its variance.

    The decay per block is their ratio: 0 if they say that a deviation turns round, the cap if it grows.

    Examples
    --------
    >>> half_life_of(0.5, 1.0)
    1.0
    """
    if product is None or square is None or square <= 0:
        return None
    decay = product / square
    if decay <= 0:
        return 0.0
    return HALF_LIFE_CAP if decay >= 1 else min(math.log(0.5) / math.log(decay), HALF_LIFE_CAP)
