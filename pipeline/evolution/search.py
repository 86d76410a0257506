"""Ray Tune over settings: stop the hopeless early, or let a population learn from its best.

Ray must have been started. ASHA (asynchronous successive halving) stops trials that fall behind; population
based training lets the worst go on from the exact state of the best, with another rate of learning. Trials
see no row on which the winner is judged.

References
----------
Li et al., "A System for Massively Parallel Hyperparameter Tuning" (2020).
Jaderberg et al., "Population Based Training of Neural Networks" (2017).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, PopulationBasedTraining, TrialScheduler

from core.errors import ModelError
from core.seams import Randomness
from models.targets.table import TargetTable
from models.trial_settings import Setting, draw_settings, explore
from models.trials import CHUNKS
from pipeline.evolution.trainable import SETTING, OnlineTrial, read_state

METRIC = "skill"
GRACE = 2
"""Chunks that every trial may judge before it can be stopped."""

REDUCTION = 2
"""ASHA lets one of so many go on at each rung."""

PERTURB = 2
"""Chunks between two moments at which a population learns from its best."""

TUNE_ENVIRONMENT: Mapping[str, str] = {
    # Ctrl-C is ours: Tune would take the first one as a wish to stop gently, and go on
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # we log ourselves; its own files would be written for nobody
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # the newer of its two ways to print knows no silence
    "RAY_AIR_NEW_OUTPUT": "0",
}


class Scheduler(StrEnum):
    """How a search spends its time."""

    ASHA = "asha"
    PBT = "pbt"


class Observer:
    """Told what trials do, as they do it; does nothing by itself."""

    def reported(self, trial: str, setting: Setting, chunk: int, metrics: Mapping[str, float]) -> None:
        """Take in what a trial reports after its ``chunk``-th chunk."""

    def ended(self, trial: str, error: str) -> None:
        """Take in that a trial has ended; ``error`` is empty where nothing went wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """How one trial ended.

    Parameters
    ----------
    trial
        Its name.
    setting
        What it ran with in the end.
    chunks
        Chunks it judged; fewer than all where it was stopped early.
    skill
        Against the hardest baseline on the judged learning rows; NaN where it failed.
    error
        First line of what went wrong; empty if nothing did.
    state
        State of the trial at its end; none after ASHA, whose winner learns from all rows anew.
    """

    trial: str
    setting: Setting
    chunks: int
    skill: float
    error: str
    state: dict[str, Any] | None


def search(
    tables: Mapping[str, TargetTable],
    *,
    trials: int,
    scheduler: Scheduler,
    seed: int,
    folder: Path,
    observer: Observer,
    models: Sequence[str] = (),
) -> tuple[Tried, ...]:
    """Run trials and return how they ended, best first.

    Parameters
    ----------
    tables
        Targets by name, cut to the rows that may be searched on (see ``models.courses.search_part``).
    trials
        How many settings, or members of a population.
    scheduler
        How to spend the time.
    seed
        Seeds settings, models and exploration. A population goes step by step and repeats exactly; ASHA
        decides by who comes first, so which trials it stops early may differ from run to run.
    folder
        For Ray's files; all machines of a cluster must see it.
    observer
        Told of every step.
    models
        Only these; all that fit where empty.

    Raises
    ------
    ModelError
        If every trial failed; the first reason is in the message.
    """
    kinds = {name: table.kind for name, table in tables.items()}
    settings = draw_settings(kinds, Randomness(seed), trials, models)
    with _environment(TUNE_ENVIRONMENT), _seeded(Randomness(seed).derive("choices of Ray Tune")):
        tuner = tune.Tuner(
            tune.with_parameters(OnlineTrial, tables=dict(tables), seed=seed),
            param_space={SETTING: tune.grid_search([asdict(setting) for setting in settings])},
            tune_config=tune.TuneConfig(
                metric=METRIC,
                mode="max",
                scheduler=_scheduler(scheduler, seed),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=str(folder),
                verbose=0,
                stop={"training_iteration": CHUNKS},
                callbacks=[_Callback(observer)],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=scheduler is Scheduler.PBT),
            ),
        )
        results: Any = tuner.fit()
    tried = [_tried(result, number) for number, result in enumerate(results)]
    done = [one for one in tried if not one.error]
    if not done:
        raise ModelError(f"every trial failed, the first one so: {tried[0].error}", trials=len(tried))
    # a trial that was stopped early is judged on fewer rows; among the whole ones the best wins
    return tuple(sorted(tried, key=lambda one: (bool(one.error), -one.chunks, -one.skill, one.trial)))


def _scheduler(scheduler: Scheduler, seed: int) -> TrialScheduler:
    if scheduler is Scheduler.ASHA:
        return AsyncHyperBandScheduler(max_t=CHUNKS, grace_period=GRACE, reduction_factor=REDUCTION)
    stream = Randomness(seed).stream("exploration of a population")

    def explored(config: dict[str, Any]) -> dict[str, Any]:
        return {**config, SETTING: asdict(explore(Setting(**config[SETTING]), stream))}

    return PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=PERTURB,
        custom_explore_fn=explored,
        log_config=False,
        synch=True,
    )


def _tried(result: Any, number: int) -> Tried:
    metrics = result.metrics or {}
    failed = result.error is not None or METRIC not in metrics
    state = None
    if not failed and result.checkpoint is not None:
        with result.checkpoint.as_directory() as place:
            state = read_state(Path(place))
    return Tried(
        trial=str(metrics.get("trial_id", f"trial {number}")),
        setting=Setting(**metrics.get(SETTING, result.config[SETTING])),
        chunks=int(metrics.get("training_iteration", 0)),
        skill=float(metrics.get(METRIC, float("nan"))),
        error=_last_line(str(result.error)) if failed else "",
        state=state,
    )


def _last_line(text: str) -> str:
    # a remote traceback ends with what was raised
    return (text.strip().splitlines() or ["it reported nothing"])[-1]


class _Callback(tune.Callback):
    """Passes Tune's events on; keeps nothing that Tune would save."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def __reduce__(self) -> tuple[Any, ...]:
        # Tune saves its callbacks so that a search could be resumed; a screen and a database cannot be saved
        return (_Callback, (Observer(),))

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        metrics = {
            key: float(value)
            for key, value in result.items()
            if key in ("skill", "recent", "loss", "rows") or key.startswith("loss.")
        }
        # the scheduler has been asked before us, and the trial may have another setting by now
        setting = Setting(**result[SETTING])
        self._observer.reported(trial.trial_id, setting, int(result["training_iteration"]), metrics)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._observer.ended(trial.trial_id, "")

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._observer.ended(trial.trial_id, "failed")


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the process-wide generator meanwhile: Tune draws from it whom a member learns from."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
