"""What a search leaves in MLflow: one run that stands for it, and below it one per trial and the winner's."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from core.seams import Clock, SystemClock
from models.snapshot import Snapshot, save_snapshot
from models.tracking_store import TrackingStore
from pipeline.evolution.evolve import Winner
from pipeline.evolution.search import Observer

EXPERIMENT = "evolution"
WINNER = "winner"
"""Name of the winner's run."""

SNAPSHOT = "snapshot.zip"


class RunLog(Observer):
    """Writes each step of each trial as it comes; the driver alone writes, so no two wait for the file.

    Parameters
    ----------
    store
        Where to write.
    parameters, tags
        What was asked for, and what the search was made from.
    experiment, name
        Names of the experiment and of the run that stands for the search.
    advance
        Told the number of chunks judged by all trials.
    clock
        Times of the runs.

    Raises
    ------
    InputError
        If the store cannot be opened.
    ModelError
        If it cannot be written.
    """

    followed: tuple[str, ...] = ("rate", "every")
    """Fields of a setting that a population changes."""

    def __init__(
        self,
        store: TrackingStore,
        parameters: Mapping[str, str | int | float],
        tags: Mapping[str, str],
        *,
        experiment: str = EXPERIMENT,
        name: str = "evolve",
        advance: Callable[[int], None] = lambda _chunks: None,
        clock: Clock | None = None,
    ) -> None:
        self._store, self._clock, self._advance = store, clock or SystemClock(), advance
        self._client: MlflowClient = store.client()
        self._tags = dict(tags)
        self._runs: dict[str, str] = {}
        self._settings: dict[str, Any] = {}
        self._ended: set[str] = set()
        self._chunks = 0
        with store.writing():
            self._experiment = store.experiment(self._client, experiment)
            self.parent = self._start(name, {})
            self._params(self.parent, parameters)

    def reported(self, trial: str, setting: Any, chunk: int, metrics: Mapping[str, float]) -> None:
        """Log a step; a setting that a population has changed shows in the tags and as metrics."""
        with self._store.writing():
            if trial not in self._runs:
                self._runs[trial] = self._start(trial, {"mlflow.parentRunId": self.parent})
                self._params(self._runs[trial], asdict(setting))
            run = self._runs[trial]
            if self._settings.get(trial, setting) != setting:
                text = ", ".join(f"{name} {value}" for name, value in asdict(setting).items())
                self._client.set_tag(run, f"from_chunk_{chunk}", text)
            self._settings[trial] = setting
            moving = {name: float(getattr(setting, name)) for name in self.followed}
            self._metrics(run, {**metrics, **moving}, chunk)
        self._chunks += 1
        self._advance(self._chunks)

    def ended(self, trial: str, error: str) -> None:
        """Close a trial's run."""
        if trial in self._runs:
            with self._store.writing():
                self._end(self._runs[trial], "FAILED" if error else "FINISHED")

    def won(self, winner: Winner) -> str:
        """Log the winner with its snapshot and close the search; return the id of the winner's run."""
        found: dict[str, str | int | float] = {
            **asdict(winner.tried.setting),
            "anchor": winner.anchor,
            "hardest_baseline": winner.baseline,
            "judged": winner.judged,
        }
        numbers = {
            "skill": winner.skill.value,
            "skill_lower": winner.skill.lower,
            "skill_upper": winner.skill.upper,
            "loss": winner.loss,
            f"loss.{winner.baseline}": winner.baseline_loss,
            "skill_in_search": winner.tried.skill,
        }
        target = winner.tried.setting.target
        tags = {"trial": winner.tried.trial, "data_set": winner.source}
        if f"data_hash.{target}" in self._tags:
            tags["data_hash"] = self._tags[f"data_hash.{target}"]
        return self.kept(WINNER, winner.snapshot, found, numbers, winner.judged, tags)

    def kept(
        self,
        name: str,
        snapshot: Snapshot,
        parameters: Mapping[str, str | int | float],
        numbers: Mapping[str, float],
        step: int,
        tags: Mapping[str, str],
    ) -> str:
        """Log a model with its snapshot as a run of its own and close the search; return the run's id.

        Parameters
        ----------
        name, tags
            Of the run.
        snapshot
            The model.
        parameters, numbers, step
            How it was made, how it did, and after how many rows.
        """
        with self._store.writing():
            run = self._start(name, {"mlflow.parentRunId": self.parent, **tags})
            self._params(run, parameters)
            self._metrics(run, numbers, step)
            self._metrics(self.parent, numbers, step)
            with tempfile.TemporaryDirectory() as folder:
                digest = save_snapshot(snapshot, Path(folder, SNAPSHOT))
                self._client.log_artifacts(run, folder)
            read = "\n".join(snapshot.schema.names)
            self._client.log_text(run, f"{read}\n", "features.txt")
            self._client.set_tag(run, "snapshot_sha256", digest)
            self._end(run, "FINISHED")
            self._end(self.parent, "FINISHED")
        return run

    def stopped(self) -> None:
        """Close what is still open as killed: the search ended before its end."""
        with self._store.writing():
            for run in (*self._runs.values(), self.parent):
                if run not in self._ended:
                    self._end(run, "KILLED")

    def _start(self, name: str, tags: Mapping[str, str]) -> str:
        run = self._client.create_run(self._experiment, start_time=self._now(), run_name=name)
        number = str(run.info.run_id)
        both = {**self._tags, **tags}
        self._client.log_batch(number, tags=[RunTag(key, value) for key, value in both.items()])
        return number

    def _params(self, run: str, parameters: Mapping[str, str | int | float]) -> None:
        self._client.log_batch(run, params=[Param(key, str(value)) for key, value in parameters.items()])

    def _metrics(self, run: str, numbers: Mapping[str, float], step: int) -> None:
        now = self._now()
        finite = {key: value for key, value in numbers.items() if math.isfinite(value)}
        self._client.log_batch(run, metrics=[Metric(key, value, now, step) for key, value in finite.items()])

    def _end(self, run: str, status: str) -> None:
        self._client.set_terminated(run, status, end_time=self._now())
        self._ended.add(run)

    def _now(self) -> int:
        return self._clock.now_ns() // 1_000_000
