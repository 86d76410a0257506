"""Search for a strategy on the learning rows, then judge the winner once on rows that no trial has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.seams import Randomness
from models.bootstrap import Skill, block_length, bootstrap_skill
from models.courses import Course, search_part
from models.snapshot import Snapshot
from models.target_learning import served_intervals, snapshot_of
from models.targets.table import TargetTable
from models.trial_settings import Setting
from models.trials import Trial
from pipeline.evolution.search import Observer, Scheduler, Tried, search
from pipeline.evolution.training import TRAINED, train_model

SEARCHED = 6000
"""Learning rows that trials use at most, the last ones: first half to fit, second half to be judged on."""

NOMINAL = 0.9


@dataclass(frozen=True, slots=True)
class EvolveOptions:
    """How to search.

    Parameters
    ----------
    trials
        Settings to try, or members of a population.
    scheduler
        ``asha`` or ``pbt``.
    seed
        Seeds everything drawn.
    workers
        Processes that train the winner; with more than one, Ray Train shares the work out.
    models
        Only these; all that fit where empty.
    """

    trials: int = 8
    scheduler: Scheduler = Scheduler.ASHA
    seed: int = 7
    workers: int = 1
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Winner:
    """The best trial, judged on the rows that were kept back.

    Parameters
    ----------
    tried
        The trial it comes from.
    source
        Recordings that its target is made of.
    features, anchor
        Features it reads, and the baseline it corrects.
    judged
        Rows with a label it was judged on.
    baseline
        Hardest baseline on them.
    loss, baseline_loss
        Mean loss of both: absolute error, or squared error of a probability.
    skill
        Against the hardest baseline, with a 95 % interval.
    snapshot
        The model before the first of them, ready to be put before the gate.
    """

    tried: Tried
    source: str
    features: tuple[str, ...]
    anchor: str
    judged: int
    baseline: str
    loss: float
    baseline_loss: float
    skill: Skill
    snapshot: Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Evolved:
    """All trials, best first, and the winner."""

    tried: tuple[Tried, ...]
    winner: Winner


def evolve(
    tables: Mapping[str, TargetTable],
    options: EvolveOptions,
    *,
    folder: Path,
    observer: Observer,
    judging: Callable[[int], None] = lambda _chunks: None,
) -> Evolved:
    """Search, train the winner on all learning rows, and judge it.

    Ray must have been started. After ASHA the winner's setting is trained afresh; after population based
    training its state goes on, since that state is what was found.

    Parameters
    ----------
    tables
        Targets by name; several make the horizon part of the search.
    options
        How to search.
    folder
        For Ray's files; all machines of a cluster must see it.
    observer, judging
        Told of the trials' steps; told the chunks of the judged rows done.

    Raises
    ------
    ModelError
        If a target is too short, every trial failed, or training failed.
    """
    parts = {name: search_part(table, SEARCHED) for name, table in tables.items()}
    tried = search(
        parts,
        trials=options.trials,
        scheduler=options.scheduler,
        seed=options.seed,
        folder=folder,
        observer=observer,
        models=options.models,
    )
    best = tried[0]
    target = best.setting.target
    found = Trial(parts[target], best.setting, options.seed)
    trial = _prepared(tables[target], found, best, options, folder)
    # its intervals begin with what it served as a trial
    snapshot = snapshot_of(trial, served_intervals(_served(found, best), nominal=NOMINAL))
    while not trial.finished:
        trial.step()
        judging(trial.chunks_done)
    return Evolved(tried, _winner(trial, best, snapshot, options.seed))


def _served(found: Trial, best: Tried) -> Trial:
    """Return the winner's trial at its end, as it was or run again."""
    if best.state is not None:
        found.restore(best.state)
    return found.run()


def _prepared(table: TargetTable, found: Trial, best: Tried, options: EvolveOptions, folder: Path) -> Trial:
    """Return the trial of the winner on the rows kept back, its model ready."""
    setting: Setting = best.setting
    trial = Trial(table, setting, options.seed, anchor=found.course.anchor, features=found.features)
    if best.state is not None:
        trial.forecaster.restore(best.state["model"])
        trial.adopt(trial.forecaster, taught=False)
    elif options.workers > 1 and setting.model in TRAINED:
        course: Course = trial.course
        rows = course.arrivals(0, course.known(table.first_judged))
        model = train_model(
            trial.forecaster, course, rows, workers=options.workers, seed=options.seed, folder=folder
        )
        trial.adopt(model, taught=True)
    trial.begin()
    return trial


def _winner(trial: Trial, best: Tried, snapshot: Snapshot, seed: int) -> Winner:
    rows, loss, baselines = trial.losses()
    hardest = min(baselines, key=lambda name: float(baselines[name].sum()))
    random = Randomness(seed).stream("interval of the winner")
    length = block_length(len(rows), trial.course.delay)
    return Winner(
        tried=best,
        source=trial.course.table.source,
        features=trial.features,
        anchor=trial.course.anchor,
        judged=len(rows),
        baseline=hardest,
        loss=float(loss.mean()),
        baseline_loss=float(baselines[hardest].mean()),
        skill=bootstrap_skill(loss, baselines[hardest], random, length=length),
        snapshot=snapshot,
    )
