"""What a study leaves in MLflow: one run per model, with its scores over time and its pictures."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from core.seams import Clock, SystemClock
from models import figures
from models.evaluation import Series, Study
from models.study_curves import NOMINAL_LEVELS, POINTS_AT_MOST, reliability_curve, skill_so_far
from models.tracking_store import TrackingStore, code_version, tracking_uri

__all__ = [
    "NOMINAL_LEVELS",
    "POINTS_AT_MOST",
    "LoggedStudy",
    "Provenance",
    "TrackingStore",
    "code_version",
    "log_study",
    "reliability_curve",
    "skill_so_far",
    "tracking_uri",
]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a study comes from: enough to run it again.

    Parameters
    ----------
    data_set, data_hash
        Name of the tape or recorded day and the hex hash of its content.
    feature_hash
        Digest of the feature schema.
    code_version
        Commit, or ``unknown`` (see :func:`code_version`).
    parameters
        Window, seed, learner settings … as shown in the table of runs.
    """

    data_set: str
    data_hash: str
    feature_hash: str
    code_version: str
    parameters: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoggedStudy:
    """Run ids of a logged study.

    Parameters
    ----------
    experiment_id
        The experiment.
    parent
        Run that stands for the whole study.
    runs
        Model or baseline name to its own run, a child of ``parent``.
    """

    experiment_id: str
    parent: str
    runs: Mapping[str, str]


def log_study(
    store: TrackingStore,
    study: Study,
    provenance: Provenance,
    *,
    experiment: str = "omniarb",
    name: str = "study",
    clock: Clock | None = None,
) -> LoggedStudy:
    """Write a study: one parent run, one child run per model and baseline.

    A child holds final scores, scores so far at up to 200 blocks, and pictures of
    calibration and of prediction against truth; the parent holds provenance, the scores of
    the best model and every model's skill over time. Steps are block numbers.

    Parameters
    ----------
    store
        Where to write.
    study, provenance
        Scores, and what they were made from.
    experiment, name
        Name of the experiment and of the parent run.
    clock
        Times of the runs.

    Returns
    -------
    LoggedStudy
        Ids of the runs.

    Raises
    ------
    InputError
        If the store cannot be opened.
    ModelError
        If it cannot be written.
    """
    client = store.client()
    with store.writing():
        experiment_id = store.experiment(client, experiment)
        return _log(client, experiment_id, name, study, provenance, clock or SystemClock())


def _log(
    client: MlflowClient, experiment_id: str, name: str, study: Study, provenance: Provenance, clock: Clock
) -> LoggedStudy:
    parent = _start(client, experiment_id, name, {}, study, provenance, clock)
    tags = {"mlflow.parentRunId": parent}
    runs = {}
    for score in study.scores:
        run = _start(client, experiment_id, score.name, tags, study, provenance, clock)
        _log_model_run(client, run, study, score.name, clock)
        runs[score.name] = run
    _log_parent(client, parent, study, clock)
    return LoggedStudy(experiment_id, parent, runs)


def _start(
    client: MlflowClient,
    experiment_id: str,
    name: str,
    tags: dict[str, str],
    study: Study,
    provenance: Provenance,
    clock: Clock,
) -> str:
    now = clock.now_ns() // 1_000_000
    run = str(client.create_run(experiment_id, start_time=now, run_name=name, tags=tags).info.run_id)
    parameters = {
        "target": study.target,
        "horizon_blocks": study.horizon_blocks,
        "nominal_coverage": study.nominal,
        "best_baseline": study.best_baseline,
        "feature_hash": provenance.feature_hash,
        **provenance.parameters,
    }
    client.log_batch(
        run,
        params=[Param(key, str(value)) for key, value in parameters.items()],
        tags=[
            RunTag("mlflow.source.git.commit", provenance.code_version),
            RunTag("code_version", provenance.code_version),
            RunTag("data_set", provenance.data_set),
            RunTag("data_hash", provenance.data_hash),
        ],
    )
    # the digest column holds 36 characters; the tag above keeps the whole hash
    data = Dataset(provenance.data_set, provenance.data_hash[:36], "tape", provenance.data_set)
    client.log_inputs(run, [DatasetInput(data, [InputTag("mlflow.data.context", "prequential")])])
    return run


def _log_model_run(client: MlflowClient, run: str, study: Study, name: str, clock: Clock) -> None:
    now = clock.now_ns() // 1_000_000
    score, series = study.score(name), study.series[name]
    every = max(1, math.ceil(score.count / POINTS_AT_MOST))
    metrics = [
        Metric(key, value, now, int(block))
        for block, values in study.steps(name, every)
        for key, value in values.items()
        if math.isfinite(value)
    ]
    last = int(series.blocks[-1]) if len(series.blocks) else 0
    metrics += _final_metrics(study, name, now, last)
    for start in range(0, len(metrics), 1000):
        client.log_batch(run, metrics=metrics[start : start + 1000])
    client.set_tag(run, "kind", "baseline" if score.baseline else "model")
    if len(series.blocks):
        _log_pictures(client, run, study, series)
    client.set_terminated(run, end_time=clock.now_ns() // 1_000_000)


def _final_metrics(study: Study, name: str, now: int, step: int) -> list[Metric]:
    score = study.score(name)
    values = {
        "final_mae": score.mae,
        "final_rmse": score.rmse,
        "final_skill": score.skill,
        "final_coverage": score.coverage,
        "final_width": score.width,
        "count": float(score.count),
    }
    return [Metric(key, value, now, step) for key, value in values.items() if math.isfinite(value)]


def _log_pictures(client: MlflowClient, run: str, study: Study, series: Series) -> None:
    unit = study.target.rsplit("_", 1)[-1]
    nominal, empirical = reliability_curve(series, study.nominal)
    tail = slice(-POINTS_AT_MOST, None)
    pictures = {
        "calibration.png": figures.reliability(nominal, empirical),
        "prediction_vs_truth.png": figures.prediction(
            series.blocks[tail],
            series.truth[tail],
            series.prediction[tail],
            series.lower[tail],
            series.upper[tail],
            unit,
        ),
    }
    _log_pngs(client, run, pictures)


def _log_parent(client: MlflowClient, parent: str, study: Study, clock: Clock) -> None:
    now = clock.now_ns() // 1_000_000
    best = study.scores[0]
    client.set_tag(parent, "best_model", best.name)
    baseline = study.series[study.best_baseline]
    last = int(baseline.blocks[-1]) if len(baseline.blocks) else 0
    client.log_batch(parent, metrics=_final_metrics(study, best.name, now, last))
    if len(baseline.blocks):
        blocks, skills = skill_so_far(study)
        picture = figures.cumulative_skill(blocks, skills, study.best_baseline)
        _log_pngs(client, parent, {"cumulative_skill.png": picture})
    client.set_terminated(parent, end_time=clock.now_ns() // 1_000_000)


def _log_pngs(client: MlflowClient, run: str, pictures: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for file, content in pictures.items():
            (Path(folder) / file).write_bytes(content)
        client.log_artifacts(run, folder, "plots")
