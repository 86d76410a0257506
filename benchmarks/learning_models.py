"""Models: the LSTM without torch and its online step, and river's pipelines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from benchmarks.harness import Progress, Row, at_most, median
from benchmarks.learning_tape import SEED, Streamed, WalkedTape, settled
from core.errors import OmniArbError
from core.seams import Randomness
from features.feature import FeatureRow
from features.schema import FeatureSchema
from models.forecaster import Forecaster, Window
from models.inputs import BASELINE
from models.lstm_export import LstmKernel, export_lstm
from models.lstm_network import LstmNetwork, torch_threads
from models.quantile_lstm import QUANTILES, QuantileLSTM
from models.river_logistic import RiverLogistic
from models.river_models import RiverResidual
from models.river_renewed import RiverSeries, RiverTree
from models.scaling import OnlineScaler

WINDOW = 16
LEARNED = 64
"""Labels learned before anything is timed."""

CALLS, STEPS = 1000, 300
PREDICT_REACH_US, STEP_REACH_MS, RIVER_REACH_US = 60.0, 5.0, 100.0
T = TypeVar("T")
CLOSE = 1e-4
"""Largest difference of outputs, which are in units of residuals, from torch's: it counts in 32 bits."""


def model_rows(progress: Progress, tape: WalkedTape, calls: int = CALLS, steps: int = STEPS) -> list[Row]:
    """Return the figures of the models.

    Parameters
    ----------
    tape
        Gives the rows that they read.
    calls, steps
        How many forecasts and how many online steps of each are timed.
    """
    measured = []
    for streamed in (tape.block, tape.market):
        progress(f"the LSTM on the set {streamed.features.name}")
        measured += _lstm_rows(_examples(streamed), calls, steps)
    progress("river's pipelines")
    return measured + _river_rows(_examples(tape.block), steps)


@dataclass(frozen=True, slots=True)
class _Examples:
    """Rows whose ``baseline`` is how full the block was, and how full the next one is as label."""

    schema: FeatureSchema
    rows: Sequence[FeatureRow]
    labels: Sequence[float]

    def window(self, place: int) -> Window:
        """Return the rows that the forecast of a label reads; places begin again after the last."""
        end = WINDOW + place % (len(self.labels) - WINDOW)
        return tuple(self.rows[end - WINDOW : end])

    def label(self, place: int) -> float:
        """Return the label of :meth:`window`."""
        return self.labels[WINDOW - 1 + place % (len(self.labels) - WINDOW)]


def _examples(streamed: Streamed) -> _Examples:
    names = (*streamed.features.names, BASELINE)
    kept = settled(streamed.rows)
    used = [row["gas_used_ratio"] for row in kept]
    rows = [
        FeatureRow(row.block_number, row.event_time, row.known_at_ns, names, (*row.values, full))
        for row, full in zip(kept, used, strict=True)
    ]
    return _Examples(FeatureSchema(names), rows, used[1:])


def _lstm_rows(examples: _Examples, calls: int, steps: int) -> list[Row]:
    model = QuantileLSTM(examples.schema, Randomness(SEED), window=WINDOW)
    for place in range(LEARNED):
        model.learn_one(examples.window(place), examples.label(place))
    windows = [examples.window(place) for place in range(calls)]
    matrices = [examples.schema.matrix(window) for window in windows]
    kernel, through_torch = _both(model)
    _check(kernel, through_torch, matrices[:50])
    predicting = _each(model.predict_quantiles, windows)
    forward, baseline = _each(kernel.outputs, matrices), _each(through_torch, matrices)
    learning = _each(
        lambda place: model.learn_one(examples.window(place), examples.label(place)),
        range(LEARNED, LEARNED + steps),
    )
    what = f"{WINDOW} rows of {len(examples.schema.names)} features"
    return [
        at_most(
            f"LSTM prediction without torch, {what}, p50", 1e6 * median(predicting), "us", PREDICT_REACH_US
        ),
        Row(f"LSTM prediction without torch, {what}, p99", 1e6 * float(np.quantile(predicting, 0.99)), "us"),
        Row(f"of that, the forward pass, {what}", 1e6 * median(forward), "us"),
        Row(
            f"the forward pass, ratio, {what}",
            median(baseline) / median(forward),
            "x",
            baseline="torch's forward, one thread, same weights and windows",
        ),
        at_most(f"LSTM online step, {what}, p50", 1e3 * median(learning), "ms", STEP_REACH_MS),
        Row(f"LSTM online step, {what}, p99", 1e3 * float(np.quantile(learning, 0.99)), "ms"),
    ]


def _both(model: QuantileLSTM) -> tuple[LstmKernel, Callable[[np.ndarray], np.ndarray]]:
    """Return the compiled forward pass of a model's weights, and torch's own."""
    state = model.state()
    width = len(model.schema.names)
    scaler = OnlineScaler(width)
    scaler.restore(state["scaler"])
    network = LstmNetwork(width, model.hidden, len(QUANTILES), torch.Generator())
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state["weights"].items()})

    def through_torch(rows: np.ndarray) -> np.ndarray:
        scaled = torch.from_numpy(scaler.transform(rows).astype(np.float32))
        with torch_threads(1), torch.inference_mode():
            outputs: np.ndarray = network(scaled[None])[0].numpy()
        return outputs

    return export_lstm(state["weights"], *scaler.parameters()), through_torch


def _check(
    kernel: LstmKernel, through_torch: Callable[[np.ndarray], np.ndarray], matrices: Sequence[np.ndarray]
) -> None:
    """Refuse to publish figures of a forward pass that is not torch's."""
    apart = max(float(np.abs(kernel.outputs(rows) - through_torch(rows)).max()) for rows in matrices)
    if not apart <= CLOSE:
        raise OmniArbError("the compiled LSTM says something else than torch", apart=apart)


def _river_rows(examples: _Examples, steps: int) -> list[Row]:
    schema, randomness = examples.schema, Randomness(SEED)
    is_fuller = [
        float(label > row[BASELINE]) for row, label in zip(examples.rows, examples.labels, strict=False)
    ]
    chances = _Examples(schema, examples.rows, is_fuller)
    served: list[tuple[Forecaster, _Examples]] = [
        (RiverResidual(schema), examples),
        (RiverLogistic(schema), chances),
    ]
    contenders: list[tuple[Forecaster, _Examples]] = [
        (RiverTree(schema, randomness), examples),
        (RiverSeries(schema, randomness), examples),
    ]
    what = f"{len(schema.names)} features: predict and learn, p50"
    return [
        *(
            at_most(f"{model.name}, {what}", _predict_and_learn(model, of, steps), "us", RIVER_REACH_US)
            for model, of in served
        ),
        *(
            Row(f"{model.name}, {what}", _predict_and_learn(model, of, steps), "us")
            for model, of in contenders
        ),
    ]


def _predict_and_learn(model: Forecaster, examples: _Examples, steps: int) -> float:
    """Return the median microseconds of a forecast and the step that its label brings."""

    def both(place: int) -> None:
        window = examples.window(place)
        model.predict_one(window)
        model.learn_one(window, examples.label(place))

    _each(both, range(LEARNED))
    return 1e6 * median(_each(both, range(LEARNED, LEARNED + steps)))


def _each(action: Callable[[T], object], inputs: Sequence[T]) -> list[float]:
    """Return wall-clock seconds of an action on each input."""
    taken = []
    for one in inputs:
        start = time.perf_counter()
        action(one)
        taken.append(time.perf_counter() - start)
    return taken
