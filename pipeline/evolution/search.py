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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, PopulationBasedTraining, TrialScheduler

from core.errors import ModelError
from core.seams import Randomness
from models.targets.table import TargetTable
from models.trial_settings import Setting, draw_settings, explore
from models.trials import CHUNKS, Trial
from pipeline.evolution.surroundings import quiet_tune, seeded
from pipeline.evolution.trainable import SETTING, OnlineTrial, Steps, read_state

METRIC = "skill"
METRICS = (METRIC, "recent", "loss", "kept", "rows")
"""What is passed on of what trials report, beside the loss of each baseline."""

GRACE = 2
"""Chunks that every trial may judge before it can be stopped."""

REDUCTION = 2
"""ASHA lets one of so many go on at each rung."""

PERTURB = 2
"""Chunks between two moments at which a population learns from its best."""


class Scheduler(StrEnum):
    """How a search spends its time."""

    ASHA = "asha"
    PBT = "pbt"


class Observer:
    """Told what trials do, as they do it; does nothing by itself."""

    def reported(self, trial: str, setting: Any, chunk: int, metrics: Mapping[str, float]) -> None:
        """Take in what a trial reports after its ``chunk``-th chunk."""

    def ended(self, trial: str, error: str) -> None:
        """Take in that a trial has ended; ``error`` is empty where nothing went wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """What a search tries.

    Parameters
    ----------
    settings
        Frozen dataclasses of one kind.
    begin
        Begins the trial of a setting, given as its fields; Ray carries it to where trials run.
    explored
        Returns a setting nearby that can go on from the same state.
    """

    settings: Sequence[Any]
    begin: Callable[[Mapping[str, Any]], Steps]
    explored: Callable[[Any, np.random.Generator], Any]

    def setting(self, values: Mapping[str, Any]) -> Any:
        """Return the setting of these fields."""
        return type(self.settings[0])(**values)


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
    setting: Any
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
    """Try models on targets and return how the trials ended, best first.

    Parameters
    ----------
    tables
        Targets by name, cut to the rows that may be searched on (see ``models.courses.search_part``).
    trials
        How many settings, or members of a population.
    scheduler, seed, folder, observer
        As of :func:`run_trials`.
    models
        Only these; all that fit where empty.

    Raises
    ------
    ModelError
        If every trial failed; the first reason is in the message.
    """
    kinds = {name: table.kind for name, table in tables.items()}
    space = Space(
        settings=draw_settings(kinds, Randomness(seed), trials, models),
        begin=partial(_begin, dict(tables), seed),
        explored=explore,
    )
    return run_trials(space, scheduler=scheduler, seed=seed, folder=folder, observer=observer)


def _begin(tables: Mapping[str, TargetTable], seed: int, values: Mapping[str, Any]) -> Trial:
    setting = Setting(**values)
    return Trial(tables[setting.target], setting, seed)


def run_trials(
    space: Space, *, scheduler: Scheduler, seed: int, folder: Path, observer: Observer
) -> tuple[Tried, ...]:
    """Run trials and return how they ended, best first.

    Parameters
    ----------
    space
        What to try.
    scheduler
        How to spend the time.
    seed
        Seeds exploration. A population goes step by step and repeats exactly; ASHA decides by who comes
        first, so which trials it stops early may differ from run to run.
    folder
        For Ray's files; all machines of a cluster must see it.
    observer
        Told of every step.

    Raises
    ------
    ModelError
        If every trial failed; the first reason is in the message.
    """
    with quiet_tune(), seeded(Randomness(seed).derive("choices of Ray Tune")):
        tuner = tune.Tuner(
            tune.with_parameters(OnlineTrial, begin=space.begin),
            param_space={SETTING: tune.grid_search([asdict(setting) for setting in space.settings])},
            tune_config=tune.TuneConfig(
                metric=METRIC,
                mode="max",
                scheduler=_scheduler(scheduler, space, seed),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=str(folder),
                verbose=0,
                stop={"training_iteration": CHUNKS},
                callbacks=[_Callback(observer, space)],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=scheduler is Scheduler.PBT),
            ),
        )
        results: Any = tuner.fit()
    tried = [_tried(result, number, space) for number, result in enumerate(results)]
    done = [one for one in tried if not one.error]
    if not done:
        raise ModelError(f"every trial failed, the first one so: {tried[0].error}", trials=len(tried))
    # a trial that was stopped early is judged on fewer rows; among the whole ones the best wins
    return tuple(sorted(tried, key=lambda one: (bool(one.error), -one.chunks, -one.skill, one.trial)))


def _scheduler(scheduler: Scheduler, space: Space, seed: int) -> TrialScheduler:
    if scheduler is Scheduler.ASHA:
        return AsyncHyperBandScheduler(max_t=CHUNKS, grace_period=GRACE, reduction_factor=REDUCTION)
    stream = Randomness(seed).stream("exploration of a population")

    def explored(config: dict[str, Any]) -> dict[str, Any]:
        return {**config, SETTING: asdict(space.explored(space.setting(config[SETTING]), stream))}

    return PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=PERTURB,
        custom_explore_fn=explored,
        log_config=False,
        synch=True,
    )


def _tried(result: Any, number: int, space: Space) -> Tried:
    metrics = result.metrics or {}
    failed = result.error is not None or METRIC not in metrics
    state = None
    if not failed and result.checkpoint is not None:
        with result.checkpoint.as_directory() as place:
            state = read_state(Path(place))
    return Tried(
        trial=str(metrics.get("trial_id", f"trial {number}")),
        setting=space.setting(metrics.get(SETTING, result.config[SETTING])),
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

    def __init__(self, observer: Observer, space: Space) -> None:
        self._observer, self._space = observer, space

    def __reduce__(self) -> tuple[Any, ...]:
        # Tune saves its callbacks so that a search could be resumed; a screen and a database cannot be saved
        return (tune.Callback, ())

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        metrics = {
            key: float(value) for key, value in result.items() if key in METRICS or key.startswith("loss.")
        }
        # the scheduler has been asked before us, and the trial may have another setting by now
        setting = self._space.setting(result[SETTING])
        self._observer.reported(trial.trial_id, setting, int(result["training_iteration"]), metrics)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._observer.ended(trial.trial_id, "")

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._observer.ended(trial.trial_id, "failed")
