"""river models that live for a while, and whose state is what they have learned.

A tree is hard to write down, and one that grows for ever forgets nothing, neither old regimes nor memory.
So each one learns a limited number of labels; before its end the next one begins to learn beside it and
then takes over. Whoever wants it back exactly teaches a fresh one the same examples in the same order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from river import forest, time_series, tree

from core.errors import ModelError
from core.seams import Randomness
from features.schema import FeatureSchema
from models.forecaster import Window
from models.inputs import (
    ResidualUnit,
    check_names,
    check_numbers,
    read_baseline,
    read_label,
    read_rows,
)
from models.scaling import OnlineScaler

LIFE = 3000
"""Labels one model learns."""

LEAD = 1000
"""Last labels of a life that its successor learns too."""

WIDEST = 5.0
"""Targets are clipped at so many units: a mean should not follow a single label."""

RADIUS = 0.25
"""Standardised features are binned this wide where a tree looks for splits."""

TREES = 3
LAGS = 5
R = TypeVar("R")


class _Renewed(ABC, Generic[R]):
    """What the three have in common: scaling, residuals, lives and states."""

    name: str

    def __init__(self, schema: FeatureSchema, randomness: Randomness) -> None:
        self.schema = schema
        self._seed = randomness.derive(f"{self.name}.trees") & 0x7FFFFFFF
        self._scaler = OnlineScaler(len(schema.names))
        self._unit = ResidualUnit()
        self._live, self._next = self._new(), self._new()
        self._examples: deque[tuple[NDArray[np.float64], float]] = deque(maxlen=LIFE)

    @abstractmethod
    def _new(self) -> R: ...

    @abstractmethod
    def _teach(self, model: R, inputs: dict[str, float], target: float) -> None: ...

    @abstractmethod
    def _ask(self, model: R, inputs: dict[str, float]) -> float: ...

    def predict_one(self, window: Window) -> float:
        """Return the forecast, in the label's unit; changes nothing.

        Raises
        ------
        ModelError
            If the window is empty, lacks a feature, or holds a number that is not finite.
        """
        row = read_rows(self.schema, window, 1)[0]
        base = read_baseline(window)
        return base + self._unit.residual(self._ask(self._live, self._named(self._scaler.transform(row))))

    def learn_one(self, window: Window, label: float) -> None:
        """Learn from the window's last row.

        Raises
        ------
        ModelError
            As :meth:`predict_one`, and if the label is not finite; nothing has changed then.
        """
        row = read_rows(self.schema, window, 1)[0]
        residual = read_label(label) - read_baseline(window)
        self._scaler.update(row)
        self._unit.update(residual)
        if self._unit.size > 0:
            target = min(max(residual / self._unit.size, -WIDEST), WIDEST)
            self._learn(self._scaler.transform(row), target)

    def _learn(self, scaled: NDArray[np.float64], target: float) -> None:
        inputs = self._named(scaled)
        if len(self._examples) == LIFE:
            self._live, self._next = self._next, self._new()
            for _ in range(LIFE - LEAD):
                self._examples.popleft()
        self._examples.append((scaled, target))
        self._teach(self._live, inputs, target)
        if len(self._examples) > LIFE - LEAD:
            self._teach(self._next, inputs, target)

    def _named(self, scaled: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(self.schema.names, scaled.tolist(), strict=True))

    def state(self) -> dict[str, Any]:
        """Return scaler, unit, and the examples that the living model has learned."""
        rows = [scaled for scaled, _ in self._examples]
        return {
            "names": list(self.schema.names),
            "seed": self._seed,
            "scaler": self._scaler.state(),
            "unit": self._unit.state(),
            "rows": np.array(rows, dtype=np.float64).reshape(len(rows), len(self.schema.names)),
            "targets": np.array([target for _, target in self._examples], dtype=np.float64),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state` by learning its examples again; the next steps are identical.

        Raises
        ------
        ModelError
            If the state belongs to a model with other features, or is damaged.
        """
        try:
            check_names(state["names"], self.schema)
            rows, targets = np.asarray(state["rows"]), np.asarray(state["targets"])
            if rows.shape != (len(targets), len(self.schema.names)) or len(targets) > LIFE:
                raise ModelError(f"the saved examples have the shape {rows.shape}; build the model alike")
            check_numbers(rows, targets)
            self._scaler.restore(state["scaler"])
            self._unit.restore(state["unit"])
            self._seed = int(state["seed"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a {self.name}: {error}") from error
        self._live, self._next = self._new(), self._new()
        self._examples.clear()
        for scaled, target in zip(rows, targets.tolist(), strict=True):
            self._learn(scaled.copy(), target)


class RiverTree(_Renewed[Any]):
    """A Hoeffding tree with the mean residual in each leaf.

    Parameters
    ----------
    schema
        Features it reads, of the window's last row; rows also carry ``baseline``.
    randomness
        Unused by a single tree.
    """

    name = "river_tree"

    def _new(self) -> Any:
        splitter = tree.splitter.QOSplitter(radius=RADIUS)
        return tree.HoeffdingTreeRegressor(leaf_prediction="mean", splitter=splitter)

    def _teach(self, model: Any, inputs: dict[str, float], target: float) -> None:
        model.learn_one(inputs, target)

    def _ask(self, model: Any, inputs: dict[str, float]) -> float:
        return float(model.predict_one(inputs))


class RiverForest(RiverTree):
    """An adaptive random forest: Hoeffding trees on random features that are replaced when they drift.

    Parameters
    ----------
    schema
        Features it reads, of the window's last row; rows also carry ``baseline``.
    randomness
        Seeds the trees.
    """

    name = "river_forest"

    def _new(self) -> Any:
        splitter = tree.splitter.QOSplitter(radius=RADIUS)
        return forest.ARFRegressor(n_models=TREES, leaf_prediction="mean", splitter=splitter, seed=self._seed)


class RiverSeries(_Renewed[time_series.SNARIMAX]):
    """An autoregression of the residuals themselves, with moving average (SNARIMAX).

    It reads no features. When a forecast is made the labels of the last ``horizon`` forecasts but one are not
    known yet, so it looks ``horizon`` steps ahead of the last one that is.

    Parameters
    ----------
    schema
        Columns that rows must carry; only their order is checked.
    randomness
        Unused.
    horizon
        Labels from the last one known to the one that is forecast, at least 1.
    """

    name = "river_series"

    def __init__(self, schema: FeatureSchema, randomness: Randomness, *, horizon: int = 1) -> None:
        if horizon < 1:
            raise ModelError(f"a horizon is at least 1 label, got {horizon}", horizon=horizon)
        self.horizon = horizon
        super().__init__(schema, randomness)

    def _new(self) -> time_series.SNARIMAX:
        return time_series.SNARIMAX(p=LAGS, d=0, q=1)

    def _teach(self, model: time_series.SNARIMAX, inputs: dict[str, float], target: float) -> None:
        model.learn_one(target)  # type: ignore[no-untyped-call]

    def _ask(self, model: time_series.SNARIMAX, inputs: dict[str, float]) -> float:
        return float(model.forecast(self.horizon)[-1])  # type: ignore[no-untyped-call]

    def state(self) -> dict[str, Any]:
        """Return the horizon, unit, and the series that the living model has learned."""
        return {**super().state(), "horizon": self.horizon}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state` by learning its series again. Raises ``ModelError``."""
        if state.get("horizon") != self.horizon:
            raise ModelError(
                f"the saved model looks {state.get('horizon')} labels ahead, this one {self.horizon}; "
                "build it alike"
            )
        super().restore(state)
