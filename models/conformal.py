"""Prediction intervals that keep their promise: conformal quantiles plus an adaptive level.

The errors that count are those of forecasts *as served*. Errors taken at learning time,
when the model has just seen more, flatter it, and the intervals become too narrow.
"""

from __future__ import annotations

from models.served_intervals import ServedIntervals


class AdaptiveConformal(ServedIntervals):
    """Adaptive conformal inference on relative errors.

    An interval is ``value * (1 ± q)``, where ``q`` is a quantile of the last relative errors.
    After each miss the level of the quantile rises, after each hit it falls a little, so that
    coverage in the long run is the nominal one, unless errors keep outgrowing all that are
    remembered: an interval is never wider than the widest of those.

    Parameters
    ----------
    nominal
        Coverage to aim at, between 0 and 1.
    gamma
        Step of the level.
    window
        Errors that are remembered.

    Raises
    ------
    ModelError
        If a parameter is out of range.

    References
    ----------
    Gibbs and Candes, "Adaptive Conformal Inference Under Distribution Shift" (2021).

    Examples
    --------
    >>> conformal = AdaptiveConformal(nominal=0.5)
    >>> conformal.interval(100.0)
    (100.0, 100.0)
    >>> conformal.update(100.0, 100.0, 100.0, label=110.0)
    >>> conformal.interval(100.0)
    (90.0, 110.0)
    """

    def __init__(self, nominal: float = 0.9, gamma: float = 0.02, window: int = 500) -> None:
        super().__init__(nominal, gamma, window)

    def interval(self, value: float) -> tuple[float, float]:
        """Return lower and upper bound for a forecast; changes nothing."""
        half = abs(value) * self._quantile()
        return value - half, value + half

    def _take(self, value: float, label: float) -> None:
        if value != 0:
            self._remember(abs(label - value) / abs(value))
