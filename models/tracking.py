"""The one place that knows where experiments live, and what a study leaves there.

MLflow keeps its records in a SQLite file and its artifacts in a folder beside it. Both
hang below one *home* (``mlruns/`` by default). Every address is absolute, so a notebook,
a server and a replica of the serving application mean the same file whatever their
working folder is. Nothing here touches MLflow's process-wide settings: a client is bound
to its address, and two homes can be used side by side.
"""

from __future__ import annotations

import math
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from core.seams import Clock, SystemClock
from models import figures
from models.evaluation import Series, Study

POINTS_AT_MOST = 200
"""Metric steps and picture points per model; more only costs time in a browser."""

NOMINAL_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def tracking_uri(home: Path) -> str:
    """Return the absolute SQLite address of the tracking database below ``home``.

    Examples
    --------
    >>> tracking_uri(Path("/srv/omniarb/mlruns"))
    'sqlite:////srv/omniarb/mlruns/mlflow.db'
    """
    return f"sqlite:///{home.resolve() / 'mlflow.db'}"


def code_version(root: Path) -> str:
    """Return the git commit checked out at ``root``, with ``-dirty`` if files differ, else ``unknown``."""
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip()


@dataclass(frozen=True, slots=True)
class TrackingStore:
    """A home of experiments on disk.

    Parameters
    ----------
    home
        Folder that holds ``mlflow.db`` and ``artifacts/``; made when first written to.
    """

    home: Path

    @property
    def uri(self) -> str:
        """Absolute address of the database."""
        return tracking_uri(self.home)

    @property
    def exists(self) -> bool:
        """Whether a database is there already."""
        return (self.home / "mlflow.db").exists()

    def client(self) -> MlflowClient:
        """Return a client bound to this store, for runs and registry alike.

        The first client of a new home creates the database, which takes seconds.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def experiment(self, client: MlflowClient, name: str) -> str:
        """Return the id of the experiment ``name``, made on first use.

        The artifact folder is fixed when the experiment is made, because MLflow copies it
        into every run and never looks at it again.
        """
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        folder = self.home.resolve() / "artifacts" / name
        try:
            return str(client.create_experiment(name, artifact_location=folder.as_uri()))
        except MlflowException as error:
            # another process made it between our look and our attempt
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return self.experiment(client, name)


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

    Returns
    -------
    LoggedStudy
        Ids of the runs.
    """
    clock = clock or SystemClock()
    client = store.client()
    experiment_id = store.experiment(client, experiment)
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


def reliability_curve(series: Series, nominal: float) -> tuple[list[float], list[float]]:
    """Return coverage aimed at, and reached, at several levels.

    At ``nominal`` it is the coverage of the intervals as served. For another level they are
    widened or narrowed by one factor, taken from the first half of the series and judged on
    the second, so that no error judges itself.
    """
    levels = sorted({*NOMINAL_LEVELS, nominal})
    half_width = (series.upper - series.lower) / 2
    usable = half_width > 0
    relative = np.abs(series.truth - series.prediction)[usable] / half_width[usable]
    first, second = np.array_split(relative, 2)
    if not len(second):
        return [], []
    inside = (series.lower <= series.truth) & (series.truth <= series.upper)
    reached = [
        float(inside.mean() if level == nominal else (second <= np.quantile(first, level)).mean())
        for level in levels
    ]
    return levels, reached


def skill_so_far(study: Study) -> tuple[list[int], dict[str, list[float]]]:
    """Return blocks and, per model, skill against the best baseline over everything up to there."""
    base = study.series[study.best_baseline]
    base_error = np.cumsum(np.abs(base.truth - base.prediction))
    keep = np.unique(np.linspace(0, len(base_error) - 1, min(len(base_error), POINTS_AT_MOST)).astype(int))
    skills = {}
    for score in study.scores:
        series = study.series[score.name]
        error = np.cumsum(np.abs(series.truth - series.prediction))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(base_error > 0, 1 - error / base_error, 0.0)
        if score.name != study.best_baseline:
            skills[score.name] = ratio[keep].tolist()
    return base.blocks[keep].tolist(), skills
