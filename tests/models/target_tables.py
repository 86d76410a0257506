"""Small targets whose truth is known, for tests of what judges forecasts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.forecaster import Window
from models.targets.table import Kind, TargetTable


def number_table(count: int = 300, *, delay: int = 3, first_judged: int = 100, seed: int = 1) -> TargetTable:
    """Return a target that is its feature plus noise; its baselines are zero and half the feature."""
    random = np.random.default_rng(seed)
    signal = random.normal(0, 1, count)
    label = signal + random.normal(0, 0.5, count)
    baselines = {"zero": np.zeros(count), "half": signal / 2}
    return make_table(Kind.NUMBER, signal, label, baselines, delay, first_judged)


def probability_table(count: int = 300, *, delay: int = 3, first_judged: int = 100) -> TargetTable:
    """Return coins whose chance of heads is the feature; the baseline says nine in ten."""
    random = np.random.default_rng(2)
    chance = random.uniform(0, 1, count)
    label = (random.uniform(0, 1, count) < chance).astype(np.float64)
    return make_table(
        Kind.PROBABILITY, chance, label, {"always_90": np.full(count, 0.9)}, delay, first_judged
    )


def make_table(
    kind: Kind,
    feature: NDArray[np.float64],
    label: NDArray[np.float64],
    baselines: dict[str, NDArray[np.float64]],
    delay: int,
    first_judged: int,
) -> TargetTable:
    issued = 10 * np.arange(len(label), dtype=np.int64)
    return TargetTable(
        name=f"a_{kind.value}",
        unit="units",
        horizon=f"{delay} rows",
        kind=kind,
        names=("feature",),
        values=feature[:, None],
        label=label,
        issued=issued,
        known=issued + 10 * delay,
        baselines=baselines,
        first_judged=first_judged,
        source="made up",
    )


class Knows:
    """Forecasts from a list, by the position of the window's last row; notes what it is taught, and when."""

    def __init__(self, forecasts: dict[int, float], name: str = "knows") -> None:
        self.name = name
        self._forecasts = forecasts
        self.calls: list[tuple[str, int]] = []

    def predict_one(self, window: Window) -> float:
        self.calls.append(("predict", window[-1].block_number))
        return self._forecasts[window[-1].block_number]

    def learn_one(self, window: Window, label: float) -> None:
        self.calls.append(("learn", window[-1].block_number))

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""


class MeanOfLabels:
    """Forecasts the mean label seen, so that any label that reaches it shows in its forecasts."""

    name = "mean_of_labels"

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0

    def predict_one(self, window: Window) -> float:
        return self._sum / self._count if self._count else 0.0

    def learn_one(self, window: Window, label: float) -> None:
        self._sum += label
        self._count += 1

    def state(self) -> dict[str, Any]:
        return {"sum": self._sum, "count": self._count}

    def restore(self, state: dict[str, Any]) -> None:
        self._sum, self._count = state["sum"], state["count"]
