"""An expert that repeats what a forecaster said, so that a mix is judged on forecasts as served."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.baselines import Stateless
from models.forecaster import Window
from models.inputs import read_baseline


class AsServed(Stateless):
    """Says again what was said on a row; it learns nothing.

    A mix of such experts weighs exactly the forecasts that were served, and no model has to run twice.

    Parameters
    ----------
    name
        The forecaster's.
    values
        ``float64[row]``: its forecasts; NaN where it made none, and the baseline's counts there.
    """

    def __init__(self, name: str, values: NDArray[np.float64]) -> None:
        self.name = name
        self._values = values

    def predict_one(self, window: Window) -> float:
        """Return the forecast of the window's last row, whose ``event_time`` is its place.

        Raises
        ------
        ModelError
            If there is none, and no baseline either.
        """
        value = float(self._values[window[-1].event_time])
        return read_baseline(window) if np.isnan(value) else value

    def fit(self, windows: Sequence[Window], labels: Sequence[float]) -> None:
        """Do nothing."""
