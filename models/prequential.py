"""Judge forecasters on a target as time would have it: forecast, wait for the label, then learn.

A label is handed over at the first forecast issued when it is known, never before. A label that
never comes is counted and not learned from. Baselines are judged by the same rule, with intervals
made the same way, so that nothing separates them from a model but their forecasts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.seams import Clock, SystemClock
from models.as_served import AsServed
from models.conformal_scaled import ScaledConformal
from models.experts import Frozen, GivenBaseline
from models.forecaster import Forecaster
from models.label_stream import LabelStream, anchor_of, arrivals, feature_rows, typical_error
from models.mix import ExpertMix
from models.rebuilding import rebuild
from models.targets.table import Kind, TargetTable

REHEARSED = 500
"""Learning rows at the end that are stepped through one by one, so that intervals start warm."""
TELL_EVERY = 100
"""Forecasts between two words about progress, which cost as much as a cheap forecast."""

Advance = Callable[[int], None]
"""Told the number of forecasts made so far, of all models."""
Mixing = Callable[[Sequence[Forecaster]], ExpertMix]
"""Makes one forecaster of several."""
_Costs = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """What one forecaster said on the judged rows; arrays of one length.

    Parameters
    ----------
    name, baseline
        Forecaster, and whether it is one of the table's baselines.
    value, lower, upper
        ``float64``: forecast and interval as served, in the target's unit; a probability has no
        interval, and both bounds are its value.
    predict_us, learn_us
        Median time of one forecast and of one label, microseconds; 0 for a baseline.
    """

    name: str
    baseline: bool
    value: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    predict_us: float = 0.0
    learn_us: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """Everything served on the judged rows of a target.

    Parameters
    ----------
    table, nominal
        The target, and the coverage that intervals aim at.
    rows
        ``int64``: judged rows of the table, those with a label, in order.
    censored
        Rows that would be judged but whose label never came.
    anchor
        Baseline that residual models correct: the best one on the rows for learning.
    typical
        ``float64[judged]``: typical error of the anchor as known at issue, in the target's unit.
    served
        By name: models first, then baselines.
    leader_changes
        How often the mix found another expert to lead for good; ``None`` where there is no mix.
    """

    table: TargetTable
    nominal: float
    rows: NDArray[np.int64]
    censored: int
    anchor: str
    typical: NDArray[np.float64]
    served: Mapping[str, Served]
    leader_changes: int | None = None

    @property
    def label(self) -> NDArray[np.float64]:
        """Labels of the judged rows."""
        return self.table.label[self.rows]


def run_prequential(
    table: TargetTable,
    models: Sequence[Forecaster],
    *,
    nominal: float = 0.9,
    window: int = 16,
    learn_every: Mapping[str, int] = MappingProxyType({}),
    freeze: Mapping[str, str] = MappingProxyType({}),
    mixing: Mixing | None = None,
    advance: Advance = lambda _done: None,
    clock: Clock | None = None,
) -> Results:
    """Run models and the table's baselines over a target.

    Parameters
    ----------
    table
        The target; rows before ``first_judged`` are learned from and not judged.
    models
        Forecasters that have seen nothing; each learns in the course of this.
    nominal
        Coverage that intervals aim at.
    window
        Rows a model is given, the last one being the row it forecasts on.
    learn_every
        By model, for those that cost too much to learn from each label once they are fitted: learn
        from those of every so many rows.
    freeze
        By model, the name under which it is also judged as one that stops learning when judging begins.
    mixing
        Makes a mix of the models and the corrected baseline; it is given what they served.
    advance, clock
        Told the forecasts made so far; measures the cost of a step.

    Raises
    ------
    ModelError
        If names repeat, no judged row has a label, or a model forecasts no number.
    """
    twins = [freeze[model.name] for model in models if model.name in freeze]
    names = [*(model.name for model in models), *twins, *table.baselines]
    if len(set(names)) != len(names) or window < 1:
        raise ModelError("models need names of their own, and a window at least one row", names=names)
    after = np.arange(table.first_judged, len(table))
    rows = after[np.isfinite(table.label[after])]
    if not len(rows):
        raise ModelError(f"no judged row of {table.name} has a label; judge a longer span", target=table.name)
    anchor, ticking = anchor_of(table), clock or SystemClock()
    stream = LabelStream(table, feature_rows(table, anchor), window, max(table.first_judged - REHEARSED, 0))
    said: dict[str, NDArray[np.float64]] = {}
    costs: dict[str, _Costs] = {}
    for number, model in enumerate(models):
        tell = partial(_advance, advance, number * (len(table) - stream.start))
        thinned = replace(stream, every=learn_every.get(model.name, 1))
        kept: list[Frozen] | None = [] if model.name in freeze else None
        said[model.name], costs[model.name] = _serve(thinned, model, ticking, tell, kept)
        if kept is not None:
            name = freeze[model.name]
            said[name], costs[name] = _serve_frozen(stream, kept[0], said[model.name], ticking)
    changes = None
    if mixing is not None and models:
        mix = mixing([GivenBaseline(), *(AsServed(name, values) for name, values in said.items())])
        said[mix.name], own = _serve(stream, mix, ticking, _silent)
        changes = mix.leader_changes
        # what serving the mix takes is what serving its experts takes, and mixing
        costs[mix.name] = (
            own[0] + sum(c[0] for c in costs.values()),
            own[1] + sum(c[1] for c in costs.values()),
        )
    served = {
        name: _with_intervals(name, stream, values, rows, nominal, costs.get(name))
        for name, values in {**said, **table.baselines}.items()
    }
    censored, typical = len(after) - len(rows), typical_error(table, anchor)[rows]
    return Results(table, nominal, rows, censored, anchor, typical, served, changes)


def _silent(_done: int) -> None:
    """Tell nobody: mixing takes no time worth a bar."""


def _advance(advance: Advance, before: int, done: int) -> None:
    advance(before + done)


def _serve(
    stream: LabelStream, model: Forecaster, clock: Clock, advance: Advance, kept: list[Frozen] | None = None
) -> tuple[NDArray[np.float64], _Costs]:
    """Walk a model through the rows; ``kept`` is given a copy as it stands when judging begins."""
    table, start = stream.table, stream.start
    values = np.full(len(table), np.nan)
    predicted: list[int] = []
    learned: list[int] = []
    for row, arrived in arrivals(table, start):
        if row == start:
            _fit(stream, model, arrived)
            arrived = []
        for at in (each for each in arrived if each % stream.every == 0):
            began = clock.monotonic_ns()
            model.learn_one(stream.window(at), float(table.label[at]))
            learned.append(clock.monotonic_ns() - began)
        if kept is not None and row == table.first_judged:
            kept.append(Frozen(rebuild(model.name, model.state())))
        window = stream.window(row)
        began = clock.monotonic_ns()
        values[row] = model.predict_one(window)
        predicted.append(clock.monotonic_ns() - began)
        if not math.isfinite(values[row]):
            raise ModelError(f"{model.name} forecasts no number on row {row} of {table.name}", row=row)
        done = row + 1 - start
        if done % TELL_EVERY == 0 or row == len(table) - 1:
            advance(done)
    if table.kind is Kind.PROBABILITY:
        values = np.clip(values, 0.0, 1.0)
    return values, (_median_us(predicted), _median_us(learned))


def _serve_frozen(
    stream: LabelStream, frozen: Frozen, before: NDArray[np.float64], clock: Clock
) -> tuple[NDArray[np.float64], _Costs]:
    """Ask a model that has stopped learning about the judged rows; ``before`` is what it said until then."""
    values = before.copy()
    predicted: list[int] = []
    for row in range(stream.table.first_judged, len(stream.table)):
        window = stream.window(row)
        began = clock.monotonic_ns()
        values[row] = frozen.predict_one(window)
        predicted.append(clock.monotonic_ns() - began)
    if stream.table.kind is Kind.PROBABILITY:
        values = np.clip(values, 0.0, 1.0)
    return values, (_median_us(predicted), 0.0)


def _fit(stream: LabelStream, model: Forecaster, rows: Sequence[int]) -> None:
    """Teach a model what is known before the first step: at once where it can be fitted so."""
    fit = getattr(model, "fit", None)
    labels = stream.table.label
    if fit is not None and rows:
        fit([stream.window(row) for row in rows], [float(labels[row]) for row in rows])
        return
    for row in rows:
        model.learn_one(stream.window(row), float(labels[row]))


def _with_intervals(
    name: str,
    stream: LabelStream,
    values: NDArray[np.float64],
    rows: NDArray[np.int64],
    nominal: float,
    costs: _Costs | None,
) -> Served:
    lower, upper = values.copy(), values.copy()
    if stream.table.kind is Kind.NUMBER:
        _add_intervals(stream, values, lower, upper, nominal)
    return Served(name, costs is None, values[rows], lower[rows], upper[rows], *(costs or (0.0, 0.0)))


def _add_intervals(
    stream: LabelStream,
    values: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    nominal: float,
) -> None:
    """Fill in bounds as they would have been served: each follows from labels known at its issue."""
    conformal = ScaledConformal(nominal)
    for row, arrived in arrivals(stream.table, stream.start):
        for at in arrived:
            if at >= stream.start:
                served = (float(values[at]), float(lower[at]), float(upper[at]))
                conformal.update(*served, float(stream.table.label[at]))
        lower[row], upper[row] = conformal.interval(float(values[row]))


def _median_us(nanoseconds: Sequence[int]) -> float:
    return float(np.median(nanoseconds)) / 1000 if nanoseconds else 0.0
