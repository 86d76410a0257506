"""An online LSTM that forecasts several quantiles of what the best cheap baseline gets wrong."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from core.seams import Randomness
from features.schema import FeatureSchema
from models.forecaster import Window
from models.inputs import read_baseline, read_label, read_rows
from models.online_lstm import FIRST_RATE, OnlineLSTM

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MEDIAN = QUANTILES.index(0.5)


class QuantileLSTM(OnlineLSTM):
    """Forecasts the baseline plus a learned residual, as :data:`QUANTILES` of it.

    A fresh one says what the baseline says. It learns down the pinball loss; residuals are learned in units
    of their own size and forecast no larger than any that was seen.

    Parameters
    ----------
    schema, randomness, window, hidden, rate, device
        As of :class:`OnlineLSTM`.
    """

    name = "quantile_lstm"
    outputs = len(QUANTILES)

    def __init__(
        self,
        schema: FeatureSchema,
        randomness: Randomness,
        *,
        window: int = 16,
        hidden: int = 32,
        rate: float = FIRST_RATE,
        device: str = "cpu",
    ) -> None:
        super().__init__(schema, randomness, window=window, hidden=hidden, rate=rate, device=device)
        self._levels = torch.tensor(QUANTILES, device=device)

    def predict_one(self, window: Window) -> float:
        """Return the median forecast, in the label's unit; changes nothing.

        Raises
        ------
        ModelError
            If the window is too short, lacks a feature, or holds a number that is not finite.
        """
        return self.predict_quantiles(window)[MEDIAN]

    def predict_quantiles(self, window: Window) -> tuple[float, ...]:
        """Return the forecast of each of :data:`QUANTILES`, ascending; changes nothing.

        Raises
        ------
        ModelError
            As :meth:`predict_one`.
        """
        rows = read_rows(self.schema, window, self.window)
        base = read_baseline(window)
        return tuple(base + self._unit.residual(one) for one in sorted(self._kernel.outputs(rows).tolist()))

    def _residual(self, window: Window, label: float) -> float:
        return read_label(label) - read_baseline(window)

    def _error(self, rows: NDArray[np.float64], residual: float) -> float:
        forecast = float(np.sort(self._kernel.outputs(rows))[MEDIAN])
        return abs(residual / self._unit.size - forecast)

    def _loss(self, outputs: torch.Tensor, residuals: NDArray[np.float64]) -> torch.Tensor:
        targets = torch.from_numpy((residuals / self._unit.size).astype(np.float32)).to(self._device)
        short = targets[:, None] - outputs
        return torch.maximum(self._levels * short, (self._levels - 1) * short).mean()
