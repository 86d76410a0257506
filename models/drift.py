"""Notice that a model's own error has changed, and let it learn faster for a while."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from core.errors import ModelError
from core.reasons import Reason, Refusal

FADE = 1 - 1e-4
FEWEST = 30
CALM_STEPS = 100.0
"""The learning rate falls from first to last as ``1 / (1 + steps since drift / CALM_STEPS)``."""


@dataclass(slots=True)
class _Sums:
    count: int = 0
    mean: float = 0.0
    rise: float = 0.0
    lowest: float = math.inf


class PageHinkley:
    """Says when the mean of a stream has risen.

    It adds up by how much values exceed their mean so far plus ``slack``; when that sum has climbed by
    more than ``threshold`` above its lowest point, the mean has risen, and it begins anew with the next
    value.

    Parameters
    ----------
    slack
        Rise that is tolerated, in the unit of the values.
    threshold
        Climb that raises the alarm, in the same unit.

    References
    ----------
    Page, "Continuous Inspection Schemes" (Biometrika, 1954).

    Examples
    --------
    >>> detector = PageHinkley(slack=0.1, threshold=5.0)
    >>> [step for step in range(200) if detector.update(1.0 if step < 100 else 3.0)]
    [102]
    """

    def __init__(self, slack: float, threshold: float) -> None:
        self.slack = slack
        self.threshold = threshold
        self._sums = _Sums()
        self._alarmed = False

    @property
    def mean(self) -> float:
        """Mean of the values since the last alarm."""
        return self._sums.mean

    def update(self, value: float) -> bool:
        """Take in a value and return whether the mean has risen."""
        if self._alarmed:
            self._sums = _Sums()
        sums = self._sums
        sums.count += 1
        sums.mean += (value - sums.mean) / sums.count
        sums.rise = FADE * sums.rise + value - sums.mean - self.slack
        sums.lowest = min(sums.lowest, sums.rise)
        self._alarmed = sums.count >= FEWEST and sums.rise - sums.lowest > self.threshold
        return self._alarmed

    def state(self) -> dict[str, Any]:
        """Return the sums."""
        sums = self._sums
        return {
            "count": sums.count,
            "mean": sums.mean,
            "rise": sums.rise,
            "lowest": sums.lowest if sums.count else 0.0,
            "alarmed": self._alarmed,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`. Raises ``ModelError`` if a number is not finite."""
        numbers = [float(state[key]) for key in ("mean", "rise", "lowest")]
        if not all(map(math.isfinite, numbers)):
            raise ModelError(
                "the saved drift detector holds a number that is not finite; save the model again"
            )
        count = int(state["count"])
        self._sums = _Sums(count, numbers[0], numbers[1], numbers[2] if count else math.inf)
        self._alarmed = bool(state["alarmed"])


class DriftRate:
    """A learning rate that falls while errors are calm and starts high again when they have risen.

    Parameters
    ----------
    first, last
        Highest and lowest rate.
    """

    def __init__(self, first: float, last: float) -> None:
        self.first = first
        self.last = last
        self.alarms = 0
        self.reason: Refusal | None = None
        self._calm = 0
        self._detector = PageHinkley(slack=0.1, threshold=15.0)

    @property
    def rate(self) -> float:
        """The learning rate now."""
        return max(self.last, self.first / (1 + self._calm / CALM_STEPS))

    def settle(self) -> None:
        """Begin at the lowest rate: the model was trained on history."""
        self._calm = math.ceil(CALM_STEPS * (self.first / self.last - 1))

    def update(self, error: float) -> None:
        """Take in the absolute error of a forecast, in units of the usual one."""
        self._calm += 1
        if self._detector.update(error):
            self.alarms += 1
            self._calm = 0
            self.reason = Refusal(
                Reason.ERROR_DRIFT, f"the error has risen above its mean of {self._detector.mean:.3g} units"
            )

    def state(self) -> dict[str, Any]:
        """Return counters, last reason and the detector."""
        return {
            "calm": self._calm,
            "alarms": self.alarms,
            "detail": "" if self.reason is None else self.reason.detail,
            "detector": self._detector.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`. Raises ``ModelError`` if a number is not finite."""
        self._detector.restore(state["detector"])
        self._calm, self.alarms = int(state["calm"]), int(state["alarms"])
        self.reason = Refusal(Reason.ERROR_DRIFT, str(state["detail"])) if state["detail"] else None
