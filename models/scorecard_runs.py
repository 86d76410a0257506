"""What an evaluation leaves in MLflow: one run that stands for it, and below it one per target."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from core.seams import Clock, SystemClock
from features.schema import FeatureSchema
from models.prequential import Results
from models.scorecard import Line, Scorecard
from models.scorecard_figures import calibration_picture, regret_curves, regret_picture
from models.targets.table import TargetTable
from models.tracking_store import TrackingStore

EXPERIMENT = "evaluation"
STEPS = 50
"""Points per metric; more only cost time in a browser."""


def table_hash(table: TargetTable) -> str:
    """Return the hex hash of everything a target's numbers follow from."""
    digest = hashlib.sha256(table.name.encode())
    arrays = (table.values, table.label, table.issued, table.known, *table.baselines.values())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def log_evaluation(
    store: TrackingStore,
    judged: Sequence[tuple[Results, Scorecard]],
    document: Mapping[str, Any],
    parameters: Mapping[str, str | int | float],
    *,
    advance: Callable[[int], None] = lambda _done: None,
    clock: Clock | None = None,
) -> str:
    """Write an evaluation: one run that stands for it, and below it one per target.

    A target's run holds what was judged and its hash, final scores of every forecaster, every
    model's regret against the hardest baseline over the judged rows, and pictures of calibration
    and regret. The run above holds the whole document.

    Parameters
    ----------
    store
        Where to write.
    judged
        What was served on each target, and its table.
    document
        The whole evaluation as plain types; its ``code_version`` becomes a tag.
    parameters
        What the evaluation was asked for.
    advance, clock
        Told the number of targets written; times of the runs.

    Returns
    -------
    str
        Id of the run that stands for the evaluation.

    Raises
    ------
    InputError
        If the store cannot be opened.
    ModelError
        If it cannot be written.
    """
    client, ticking = store.client(), clock or SystemClock()
    code = str(document["code_version"])
    tags = {"code_version": code, "mlflow.source.git.commit": code}
    with store.writing():
        experiment = store.experiment(client, EXPERIMENT)
        parent = _start(client, experiment, "evaluate", ticking, tags)
        client.log_batch(parent, params=[Param(key, str(value)) for key, value in parameters.items()])
        for done, (results, card) in enumerate(judged, 1):
            below = {**tags, "mlflow.parentRunId": parent}
            _log_target(client, experiment, below, results, card, ticking)
            advance(done)
        _log_files(client, parent, "", {"evaluation.json": _json(document)})
        client.set_terminated(parent, end_time=ticking.now_ns() // 1_000_000)
    return parent


def _log_target(
    client: MlflowClient,
    experiment: str,
    tags: Mapping[str, str],
    results: Results,
    card: Scorecard,
    clock: Clock,
) -> None:
    data = {"data_set": card.source, "data_hash": table_hash(results.table), "best": card.best}
    run = _start(client, experiment, card.target, clock, {**tags, **data})
    now = clock.now_ns() // 1_000_000
    metrics = [*_regrets(results, card, now), *_finals(card, now)]
    client.log_batch(run, params=_params(results, card), metrics=metrics)
    pictures = {
        "calibration.png": calibration_picture(results, card),
        "regret.png": regret_picture(results, card),
    }
    _log_files(client, run, "plots", pictures)
    _log_files(client, run, "", {"scorecard.json": _json(card.to_dict())})
    client.set_terminated(run, end_time=clock.now_ns() // 1_000_000)


def _regrets(results: Results, card: Scorecard, now: int) -> Iterator[Metric]:
    for name, curve in regret_curves(results, card).items():
        for at in np.unique(np.linspace(0, len(curve) - 1, min(len(curve), STEPS)).astype(int)):
            yield Metric(f"regret.{name}", float(curve[at]), now, int(at + 1))


def _finals(card: Scorecard, now: int) -> Iterator[Metric]:
    if card.leader_changes is not None:
        yield Metric("leader_changes", float(card.leader_changes), now, card.judged)
    for line in card.lines:
        for key, value in _final(line, card).items():
            if value is not None and np.isfinite(value):
                yield Metric(f"{key}.{line.name}", value, now, card.judged)


def _start(client: MlflowClient, experiment_id: str, name: str, clock: Clock, tags: Mapping[str, str]) -> str:
    now = clock.now_ns() // 1_000_000
    run = str(client.create_run(experiment_id, start_time=now, run_name=name).info.run_id)
    client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])
    return run


def _params(results: Results, card: Scorecard) -> list[Param]:
    parameters = {
        "target": card.target,
        "unit": card.unit,
        "horizon": card.horizon,
        "nominal_coverage": card.nominal,
        "learned": card.learned,
        "judged": card.judged,
        "censored": card.censored,
        "hardest_baseline": card.hardest[card.deciding],
        "corrected_baseline": results.anchor,
        "feature_hash": FeatureSchema(results.table.names).digest,
    }
    return [Param(key, str(value)) for key, value in parameters.items()]


def _final(line: Line, card: Scorecard) -> dict[str, float | None]:
    skill = line.skills[card.deciding]
    return {
        **{loss.value: value for loss, value in line.losses.items()},
        "skill": skill.value,
        "skill_lower": skill.lower,
        "skill_upper": skill.upper,
        "coverage": line.coverage,
        "coverage_after_breaks": line.coverage_after_breaks,
        "width": line.width,
        "predict_us": line.predict_us,
        "learn_us": line.learn_us,
    }


def _json(document: object) -> bytes:
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()


def _log_files(client: MlflowClient, run: str, folder: str, files: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as place:
        for name, content in files.items():
            (Path(place) / name).write_bytes(content)
        client.log_artifacts(run, place, folder or None)
