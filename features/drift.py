"""Tells when the distribution of a feature changes: two detectors each, every alarm with its reason.

ADWIN compares the means of every earlier and later part of what it has seen; Page-Hinkley follows the sum of
deviations from the running mean. Both see values in units of their own running spread, so that one
setting fits features of every unit. Features that wander, such as the base fee, alarm often by nature:
an alarm says that the past no longer looks like the present, not that something is broken.

References
----------
A. Bifet, R. Gavalda, Learning from Time-Changing Data with Adaptive Windowing, 2007.
E. S. Page, Continuous Inspection Schemes, 1954.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from river.drift import ADWIN, PageHinkley
from river.stats import Var

from core.reasons import Reason, Refusal
from features.feature import FeatureRow

GRACE = 100
"""Values that the spread is learned from before detectors see any."""
CLIP = 5.0
"""Spreads from the mean at which a value is cut off: a burst is no drift."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One alarm.

    Parameters
    ----------
    block_number, name
        When, and of which feature.
    detector
        ``adwin`` or ``page_hinkley``.
    refusal
        What changed, for people and logs.
    """

    block_number: int
    name: str
    detector: str
    refusal: Refusal


class _Watch:
    """Detectors of one feature."""

    def __init__(self, delta: float) -> None:
        self._spread = Var()
        self._adwin: Any = ADWIN(delta=delta)  # type: ignore[no-untyped-call]
        self._page_hinkley: Any = PageHinkley(min_instances=GRACE, delta=0.25, threshold=50.0)

    def update(self, value: float) -> tuple[list[str], float]:
        """Take in a value; return the detectors that alarm, and the value in spreads from the mean."""
        deviation = math.sqrt(self._spread.get())
        mean = self._spread.mean.get()
        distance = (value - mean) / deviation if deviation > 0 else 0.0
        distance = min(max(distance, -CLIP), CLIP)
        self._spread.update(value)
        if self._spread.mean.n <= GRACE:
            return [], distance
        self._adwin.update(distance)
        self._page_hinkley.update(distance)
        alarms = [("adwin", self._adwin), ("page_hinkley", self._page_hinkley)]
        found = [name for name, detector in alarms if detector.drift_detected]
        if found:
            # what is usual is learned anew
            self._spread = Var()
        return found, distance


class DriftMonitor:
    """Watches features of a stream of rows.

    Parameters
    ----------
    names
        Features to watch.
    delta
        ADWIN's bound on the probability of a false alarm.
    """

    def __init__(self, names: Iterable[str], delta: float = 0.0005) -> None:
        self._watches = {name: _Watch(delta) for name in names}

    def update(self, row: FeatureRow) -> tuple[Drift, ...]:
        """Take in the next row and return its alarms; unknown and non-finite values are passed over."""
        values = dict(zip(row.names, row.values, strict=True))
        found = []
        for name, watch in self._watches.items():
            value = values.get(name, math.nan)
            if name in row.missing or not math.isfinite(value):
                continue
            alarms, distance = watch.update(value)
            detail = f"{name} is {value:g}, {distance:+.1f} spreads from the mean before"
            refusal = Refusal(Reason.FEATURE_DRIFT, detail)
            found += [Drift(row.block_number, name, alarm, refusal) for alarm in alarms]
        return tuple(found)
