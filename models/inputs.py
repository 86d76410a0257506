"""What every model does with its input: read the window, refuse what is no number, measure the rest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from features.schema import FeatureSchema
from models.forecaster import Window

BASELINE = "baseline"
"""Feature that holds the hardest baseline's forecast, in the label's unit."""

HALF_LIFE = 500.0
"""Labels after which an error counts half in the unit of residuals."""


def read_rows(schema: FeatureSchema, window: Window, count: int) -> NDArray[np.float64]:
    """Return the last ``count`` rows of a window as ``float64[count, feature]``.

    Raises
    ------
    ModelError
        If the window is too short, lacks a feature, or holds a number that is not finite.
    """
    if len(window) < count:
        raise ModelError(f"the model reads {count} rows, got {len(window)}", needed=count, got=len(window))
    rows = schema.matrix(window[-count:])
    if not np.isfinite(rows).all():
        raise ModelError(
            f"the window that ends with block {window[-1].block_number} holds a number that is not finite; "
            "fill unknown values with their nulls",
            block=window[-1].block_number,
        )
    return rows


def read_baseline(window: Window) -> float:
    """Return what the baseline says about the label of the window's last row, in the label's unit.

    Raises
    ------
    ModelError
        If the window is empty, or its last row has no finite ``baseline``.
    """
    try:
        value = window[-1][BASELINE]
    except (ValueError, IndexError):
        raise ModelError(f"rows lack the feature {BASELINE}", missing=[BASELINE]) from None
    return read_label(value)


def read_label(label: float) -> float:
    """Return the label.

    Raises
    ------
    ModelError
        If it is not finite.
    """
    if not math.isfinite(label):
        raise ModelError(
            f"a label must be a finite number, got {label}; one that never comes is not learned from"
        )
    return float(label)


class ResidualUnit:
    """How far labels lie from the baseline: the unit of a model's output, and its bound.

    Examples
    --------
    >>> unit = ResidualUnit()
    >>> unit.update(-2.0)
    >>> unit.size, unit.residual(0.5), unit.residual(9.0)
    (2.0, 1.0, 2.0)
    """

    def __init__(self) -> None:
        self._step = 1 - 0.5 ** (1 / HALF_LIFE)
        self._count = 0
        self.size = 0.0
        self._limit = 0.0

    def update(self, residual: float) -> None:
        """Take in a label minus its baseline, in the label's unit."""
        self._count += 1
        self.size += max(1 / self._count, self._step) * (abs(residual) - self.size)
        self._limit = max(self._limit, abs(residual))

    def residual(self, output: float) -> float:
        """Return a model's output in the label's unit, no larger than any residual seen."""
        return min(max(output * self.size, -self._limit), self._limit)

    def state(self) -> dict[str, Any]:
        """Return count, unit and bound."""
        return {"count": self._count, "size": self.size, "limit": self._limit}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`. Raises ``ModelError`` if a number is not finite."""
        count, size, limit = int(state["count"]), float(state["size"]), float(state["limit"])
        if count < 0 or not all(math.isfinite(number) and number >= 0 for number in (size, limit)):
            raise ModelError("the saved unit of residuals is no size; save the model again")
        self._count, self.size, self._limit = count, size, limit


def check_names(names: Any, schema: FeatureSchema) -> None:
    """Refuse a state of a model that reads other features. Raises ``ModelError``."""
    if list(names) != list(schema.names):
        raise ModelError("the saved model reads other features; build it alike", names=list(names))


def check_numbers(*arrays: Any) -> None:
    """Refuse a state that holds a number that is not finite. Raises ``ModelError``."""
    if not all(np.isfinite(np.asarray(array, dtype=np.float64)).all() for array in arrays):
        raise ModelError("the saved model holds a number that is not finite; save the model again")
