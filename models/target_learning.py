"""From a trial of a target to a snapshot that the gate can judge: it has seen no row that is kept back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.schema import FeatureSchema
from models.conformal_scaled import ScaledConformal
from models.courses import Course
from models.experts import GivenBaseline
from models.forecaster import Forecaster, Window
from models.inputs import BASELINE
from models.rebuilding import rebuild
from models.snapshot import Snapshot
from models.targets.table import Kind, TargetTable
from models.trials import Trial


def learn_target(table: TargetTable, found: Trial, seed: int, *, nominal: float) -> Snapshot:
    """Teach a fresh model all labels known when judging begins.

    Parameters
    ----------
    table
        The target; its rows from ``first_judged`` on are kept back for the gate.
    found
        A finished trial of the setting on learning rows (see :func:`models.courses.search_part`): intervals
        begin with the errors of what it served.
    seed
        Seeds the model.
    nominal
        Coverage that intervals aim at.

    Raises
    ------
    ModelError
        If the model cannot learn from the target.
    """
    trial = Trial(
        table,
        found.setting,
        seed,
        anchor=found.course.anchor,
        features=found.features,
        frozen=found.frozen,
    )
    trial.begin()
    return snapshot_of(trial, served_intervals(found, nominal=nominal))


def snapshot_of(trial: Trial, conformal: ScaledConformal) -> Snapshot:
    """Return a copy of a trial's model before it has seen a judged row; learning on does not change it."""
    return _snapshot(
        trial.course,
        rebuild(trial.forecaster.name, trial.forecaster.state()),
        conformal,
        features=trial.features,
        window=trial.setting.window,
    )


def baseline_snapshot(table: TargetTable, searched: Course, *, nominal: float) -> Snapshot:
    """Return the baseline that models correct as a version that can serve.

    Parameters
    ----------
    table
        The target.
    searched
        Its learning rows, whose errors intervals begin with.
    nominal
        Coverage that intervals aim at.
    """
    anchor = searched.anchor
    conformal = _intervals(searched, searched.table.baselines[anchor], nominal)
    return _snapshot(Course(table, anchor), GivenBaseline(), conformal, features=(), window=1)


def served_intervals(trial: Trial, *, nominal: float) -> ScaledConformal:
    """Return intervals that have learned from each forecast of a finished trial when its label arrived."""
    return _intervals(trial.course, trial.values(np.arange(len(trial.course.table))), nominal)


def example_window(table: TargetTable, snapshot: Snapshot) -> Window:
    """Return a real window that a version can answer: the one before judging begins."""
    last = max(min(table.first_judged, len(table)) - 1, 0)
    return Course(table, snapshot.corrects).window(last, snapshot.window)


def _snapshot(
    course: Course,
    forecaster: Forecaster,
    conformal: ScaledConformal,
    *,
    features: tuple[str, ...],
    window: int,
) -> Snapshot:
    table = course.table
    return Snapshot(
        forecaster=forecaster,
        conformal=conformal,
        schema=FeatureSchema((*features, BASELINE)),
        window=window,
        target=table.name,
        horizon_blocks=int(np.median(table.known - table.issued)),
        # labels known when the first judged row is issued were learned from, and none later
        state_block=int(table.issued[min(table.first_judged, len(table) - 1)]),
        corrects=course.anchor,
    )


def _intervals(course: Course, values: NDArray[np.float64], nominal: float) -> ScaledConformal:
    conformal, table, first = ScaledConformal(nominal), course.table, course.table.first_judged
    if table.kind is Kind.PROBABILITY:
        # both bounds of a probability are its value
        return conformal
    served: dict[int, tuple[float, float, float]] = {}
    known = course.known(first)
    for row in range(first, len(table)):
        now = course.known(row)
        for at in course.arrivals(known, now).tolist():
            if at in served:
                conformal.update(*served.pop(at), label=float(table.label[at]))
        known = now
        value = float(values[row])
        served[row] = (value, *conformal.interval(value))
    return conformal
