"""Public series give the figures that others measure; a perfect forecaster tells the protocols apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from river import evaluate, metrics, time_series

from models.benchmark_tracks import GRACE, HORIZON, Protocol, score_track, track_table, tracks
from models.forecaster import Forecaster
from models.targets.table import TargetTable
from tests.models.target_tables import Knows


class RiverPersistence(time_series.base.Forecaster):  # type: ignore[misc]
    """Persistence as river asks for it."""

    last = 0.0

    def learn_one(self, y, x=None):  # type: ignore[no-untyped-def]
        self.last = y

    def forecast(self, horizon, xs=None):  # type: ignore[no-untyped-def]
        return [self.last] * horizon


def by_protocol(track: str) -> dict[Protocol, float]:
    scores = score_track(track, tracks()[track], lambda table: [])
    return {score.protocol: score.mae for score in scores}


@pytest.mark.parametrize(
    ("track", "one_late", "aligned"),
    [("TrumpApproval", 0.304, 0.232), ("AirlinePassengers", 52.4, 40.9)],
)
def test_persistence_has_the_error_that_others_measure(track: str, one_late: float, aligned: float) -> None:
    scores = by_protocol(track)
    assert scores[Protocol.ONE_LATE] == pytest.approx(one_late, rel=2e-3)
    assert scores[Protocol.ALIGNED] == pytest.approx(aligned, rel=2e-3)


def test_the_late_protocol_is_rivers_own() -> None:
    data = list(enumerate(tracks()["AirlinePassengers"].tolist()))
    # river begins after as many values as it looks ahead; ours begins later, so the first ones are left out
    skipped = [({"step": step}, value) for step, value in data[GRACE - HORIZON :]]
    metric = evaluate.evaluate(
        skipped,
        RiverPersistence(),
        metrics.MAE(),
        horizon=HORIZON,
        agg_func=lambda errors: float(np.mean(errors)),
    )
    assert metric.get() == pytest.approx(by_protocol("AirlinePassengers")[Protocol.ONE_LATE])


def test_a_perfect_forecaster_scores_zero_where_it_is_asked_about_the_very_step() -> None:
    line = np.arange(60.0)

    def steps_ahead(table: TargetTable) -> Sequence[Forecaster]:
        horizon = int(table.horizon.split()[0])
        return [Knows({int(step): float(step + horizon) for step in table.issued})]

    scores = {
        score.protocol: score.mae
        for score in score_track("line", line, steps_ahead)
        if score.forecaster == "knows"
    }
    assert scores == {Protocol.ALIGNED: 0.0, Protocol.ONE_LATE: 1.0}


@pytest.mark.parametrize("protocol", list(Protocol))
def test_all_horizons_are_judged_on_the_same_rows(protocol: Protocol) -> None:
    series = np.arange(50.0)
    tables = [track_table("line", series, horizon, protocol) for horizon in (1, 2, 3)]
    assert len({len(table) for table in tables}) == 1
    assert all(np.isfinite(table.label).all() for table in tables)
    assert [table.label[0] for table in tables] == [
        1 + late for late in ([0, 1, 2] if protocol is Protocol.ALIGNED else [1, 2, 3])
    ]


def test_features_look_back_only() -> None:
    series = np.arange(50.0)
    changed = series.copy()
    changed[30:] = 0.0
    one, two = (track_table("line", each, 2, Protocol.ALIGNED) for each in (series, changed))
    assert np.array_equal(one.values[:30], two.values[:30])
    assert np.array_equal(one.baselines["persistence"][:30], two.baselines["persistence"][:30])
