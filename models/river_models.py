"""A river regression that learns what the exact formula does not know, in microseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import linear_model, optim

from core.errors import ModelError
from features.schema import FeatureSchema
from models import residual
from models.forecaster import Window
from models.inputs import check_names, check_numbers
from models.scaling import OnlineScaler

RATE = 5e-4
KNOTS = (-1.0, 0.0, 1.0)
"""Where each standardised feature may bend."""

_BENDS = np.array(KNOTS)[:, None]
_AT_ZERO = np.maximum(-_BENDS, 0.0)
"""Hinges of a feature of zero, which are taken off, so that it has no influence."""


class RiverResidual:
    """Piecewise linear median regression on the window's last row.

    river's online linear regression with the absolute-error loss, on standardised features
    and hinges of them. It forecasts the exact formula times a learned correction and never
    strays further from it than labels have been seen to. Trees of river were measured on the
    recorded day and were both slower and worse.

    Parameters
    ----------
    schema
        Features it reads.
    """

    name = "river_residual"

    def __init__(self, schema: FeatureSchema) -> None:
        self.schema = schema
        self._scaler = OnlineScaler(len(schema.names))
        self._inputs = [f"{name}>{knot:g}" for knot in KNOTS for name in schema.names]
        self._inputs = [*schema.names, *self._inputs]
        self._model = linear_model.LinearRegression(
            optimizer=optim.SGD(RATE), loss=optim.losses.Quantile(0.5), intercept_lr=RATE
        )
        self._limit = 0.0

    def predict_one(self, window: Window) -> float:
        """Return the forecast in gwei; changes nothing.

        Raises
        ------
        ModelError
            If the window is empty or lacks a feature.
        """
        output: float = self._model.predict_one(  # type: ignore[no-untyped-call]
            self._expand(self.schema.matrix(window[-1:])[0])
        )
        return residual.forecast(window, output, self._limit)

    def learn_one(self, window: Window, label: float) -> None:
        """Take one gradient step on the window's last row."""
        target = residual.target(window, label)
        if target is None:
            return
        row = self.schema.matrix(window[-1:])[0]
        self._scaler.update(row)
        self._model.learn_one(self._expand(row), target)
        self._limit = max(self._limit, abs(target))

    def fit(self, windows: Sequence[Window], labels: Sequence[float]) -> None:
        """Learn from history in its order."""
        for window, label in zip(windows, labels, strict=True):
            self.learn_one(window, label)

    def _expand(self, row: NDArray[np.float64]) -> dict[str, float]:
        scaled = self._scaler.transform(row)
        hinges = np.maximum(scaled - _BENDS, 0.0) - _AT_ZERO
        return dict(zip(self._inputs, [*scaled.tolist(), *hinges.ravel().tolist()], strict=True))

    def state(self) -> dict[str, Any]:
        """Return weights, scaler and counters as plain values."""
        return {
            "names": list(self.schema.names),
            "scaler": self._scaler.state(),
            "weights": {name: float(weight) for name, weight in self._model.weights.items()},
            "intercept": float(self._model.intercept),
            "steps": self._model.optimizer.n_iterations,
            "limit": self._limit,
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
            if weights and list(weights) != self._inputs:
                raise ModelError("the saved weights do not belong to these features")
            intercept, limit, steps = float(state["intercept"]), float(state["limit"]), int(state["steps"])
            check_numbers(list(weights.values()), intercept, limit)
            if limit < 0 or steps < 0:
                raise ModelError("the saved model holds a negative count or bound; save the model again")
            self._scaler.restore(state["scaler"])
            self._model._weights.clear()
            self._model._weights.update(weights)
            self._model.intercept = intercept
            self._model.optimizer.n_iterations = steps
            self._limit = limit
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a {self.name}: {error}") from error
