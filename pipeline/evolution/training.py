"""Ray Train over history: an LSTM or boosted trees learned by several processes, on one machine or many.

The LSTM is trained data-parallel: each batch is shared out, and gradients are averaged before each step, so
two workers take the steps that one would, but for rounding. Boosted trees are grown one forest a worker on
its own share of the labels, and the forests are averaged (bagging); one worker grows what ``fit`` grows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import torch
from numpy.typing import NDArray
from ray.train import Checkpoint, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer, prepare_model
from ray.train.v2.api.exceptions import TrainingFailedError

from core.errors import ModelError
from core.seams import Randomness
from features.feature import FeatureRow
from features.schema import FeatureSchema
from models.boosting import FEWEST, Boosting
from models.boosting import REMEMBERED as REMEMBERED_LABELS
from models.courses import Course
from models.drift import DriftRate
from models.forecaster import Forecaster
from models.inputs import BASELINE, ResidualUnit
from models.lstm_network import LstmNetwork, make_optimiser, torch_threads
from models.online_lstm import CLIP_NORM, FIRST_RATE, LAST_RATE, REMEMBERED
from models.quantile_lstm import QUANTILES, QuantileLSTM
from models.replay_buffer import ReplayBuffer
from models.scaling import OnlineScaler
from models.targets.table import Kind

TRAINED = (QuantileLSTM.name, Boosting.name)
"""Models that Ray Train can train."""

BATCH = 128
"""Examples of one step, of all workers together."""

PASSES = 6
RATE = 2e-3
"""Learning rate of the first pass; it falls to the last rate of online learning."""


def train_model(
    model: Forecaster, course: Course, rows: NDArray[np.int64], *, workers: int, seed: int, folder: Path
) -> Forecaster:
    """Train a fresh model with Ray Train and return it, ready to go on online.

    Ray must have been started, with a free core for each worker.

    Parameters
    ----------
    model
        A fresh LSTM or boosting.
    course, rows
        The target, and its rows to train on: ``int64``, each with a label that is known by now.
    workers
        Processes that share the work.
    seed
        Seeds the order of examples and what is rehearsed later.
    folder
        For Ray's files; all machines of a cluster must see it.

    Raises
    ------
    ModelError
        If the model cannot be trained so, history is too short, or training failed.
    """
    if not isinstance(model, QuantileLSTM | Boosting):
        raise ModelError(f"{model.name} is not trained by Ray Train; use one of {', '.join(TRAINED)}")
    if len(rows) < 2 * workers * FEWEST:
        raise ModelError(f"{len(rows)} labels are too few for {workers} workers", labels=len(rows))
    if isinstance(model, Boosting):
        return _boosted(model, course, rows, workers, folder)
    return _pretrained(model, course, rows, workers, seed, folder)


def _residuals(course: Course, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], ResidualUnit]:
    residuals = (course.table.label - course.table.baselines[course.anchor])[rows]
    unit = ResidualUnit()
    for residual in residuals.tolist():
        unit.update(residual)
    return residuals, unit


def _places(ends: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return the rows of windows, ``int64[end, row]``; before the first row, the first one again."""
    places: NDArray[np.int64] = np.maximum(ends[:, None] + np.arange(1 - length, 1), 0)
    return places


def _run(loop: Any, config: dict[str, Any], workers: int, folder: Path) -> list[dict[str, Any]]:
    """Run a loop on workers and return the arrays each of them reported, by rank."""
    trainer = TorchTrainer(
        loop,
        train_loop_config=config,
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=False),
        run_config=RunConfig(name="training", storage_path=str(folder)),
    )
    try:
        result = trainer.fit()
    except TrainingFailedError as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[-1]
        raise ModelError(f"distributed training failed: {reason}", workers=workers) from error
    if result.checkpoint is None:
        raise ModelError("distributed training ended without a model; see Ray's log", workers=workers)
    with result.checkpoint.as_directory() as place:
        return [_load(file) for file in sorted(Path(place).glob("part-*.npz"))]


def _load(file: Path) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _report(rank: int, arrays: dict[str, Any]) -> None:
    """Hand in a worker's arrays; every worker has to, with or without any."""
    with tempfile.TemporaryDirectory() as folder:
        if arrays:
            np.savez(Path(folder, f"part-{rank:03}.npz"), allow_pickle=False, **arrays)
        ray.train.report({}, Checkpoint.from_directory(folder) if arrays else None)


