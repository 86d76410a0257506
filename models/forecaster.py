"""The seam every model fits: predict on a window of rows, learn later from its label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from features.feature import FeatureRow

Window = tuple[FeatureRow, ...]
"""Consecutive rows, oldest first; the last one is the row the forecast is issued on."""


class Forecaster(Protocol):
    """An online forecaster of one number.

    ``predict_one`` is pure: it never changes the model. ``learn_one`` gets the very window
    that was predicted on, when its label has become known. Windows travel with the call, so
    a served replica holds no state but the model.
    """

    @property
    def name(self) -> str:
        """Short name used in tables, metrics and the registry."""
        ...

    def predict_one(self, window: Window) -> float:
        """Return the forecast for the label of ``window[-1]``, in the label's unit."""
        ...

    def learn_one(self, window: Window, label: float) -> None:
        """Update with the label of a window seen earlier."""
        ...

    def state(self) -> dict[str, Any]:
        """Return everything needed to go on exactly: weights, optimiser, RNG, scalers, buffers."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`; the next steps are identical. Raises ``ModelError``."""
        ...


@dataclass(frozen=True, slots=True)
class Forecast:
    """One number about the future, with its interval and a baseline beside it.

    Parameters
    ----------
    target
        What is forecast, with unit, for example ``base_fee_gwei``.
    issued_block, horizon_blocks
        Issued with the state of ``issued_block``, about ``issued_block + horizon_blocks``.
    value, lower, upper
        Point and interval, in the target's unit.
    nominal
        Coverage the interval aims at, for example 0.9.
    model_version
        Registry version, or name of the fallback.
    baseline, baseline_value
        Best cheap baseline and what it says.
    """

    target: str
    issued_block: int
    horizon_blocks: int
    value: float
    lower: float
    upper: float
    nominal: float
    model_version: str
    baseline: str
    baseline_value: float
