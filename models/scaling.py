"""Scale features online: exponentially weighted mean and variance per column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError

CLIP = 4.0
LARGEST = 1e150
"""A value further out is read as this far out, so that its square is a finite number."""


class OnlineScaler:
    """Standardises columns with statistics that follow the stream.

    Early on it is the plain running mean and variance; once ``half_life`` rows have passed,
    old rows fade. A column that never moved becomes zero, so a feature that nobody has seen
    yet has no influence. Results are clipped, so a feature that starts to move cannot shout.
    Statistics stay finite whatever finite rows come.

    Parameters
    ----------
    width
        Number of columns.
    half_life
        Rows after which a row counts half.

    Examples
    --------
    >>> scaler = OnlineScaler(1)
    >>> for value in (1.0, 3.0):
    ...     scaler.update(np.array([value]))
    >>> scaler.transform(np.array([[2.0], [3.0]])).tolist()
    [[0.0], [1.0]]
    """

    def __init__(self, width: int, half_life: float = 2000.0) -> None:
        self._step = 1 - 0.5 ** (1 / half_life)
        self._count = 0
        self._mean = np.zeros(width)
        self._variance = np.zeros(width)

    def update(self, row: NDArray[np.float64]) -> None:
        """Take in one row, ``float64[width]``."""
        self._count += 1
        step = max(1 / self._count, self._step)
        delta = _bounded(row) - self._mean
        self._mean = self._mean + step * delta
        self._variance = (1 - step) * (self._variance + step * delta * delta)

    def transform(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return standardised ``float64[..., width]`` within ±4; changes nothing."""
        mean, scale = self.parameters()
        return np.clip((_bounded(rows) - mean) * scale, -CLIP, CLIP)

    def parameters(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and scale, ``float64[width]`` each: results are ``(row - mean) * scale``, clipped."""
        # a variance within rounding of zero belongs to a column that never moved
        moved = self._variance > 1e-18 * (1 + self._mean * self._mean)
        return self._mean, np.where(moved, 1 / np.sqrt(np.where(moved, self._variance, 1.0)), 0.0)

    def state(self) -> dict[str, Any]:
        """Return count, means and variances."""
        return {"count": self._count, "mean": self._mean.copy(), "variance": self._variance.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`.

        Raises
        ------
        ModelError
            If the width differs, or a number is not finite.
        """
        if np.shape(state["mean"]) != self._mean.shape or np.shape(state["variance"]) != self._mean.shape:
            raise ModelError(
                f"the saved scaler has {np.shape(state['mean'])} columns, this one {self._mean.shape}; "
                "use the model with the features it was trained on"
            )
        if not (np.isfinite(state["mean"]).all() and np.isfinite(state["variance"]).all()):
            raise ModelError("the saved scaler holds a number that is not finite; save the model again")
        if np.min(state["variance"], initial=0.0) < 0 or int(state["count"]) < 0:
            raise ModelError("the saved scaler holds a negative count or variance; save the model again")
        self._count = int(state["count"])
        self._mean = np.array(state["mean"], dtype=np.float64)
        self._variance = np.array(state["variance"], dtype=np.float64)


def _bounded(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    # half the time of a clip, on the few numbers of a row
    return np.maximum(np.minimum(rows, LARGEST), -LARGEST)
