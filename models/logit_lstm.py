"""An online LSTM that corrects a baseline's probability in log odds."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import ModelError
from models.forecaster import Window
from models.inputs import read_baseline, read_label, read_rows
from models.online_lstm import OnlineLSTM

EDGE = 0.005
"""Baselines are read as lying this far from 0 and 1, so that their log odds are finite."""

FARTHEST = 4.0
"""Log odds by which it may differ from the baseline."""


class LogitLSTM(OnlineLSTM):
    """Forecasts the probability that a label is 1: the baseline's log odds plus a learned correction.

    A fresh one says what the baseline says. It learns down the log loss.

    Parameters
    ----------
    schema, randomness, window, hidden, rate, device
        As of :class:`OnlineLSTM`.
    """

    name = "logit_lstm"
    outputs = 1

    def predict_one(self, window: Window) -> float:
        """Return the probability; changes nothing.

        Raises
        ------
        ModelError
            If the window is too short, lacks a feature, or holds a number that is not finite.
        """
        rows = read_rows(self.schema, window, self.window)
        return self._probability(rows, _read_probability(window))

    def _probability(self, rows: NDArray[np.float64], base: float) -> float:
        correction = min(max(float(self._kernel.outputs(rows)[0]), -FARTHEST), FARTHEST)
        odds = base / (1 - base) * math.exp(correction)
        return odds / (1 + odds)

    def _residual(self, window: Window, label: float) -> float:
        base = _read_probability(window)
        if read_label(label) not in (0.0, 1.0):
            raise ModelError(f"{self.name} learns from labels 0 and 1, got {label}; use it for probabilities")
        return label - base

    def _error(self, rows: NDArray[np.float64], residual: float) -> float:
        label = float(residual > 0)
        # a coin's usual error is one half
        return 2 * abs(label - self._probability(rows, label - residual))

    def _loss(self, outputs: torch.Tensor, residuals: NDArray[np.float64]) -> torch.Tensor:
        # the baseline lies inside 0 and 1, so the sign of a residual is its label
        labels = (residuals > 0).astype(np.float64)
        base = labels - residuals
        odds = torch.from_numpy(np.log(base / (1 - base)).astype(np.float32)).to(self._device)
        truths = torch.from_numpy(labels.astype(np.float32)).to(self._device)
        return torch.nn.functional.binary_cross_entropy_with_logits(odds + outputs[:, 0], truths)


def _read_probability(window: Window) -> float:
    return min(max(read_baseline(window), EDGE), 1 - EDGE)
