"""Every target through every model, one table each: what ``omniarb evaluate`` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from core.seams import Randomness
from features.schema import FeatureSchema
from models.benchmark_tracks import TrackScore, score_track, tracks
from models.boosting import Boosting
from models.forecaster import Forecaster
from models.inputs import BASELINE
from models.logit_lstm import LogitLSTM
from models.mix import ExpertMix
from models.prequential import REHEARSED, Advance, Results, run_prequential
from models.quantile_lstm import QuantileLSTM
from models.river_logistic import RiverLogistic
from models.river_renewed import RiverSeries, RiverTree
from models.scorecard import Scorecard, make_scorecard
from models.targets.registry import TARGETS, build_targets
from models.targets.table import Kind, TargetTable
from models.trial_settings import LEARN_EVERY

NOMINAL = 0.9
WINDOW = 16
HIDDEN = 32
MOST_JUDGED = 12_000
MOST_LEARNED = 12_000
"""Rows of a target that are used: the last before judging begins, and the first of the judged."""
FROZEN = {QuantileLSTM.name: "frozen_lstm", LogitLSTM.name: "frozen_lstm"}
"""Models that are also judged as they stood when judging began, as versions serve, and under what name."""
SHORT_TRACKS = ("AirlinePassengers",)

Step = Callable[[str, int], AbstractContextManager[Advance]]
"""Told what comes next and how many forecasts it takes; gives whom to tell as they are made."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """One target: what was served, and its table."""

    results: Results
    card: Scorecard


def evaluate_targets(
    root: Path, names: Sequence[str] | None, *, seed: int, short: bool, step: Step
) -> Iterator[Evaluated]:
    """Judge every model on every target of the recorded data.

    Parameters
    ----------
    root
        Folder of recorded history.
    names
        Targets; all where None.
    seed
        Seeds models and resampling.
    short
        Whether to use some 2,000 rows of each target.
    step
        Opened for each target.

    Raises
    ------
    InputError
        If a name is unknown, or a recording is missing or not what it should be.
    ModelError
        If a target cannot be judged.
    """
    for whole in build_targets(root, names, short=short):
        table = capped(whole)
        models = contenders(table, seed)
        rows = len(table) - max(table.first_judged - REHEARSED, 0)
        with step(f"{table.name}: {TARGETS[table.name]}", rows * len(models)) as advance:
            results = run_prequential(
                table,
                models,
                nominal=NOMINAL,
                window=WINDOW,
                learn_every=LEARN_EVERY,
                freeze=FROZEN,
                mixing=partial(ExpertMix, kind=table.kind),
                advance=advance,
            )
        yield Evaluated(results, make_scorecard(results, seed=seed))


def evaluate_tracks(*, seed: int, short: bool, step: Step) -> tuple[TrackScore, ...]:
    """Judge the LSTM on the public series, all of them or the shortest."""
    chosen = {name: series for name, series in tracks().items() if not short or name in SHORT_TRACKS}
    scores: list[TrackScore] = []
    with step("public series that others publish figures of", len(chosen)) as advance:
        for done, (name, series) in enumerate(chosen.items(), 1):
            scores += score_track(name, series, lambda table: [_lstm(table, seed)], window=WINDOW)
            advance(done)
    return tuple(scores)


def contenders(table: TargetTable, seed: int) -> list[Forecaster]:
    """Return fresh models for a target."""
    schema, randomness = _schema(table), Randomness(seed)
    if table.kind is Kind.PROBABILITY:
        lstm = LogitLSTM(schema, randomness, window=WINDOW, hidden=HIDDEN)
        return [RiverLogistic(schema), Boosting(schema, table.kind), lstm]
    return [
        _lstm(table, seed),
        RiverTree(schema, randomness),
        RiverSeries(schema, randomness),
        Boosting(schema, table.kind),
    ]


def capped(table: TargetTable) -> TargetTable:
    """Return the table with at most ``MOST_LEARNED`` and ``MOST_JUDGED`` rows around where judging begins."""
    kept = slice(max(table.first_judged - MOST_LEARNED, 0), table.first_judged + MOST_JUDGED)
    return replace(
        table,
        values=table.values[kept],
        label=table.label[kept],
        issued=table.issued[kept],
        known=table.known[kept],
        baselines={name: forecast[kept] for name, forecast in table.baselines.items()},
        first_judged=table.first_judged - kept.start,
    )


def _schema(table: TargetTable) -> FeatureSchema:
    return FeatureSchema((*table.names, BASELINE))


def _lstm(table: TargetTable, seed: int) -> Forecaster:
    return QuantileLSTM(_schema(table), Randomness(seed), window=WINDOW, hidden=HIDDEN)
