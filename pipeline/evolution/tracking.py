"""What a search leaves in MLflow: one run that stands for it, and below it one per trial and the winner's."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from core.seams import Clock, SystemClock
from models.snapshot import save_snapshot
from models.tracking_store import TrackingStore
from models.trial_settings import Setting
from pipeline.evolution.evolve import Winner
from pipeline.evolution.search import Observer

EXPERIMENT = "evolution"
SNAPSHOT = "snapshot.zip"


class RunLog(Observer):
    """Writes each step of each trial as it comes; the driver alone writes, so no two wait for the file.

    Parameters
    ----------
    store
        Where to write.
    parameters, tags
        What was asked for, and what the search was made from.
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

    def __init__(
        self,
        store: TrackingStore,
        parameters: Mapping[str, str | int | float],
        tags: Mapping[str, str],
        *,
        advance: Callable[[int], None] = lambda _chunks: None,
        clock: Clock | None = None,
    ) -> None:
        self._store, self._clock, self._advance = store, clock or SystemClock(), advance
        self._client: MlflowClient = store.client()
        self._tags = dict(tags)
        self._runs: dict[str, str] = {}
        self._settings: dict[str, Setting] = {}
        self._ended: set[str] = set()
        self._chunks = 0
        with store.writing():
            self._experiment = store.experiment(self._client, EXPERIMENT)
            self.parent = self._start("evolve", {})
            self._params(self.parent, parameters)

    def reported(self, trial: str, setting: Setting, chunk: int, metrics: Mapping[str, float]) -> None:
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
            self._metrics(run, {**metrics, "rate": setting.rate, "every": float(setting.every)}, chunk)
        self._chunks += 1
        self._advance(self._chunks)

    def ended(self, trial: str, error: str) -> None:
        """Close a trial's run."""
        if trial in self._runs:
            with self._store.writing():
                self._end(self._runs[trial], "FAILED" if error else "FINISHED")

    def won(self, winner: Winner) -> str:
        """Log the winner with its snapshot and close the search; return the id of the winner's run."""
        with self._store.writing():
            run = self._start("winner", {"mlflow.parentRunId": self.parent, "trial": winner.tried.trial})
            found: dict[str, str | int | float] = {
                **asdict(winner.tried.setting),
                "anchor": winner.anchor,
                "hardest_baseline": winner.baseline,
                "judged": winner.judged,
            }
            self._params(run, found)
            numbers = {
                "skill": winner.skill.value,
                "skill_lower": winner.skill.lower,
                "skill_upper": winner.skill.upper,
                "loss": winner.loss,
                f"loss.{winner.baseline}": winner.baseline_loss,
                "skill_in_search": winner.tried.skill,
            }
            self._metrics(run, numbers, winner.judged)
            self._metrics(self.parent, numbers, winner.judged)
            with tempfile.TemporaryDirectory() as folder:
                digest = save_snapshot(winner.snapshot, Path(folder, SNAPSHOT))
                self._client.log_artifacts(run, folder)
            self._client.log_text(run, "\n".join(winner.features) + "\n", "features.txt")
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