def _pretrained(
    model: QuantileLSTM, course: Course, rows: NDArray[np.int64], workers: int, seed: int, folder: Path
) -> QuantileLSTM:
    matrix = course.matrix(model.schema)
    residuals, unit = _residuals(course, rows)
    places = _places(rows, model.window)
    scaler = OnlineScaler(matrix.shape[1])
    random = Randomness(seed).stream("quantile_lstm.replay")
    buffer = ReplayBuffer(REMEMBERED, (model.window, matrix.shape[1]), random)
    for place, residual in zip(places, residuals.tolist(), strict=True):
        scaler.update(matrix[place[-1]])
        buffer.add(matrix[place], residual)
    rate = DriftRate(FIRST_RATE, LAST_RATE)
    # it was trained on history: online it begins with its lowest rate
    rate.settle()
    state = model.state()
    if unit.size > 0:
        config = {
            "rows": scaler.transform(matrix).astype(np.float32),
            "places": places,
            "targets": (residuals / unit.size).astype(np.float32),
            "weights": state["weights"],
            "hidden": model.hidden,
            "seed": Randomness(seed).derive("order of examples"),
        }
        [state["weights"]] = _run(_descend, config, workers, folder)
    state.update(scaler=scaler.state(), unit=unit.state(), buffer=buffer.state(), rate=rate.state())
    model.restore({**state, "optimiser": []})
    return model


def _descend(config: dict[str, Any]) -> None:
    """Train the network on this worker's share of each batch."""
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    rows, targets = torch.from_numpy(config["rows"]), torch.from_numpy(config["targets"])
    places = torch.from_numpy(config["places"])
    network = LstmNetwork(rows.shape[1], config["hidden"], len(QUANTILES), torch.Generator())
    network.load_state_dict({name: torch.from_numpy(value) for name, value in config["weights"].items()})
    parallel: Any = prepare_model(network, move_to_device=False)
    optimiser = make_optimiser(network, RATE)
    levels = torch.tensor(QUANTILES)
    order = np.random.default_rng(config["seed"])
    batch = min(BATCH, len(places)) // world * world
    with torch_threads(1):
        for done in range(PASSES):
            for group in optimiser.param_groups:
                group["lr"] = RATE * (LAST_RATE / RATE) ** (done / PASSES)
            shuffled = order.permutation(len(places))
            for start in range(0, len(places) - batch + 1, batch):
                mine = shuffled[start : start + batch][rank::world]
                optimiser.zero_grad()
                short = targets[mine][:, None] - parallel(rows[places[mine]])
                loss: Any = torch.maximum(levels * short, (levels - 1) * short).mean()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
                optimiser.step()
    weights = {name: value.numpy(force=True) for name, value in network.state_dict().items()}
    _report(rank, weights if rank == 0 else {})


def _boosted(
    model: Boosting, course: Course, rows: NDArray[np.int64], workers: int, folder: Path
) -> Boosting:
    rows = rows[-REMEMBERED_LABELS:]
    wide = FeatureSchema(tuple(dict.fromkeys((*model.schema.names, BASELINE))))
    residuals, unit = _residuals(course, rows)
    config = {
        "names": wide.names,
        "features": model.schema.names,
        "kind": model.kind.value,
        "rows": course.matrix(wide)[rows],
        "labels": course.table.label[rows],
    }
    parts = _run(_grow, config, workers, folder)
    state = model.state()
    learned = {
        "trees": averaged(parts, unit.size),
        "unit": unit.state(),
        "rows": course.matrix(model.schema)[rows],
        "residuals": residuals,
        "labels": len(rows),
    }
    model.restore({**state, **learned})
    return model


def _grow(config: dict[str, Any]) -> None:
    """Grow trees on this worker's share of the labels, every so-many-th of them."""
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    grown = Boosting(FeatureSchema(config["features"]), Kind(config["kind"]))
    windows = [
        (FeatureRow(at, 0, 0, config["names"], tuple(numbers)),)
        for at, numbers in enumerate(config["rows"][rank::world].tolist())
    ]
    grown.fit(windows, config["labels"][rank::world].tolist())
    state = grown.state()
    _report(rank, {**state["trees"], "size": state["unit"]["size"]})


def averaged(parts: Sequence[Mapping[str, Any]], size: float) -> dict[str, Any]:
    """Return the mean of forests as one.

    Parameters
    ----------
    parts
        Arrays of ``BoostedTrees``, and ``size``: the unit their values are in, in the label's unit.
    size
        Unit of the result.
    """
    scales = [float(part["size"]) / (size * len(parts)) if size > 0 else 0.0 for part in parts]
    shifts = np.cumsum([0, *(len(part["feature"]) for part in parts)])
    shifted = {
        name: np.concatenate([part[name] + shift for part, shift in zip(parts, shifts, strict=False)])
        for name in ("roots", "left", "right")
    }
    return {
        "start": sum(float(part["start"]) * scale for part, scale in zip(parts, scales, strict=True)),
        "value": np.concatenate([part["value"] * s for part, s in zip(parts, scales, strict=True)]),
        **{name: np.concatenate([part[name] for part in parts]) for name in ("feature", "threshold")},
        **shifted,
    }
