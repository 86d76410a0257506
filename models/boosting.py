"""A batch learner as challenger: gradient boosting, grown anew on the last labels every so often."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from core.errors import ModelError
from features.schema import FeatureSchema
from models.boosted_trees import export_trees, no_trees, restore_trees
from models.forecaster import Window
from models.inputs import (
    ResidualUnit,
    check_names,
    check_numbers,
    read_baseline,
    read_label,
    read_rows,
)
from models.targets.table import Kind

EVERY = 1000
"""Labels between two trainings."""

REMEMBERED = 6000
"""Last labels that are trained on."""

TREES = 60
LEAVES = 15
FEWEST = 40
"""Labels a leaf holds at least."""

RATE = 0.06


class Boosting:
    """Forecasts the baseline plus a residual from scikit-learn's histogram gradient boosting.

    A fresh one says what the baseline says. Numbers are learned by absolute error and probabilities by
    squared error of their residual. Between trainings it only remembers; the trees are asked as plain
    arrays.

    Parameters
    ----------
    schema
        Features it reads, of the window's last row; rows also carry ``baseline``.
    kind
        What the labels are.
    """

    name = "boosting"

    def __init__(self, schema: FeatureSchema, kind: Kind = Kind.NUMBER) -> None:
        self.schema = schema
        self.kind = kind
        self._unit = ResidualUnit()
        self._trees = no_trees()
        self._examples: deque[tuple[NDArray[np.float64], float]] = deque(maxlen=REMEMBERED)
        self._labels = 0

    def predict_one(self, window: Window) -> float:
        """Return the forecast, in the label's unit; changes nothing.

        Raises
        ------
        ModelError
            If the window is empty, lacks a feature, or holds a number that is not finite.
        """
        row = read_rows(self.schema, window, 1)[0]
        value = read_baseline(window) + self._unit.residual(self._trees.output(row))
        return value if self.kind is Kind.NUMBER else min(max(value, 0.0), 1.0)

    def learn_one(self, window: Window, label: float) -> None:
        """Remember the window's last row; each ``EVERY`` labels, train.

        Raises
        ------
        ModelError
            As :meth:`predict_one`, and if the label is not finite; nothing has changed then.
        """
        self._remember(window, label)
        if self._labels % EVERY == 0:
            self._train()

    def fit(self, windows: Sequence[Window], labels: Sequence[float]) -> None:
        """Remember history and train once."""
        for window, label in zip(windows, labels, strict=True):
            self._remember(window, label)
        if len(self._examples) >= 2 * FEWEST:
            self._train()

    def _remember(self, window: Window, label: float) -> None:
        row = read_rows(self.schema, window, 1)[0]
        residual = read_label(label) - read_baseline(window)
        self._unit.update(residual)
        self._examples.append((row, residual))
        self._labels += 1

    def _train(self) -> None:
        # takes a second to import, and a model that is only asked needs none of it
        from sklearn.ensemble import HistGradientBoostingRegressor

        if self._unit.size == 0:
            return
        grower = HistGradientBoostingRegressor(
            loss="absolute_error" if self.kind is Kind.NUMBER else "squared_error",
            max_iter=TREES,
            max_leaf_nodes=LEAVES,
            min_samples_leaf=FEWEST,
            learning_rate=RATE,
            early_stopping=False,
            random_state=0,
        )
        rows = np.stack([row for row, _ in self._examples])
        residuals = np.array([residual for _, residual in self._examples])
        # one thread, so that sums are added in one order on every machine
        with threadpool_limits(1):
            grower.fit(rows, residuals / self._unit.size)
        self._trees = export_trees(grower)

    def state(self) -> dict[str, Any]:
        """Return trees, unit and remembered labels as plain values and arrays."""
        rows = [row for row, _ in self._examples]
        return {
            "names": list(self.schema.names),
            "kind": self.kind.value,
            "trees": self._trees.state(),
            "unit": self._unit.state(),
            "rows": np.array(rows, dtype=np.float64).reshape(len(rows), len(self.schema.names)),
            "residuals": np.array([residual for _, residual in self._examples], dtype=np.float64),
            "labels": self._labels,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`; the next steps are identical.

        Raises
        ------
        ModelError
            If the state belongs to a model with other features or labels, or is damaged.
        """
        try:
            check_names(state["names"], self.schema)
            if state["kind"] != self.kind:
                raise ModelError(f"the saved model forecasts a {state['kind']}, this one a {self.kind.value}")
            rows, residuals = np.asarray(state["rows"]), np.asarray(state["residuals"])
            if rows.shape != (len(residuals), len(self.schema.names)):
                raise ModelError(f"the saved examples have the shape {rows.shape}; build the model alike")
            check_numbers(rows, residuals)
            trees = restore_trees(state["trees"], len(self.schema.names))
            labels = int(state["labels"])
            self._unit.restore(state["unit"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a {self.name}: {error}") from error
        self._trees, self._labels = trees, labels
        self._examples = deque(zip(rows.copy(), residuals.tolist(), strict=True), maxlen=REMEMBERED)
