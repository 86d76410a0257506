"""A river logistic regression that corrects a baseline's probability, in microseconds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import linear_model, optim

from core.errors import ModelError
from features.schema import FeatureSchema
from models.forecaster import Window
from models.inputs import check_names, check_numbers, read_baseline, read_label, read_rows
from models.scaling import OnlineScaler

RATE = 0.01
EDGE = 0.005
"""Baselines are read as lying this far from 0 and 1, so that their log odds are finite."""

ODDS = "log odds of the baseline"


class RiverLogistic:
    """Forecasts the probability that a label is 1.

    river's online logistic regression on standardised features of the window's last row and on the log
    odds of the baseline, whose weight begins at one and all others at zero: a fresh one says what the
    baseline says.

    Parameters
    ----------
    schema
        Features it reads; rows also carry ``baseline``, a probability.
    """

    name = "river_logistic"

    def __init__(self, schema: FeatureSchema) -> None:
        self.schema = schema
        self._inputs = [*schema.names, ODDS]
        self._scaler = OnlineScaler(len(schema.names))
        self._model = linear_model.LogisticRegression(optimizer=optim.SGD(RATE), intercept_lr=RATE)
        self._model._weights[ODDS] = 1.0

    def predict_one(self, window: Window) -> float:
        """Return the probability; changes nothing.

        Raises
        ------
        ModelError
            If the window is empty, lacks a feature, or holds a number that is not finite.
        """
        inputs = self._input(self._row(window), window)
        return float(self._model.predict_proba_one(inputs)[True])  # type: ignore[no-untyped-call]

    def learn_one(self, window: Window, label: float) -> None:
        """Take one gradient step on the window's last row.

        Raises
        ------
        ModelError
            As :meth:`predict_one`, and if the label is neither 0 nor 1; nothing has changed then.
        """
        row = self._row(window)
        read_baseline(window)
        if read_label(label) not in (0.0, 1.0):
            raise ModelError(f"{self.name} learns from labels 0 and 1, got {label}; use it for probabilities")
        self._scaler.update(row)
        self._model.learn_one(self._input(row, window), label == 1.0)

    def _row(self, window: Window) -> NDArray[np.float64]:
        row: NDArray[np.float64] = read_rows(self.schema, window, 1)[0]
        return row

    def _input(self, row: NDArray[np.float64], window: Window) -> dict[str, float]:
        probability = min(max(read_baseline(window), EDGE), 1 - EDGE)
        odds = math.log(probability / (1 - probability))
        return dict(zip(self._inputs, [*self._scaler.transform(row).tolist(), odds], strict=True))

    def state(self) -> dict[str, Any]:
        """Return weights, scaler and counters as plain values."""
        return {
            "names": list(self.schema.names),
            "scaler": self._scaler.state(),
            "weights": {name: float(weight) for name, weight in self._model.weights.items()},
            "intercept": float(self._model.intercept),
            "steps": self._model.optimizer.n_iterations,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`; the next steps are identical.

        Raises
        ------
        ModelError
            If the state belongs to a model with other features, or is damaged.
        """
        try:
            check_names(state["names"], self.schema)
            weights = {str(name): float(weight) for name, weight in state["weights"].items()}
            if not weights.keys() <= set(self._inputs):
                raise ModelError("the saved weights do not belong to these features")
            intercept = float(state["intercept"])
            check_numbers(list(weights.values()), intercept)
            self._scaler.restore(state["scaler"])
            self._model._weights.clear()
            self._model._weights.update(weights)
            self._model.intercept = intercept
            self._model.optimizer.n_iterations = int(state["steps"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a {self.name}: {error}") from error
