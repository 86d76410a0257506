"""Prediction intervals in units of how wrong forecasts have been lately."""

from __future__ import annotations

import math
from typing import Any, Self

from core.errors import ModelError
from models.served_intervals import ServedIntervals

HALF_LIFE = 10.0
"""Labels after which an error counts half in the scale."""


class ScaledConformal(ServedIntervals):
    """Adaptive conformal inference on errors divided by their recent size.

    An interval is ``value ± q * scale``: ``scale`` is the exponentially weighted mean absolute error of
    forecasts as served, and ``q`` a quantile of the last errors, each divided by the scale when its
    label came. It suits targets that pass through zero, and widens as soon as errors grow. After each
    miss the level of the quantile rises, after each hit it falls a little, so that coverage in the long
    run is the nominal one for any sequence; a level above one stretches the widest score.

    Parameters
    ----------
    nominal
        Coverage to aim at, between 0 and 1.
    gamma
        Step of the level.
    window
        Scores that are remembered.

    Raises
    ------
    ModelError
        If a parameter is out of range.

    References
    ----------
    Gibbs and Candes, "Adaptive Conformal Inference Under Distribution Shift" (2021).

    Examples
    --------
    >>> conformal = ScaledConformal(nominal=0.5)
    >>> conformal.update(0.0, 0.0, 0.0, label=3.0)
    >>> conformal.interval(100.0)
    (97.0, 103.0)
    """

    def __init__(self, nominal: float = 0.9, gamma: float = 0.04, window: int = 500) -> None:
        super().__init__(nominal, gamma, window)
        self._fade = 0.5 ** (1 / HALF_LIFE)
        self._scale = 0.0

    def interval(self, value: float) -> tuple[float, float]:
        """Return lower and upper bound for a forecast; changes nothing."""
        half = self._quantile() * self._scale
        return value - half, value + half

    def _take(self, value: float, label: float) -> None:
        error = abs(label - value)
        # the scale as it is now, not as it was served: intervals of equal coverage come out narrower
        scale = self._scale or error
        if scale > 0:
            self._remember(error / scale)
        step = max(1 / self._count, 1 - self._fade)
        self._scale += step * (error - self._scale)

    def _quantile(self) -> float:
        """Return the quantile; a level above one stretches the widest score."""
        return super()._quantile() * max(self._level, 1.0)

    def copy(self) -> Self:
        """Return another one that stands where this one stands; they learn apart."""
        other = super().copy()
        other._scale = self._scale
        return other

    def state(self) -> dict[str, Any]:
        """Return level, scale, scores and hits as plain values and arrays."""
        return {**super().state(), "scale": self._scale}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`.

        Raises
        ------
        ModelError
            If it was made with other parameters, or is damaged.
        """
        try:
            scale = float(state["scale"])
            smallest = min((scale, *map(float, state["errors"])))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of conformal intervals: {error}") from error
        if not (math.isfinite(scale) and smallest >= 0):
            raise ModelError("the saved intervals hold a number that is no size; save the model again")
        super().restore(state)
        self._scale = scale
