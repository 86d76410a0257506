"""What conformal intervals share: served hits, an adaptive level, and a quantile of remembered scores.

What a score is, and how wide an interval is for a quantile of scores, is up to the kind of interval.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections import deque
from typing import Any, Self

import numpy as np

from core.errors import ModelError

FEWEST = 20
"""Scores needed before a quantile says anything; until then the widest score seen counts."""


class ServedIntervals(ABC):
    """Adaptive conformal inference on scores of intervals as they were served.

    After each miss the level of the quantile rises, after each hit it falls a little, so that coverage in
    the long run is the nominal one for any sequence on which a level of one is wide enough.

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
    """

    def __init__(self, nominal: float, gamma: float, window: int) -> None:
        if not (0 < nominal < 1 and 0 < gamma < 1 and window >= FEWEST):
            raise ModelError(
                f"nominal and gamma lie between 0 and 1 and window is at least {FEWEST}",
                nominal=nominal,
                gamma=gamma,
                window=window,
            )
        self.nominal = nominal
        self.gamma = gamma
        self.window = window
        self._level = nominal
        self._scores: deque[float] = deque(maxlen=window)
        self._sorted: list[float] = []
        self._hits: deque[bool] = deque(maxlen=window)
        self._count = 0

    @abstractmethod
    def interval(self, value: float) -> tuple[float, float]:
        """Return lower and upper bound for a forecast; changes nothing."""

    @abstractmethod
    def _take(self, value: float, label: float) -> None:
        """Learn from a forecast as served and its label; ``_count`` counts it already."""

    @property
    def count(self) -> int:
        """Intervals whose label has come."""
        return self._count

    @property
    def coverage(self) -> float:
        """Share of the last ``window`` served intervals that held their label; nan before any."""
        return sum(self._hits) / len(self._hits) if self._hits else math.nan

    def update(self, value: float, lower: float, upper: float, label: float) -> None:
        """Learn from an interval as it was served and the label that came later.

        Parameters
        ----------
        value, lower, upper
            Forecast and interval as served, in the target's unit.
        label
            What came, in the same unit.

        Raises
        ------
        ModelError
            If a number is not finite.
        """
        if not all(map(math.isfinite, (value, lower, upper, label))):
            raise ModelError("an interval and its label must be finite numbers", value=value, label=label)
        hit = lower <= label <= upper
        self._hits.append(hit)
        self._count += 1
        # beyond 0 and 1 the level keeps its memory, as the guarantee needs
        self._level += self.gamma * ((not hit) - (1 - self.nominal))
        self._take(value, label)

    def _remember(self, score: float) -> None:
        if len(self._scores) == self.window:
            del self._sorted[bisect_left(self._sorted, self._scores[0])]
        self._scores.append(score)
        insort(self._sorted, score)

    def _quantile(self) -> float:
        count = len(self._sorted)
        if not count:
            return 0.0
        if count < FEWEST or self._level >= 1:
            return self._sorted[-1]
        # the finite-sample rank of split conformal prediction
        rank = math.ceil((count + 1) * max(self._level, 0.0))
        return self._sorted[min(max(rank, 1), count) - 1]

    def copy(self) -> Self:
        """Return another one that stands where this one stands; they learn apart."""
        other = type(self)(self.nominal, self.gamma, self.window)
        other._level, other._count = self._level, self._count
        other._scores, other._sorted, other._hits = (
            self._scores.copy(),
            self._sorted.copy(),
            self._hits.copy(),
        )
        return other

    def state(self) -> dict[str, Any]:
        """Return level, scores and hits as plain values and arrays."""
        return {
            "nominal": self.nominal,
            "gamma": self.gamma,
            "window": self.window,
            "level": self._level,
            "count": self._count,
            "errors": np.array(self._scores, dtype=np.float64),
            "hits": np.array(self._hits, dtype=np.bool_),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`.

        Raises
        ------
        ModelError
            If it was made with other parameters, or is damaged.
        """
        try:
            theirs = (state["nominal"], state["gamma"], state["window"])
            if theirs != (self.nominal, self.gamma, self.window):
                raise ModelError("the saved intervals have other parameters; build them alike", saved=theirs)
            level, count = float(state["level"]), int(state["count"])
            scores, hits = list(map(float, state["errors"])), list(map(bool, state["hits"]))
            if not all(map(math.isfinite, (level, *scores))):
                raise ModelError("the saved intervals hold a number that is not finite; save the model again")
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of conformal intervals: {error}") from error
        self._level, self._count = level, count
        self._scores = deque(scores, maxlen=self.window)
        self._sorted = sorted(self._scores)
        self._hits = deque(hits, maxlen=self.window)
