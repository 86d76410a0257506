"""What the learner forgets when blocks are orphaned, how far back it can go, and bad numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelError
from core.reasons import Reason
from core.seams import Randomness
from features.feature import FeatureRow
from market.state import JOURNAL_DEPTH
from models.baselines import ExactFormula, Persistence
from models.evaluation import Study
from models.forecaster import Forecast, Forecaster
from models.learner import PrequentialLearner
from models.lstm import ResidualLSTM
from models.river_models import RiverResidual
from tests.stories import SCHEMA, story


def learner_of(*models: Forecaster, horizon: int = 2, window: int = 4) -> PrequentialLearner:
    baselines = (ExactFormula(), Persistence())
    return PrequentialLearner(models, baselines, SCHEMA, horizon=horizon, window=window)


def walk(
    learner: PrequentialLearner, rows: list[FeatureRow], fees: list[float]
) -> list[tuple[Forecast, ...]]:
    return [learner.step(row, fee) for row, fee in zip(rows, fees, strict=True)]


def judged(study: Study) -> dict[str, tuple[list[float], ...]]:
    return {
        name: tuple(
            column.tolist() for column in (one.blocks, one.truth, one.prediction, one.lower, one.upper)
        )
        for name, one in study.series.items()
    }


def test_after_a_reorg_forecasts_are_judged_by_the_new_branch() -> None:
    rows, fees = story(40, 9)
    other_rows, other_fees = story(40, 10)
    learner = learner_of(horizon=2, window=4)
    walk(learner, rows, fees)
    learner.rollback(35)
    walk(learner, other_rows[35:], other_fees[35:])
    series = learner.study().series["persistence"]
    assert series.blocks.tolist() == list(range(6, 41))
    assert series.truth.tolist() == fees[5:35] + other_fees[35:]
    # blocks 36 and 37 were forecast on 34 and 35, which stayed; 38 on the new 36
    assert series.prediction[-5:].tolist() == [fees[33], fees[34], *other_fees[35:38]]


@settings(max_examples=30, deadline=None)
@given(
    past=st.integers(3, 90),
    orphans=st.integers(1, 40),
    branch=st.integers(1, 30),
    horizon=st.integers(1, 4),
    window=st.integers(1, 6),
    seed=st.integers(0, 10**6),
)
def test_after_a_reorg_baselines_and_intervals_are_as_if_the_orphans_had_never_been_seen(
    past: int, orphans: int, branch: int, horizon: int, window: int, seed: int
) -> None:
    rows, fees = story(past + orphans, seed)
    other_rows, other_fees = story(past + branch, seed + 1)
    straight, reorged = (learner_of(horizon=horizon, window=window) for _ in range(2))
    walk(straight, rows[:past], fees[:past])
    walk(reorged, rows, fees)
    reorged.rollback(past)
    expected = walk(straight, other_rows[past:], other_fees[past:])
    assert walk(reorged, other_rows[past:], other_fees[past:]) == expected
    assert judged(reorged.study()) == judged(straight.study())


def test_an_orphan_does_not_decide_between_equal_baselines() -> None:
    rows, _ = story(60, 1)
    # both baselines are right about every block, until the orphans
    flat = [replace(row, values=(20.0, 20.0, *row.values[2:])) for row in rows]
    strange = [replace(row, values=(20.0, 20.3 + row.block_number / 7, *row.values[2:])) for row in rows]
    learner = learner_of()
    best = walk(learner, flat[:30], [20.0] * 30)[-1][0].baseline
    walk(learner, strange[30:50], [20.1 + place / 3 for place in range(20)])
    learner.rollback(30)
    assert {one[0].baseline for one in walk(learner, flat[30:], [20.0] * 30)} == {best}


@pytest.mark.parametrize("window", [4, 16])
def test_the_learner_goes_back_as_deep_as_the_journal_and_no_deeper(window: int) -> None:
    rows, fees = story(200, 9)
    learner, straight = learner_of(window=window), learner_of(window=window)
    walk(learner, rows, fees)
    for depth in (190, JOURNAL_DEPTH + window - 1, JOURNAL_DEPTH + 1):
        with pytest.raises(ModelError, match="cannot go back"):
            learner.rollback(200 - depth)
    learner.rollback(200 - JOURNAL_DEPTH)
    walk(straight, rows[: 200 - JOURNAL_DEPTH], fees[: 200 - JOURNAL_DEPTH])
    again = slice(200 - JOURNAL_DEPTH, 200)
    assert walk(learner, rows[again], fees[again]) == walk(straight, rows[again], fees[again])
    assert judged(learner.study()) == judged(straight.study())


def test_two_reorgs_together_go_no_deeper_than_the_journal() -> None:
    rows, fees = story(200, 9)
    learner = learner_of(window=16)
    walk(learner, rows, fees)
    learner.rollback(140)
    walk(learner, rows[140:145], fees[140:145])
    with pytest.raises(ModelError, match="cannot go back"):
        learner.rollback(130)
    learner.rollback(136)


def test_a_young_learner_goes_back_to_before_its_first_block() -> None:
    rows, fees = story(10, 9)
    learner, straight = learner_of(), learner_of()
    walk(learner, rows, fees)
    learner.rollback(1)
    walk(straight, rows[:1], fees[:1])
    assert walk(learner, rows[1:], fees[1:]) == walk(straight, rows[1:], fees[1:])
    learner.rollback(0)
    assert walk(learner, rows, fees) == walk(learner_of(), rows, fees)
    with pytest.raises(ModelError, match="back to block 0"):
        learner.rollback(-1)


@pytest.mark.parametrize("truth", [math.nan, math.inf])
def test_a_truth_that_is_no_number_is_refused_and_changes_nothing(truth: float) -> None:
    rows, fees = story(30, 5)
    learner, straight = learner_of(), learner_of()
    walk(learner, rows[:20], fees[:20])
    with pytest.raises(ModelError, match="finite"):
        learner.step(rows[20], truth)
    walk(straight, rows[:20], fees[:20])
    assert walk(learner, rows[20:], fees[20:]) == walk(straight, rows[20:], fees[20:])
    assert judged(learner.study()) == judged(straight.study())


class Diverging:
    """Forecasts no number on the blocks it is told to."""

    name = "diverging"

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad

    def predict_one(self, window: Any) -> float:
        return math.nan if window[-1].block_number in self.bad else 20.0

    def learn_one(self, window: Any, label: float) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


def test_a_model_that_forecasts_no_number_is_named_and_nobody_is_judged_on_that_block() -> None:
    rows, fees = story(30, 5)
    learner = learner_of(Diverging({20}))
    walk(learner, rows[:19], fees[:19])
    with pytest.raises(ModelError, match="diverging forecasts nan"):
        learner.step(rows[19], fees[19])
    walk(learner, rows[20:], fees[20:])
    assert learner.study().series["persistence"].blocks.tolist() == [*range(6, 22), *range(23, 31)]


# --- rows and labels that cannot be used


def models_of(seed: int) -> tuple[Forecaster, ...]:
    return ResidualLSTM(SCHEMA, Randomness(seed), window=4, hidden=4), RiverResidual(SCHEMA)


BAD: dict[Reason, Callable[[FeatureRow], FeatureRow]] = {
    Reason.FEATURE_NOT_FINITE: lambda row: replace(row, values=(math.nan, *row.values[1:])),
    Reason.FEATURE_SET_DIFFERS: lambda row: replace(row, names=row.names[1:], values=row.values[1:]),
    Reason.TIME_WENT_BACK: lambda row: replace(row, event_time=row.event_time - 100),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_row_is_refused_with_its_reason_and_changes_nothing(reason: Reason) -> None:
    rows, fees = story(30, 5)
    learner, straight = learner_of(*models_of(1)), learner_of(*models_of(1))
    walk(learner, rows[:20], fees[:20])
    with pytest.raises(ModelError) as caught:
        learner.step(BAD[reason](rows[20]), fees[20])
    assert caught.value.fields["reason"] is reason
    walk(straight, rows[:20], fees[:20])
    assert walk(learner, rows[20:], fees[20:]) == walk(straight, rows[20:], fees[20:])


def test_after_a_burst_that_was_passed_over_models_forecast_again_once_a_window_is_whole() -> None:
    rows, fees = story(60, 5)
    learner = learner_of(*models_of(1), window=4)
    walk(learner, rows[:30], fees[:30])
    for place in range(30, 35):
        learner.learn(rows[place].block_number, fees[place])
    said = walk(learner, rows[35:], fees[35:])
    assert [len(one) for one in said] == [0, 0, 0, *[4] * 22]
    # labels of the burst's blocks came, so what was said about the first two of them is judged
    blocks = learner.study().series["persistence"].blocks.tolist()
    assert blocks == [*range(6, 33), *range(41, 61)]
    assert learner.missed == 0


def test_a_label_that_never_comes_is_counted_and_models_keep_forecasting() -> None:
    rows, fees = story(40, 5)
    learner = learner_of(*models_of(1))
    walk(learner, rows[:20], fees[:20])
    assert len(learner.step(rows[20], None)) == 4
    assert all(walk(learner, rows[21:], fees[21:]))
    assert learner.missed == 1
    assert learner.study().series["persistence"].blocks.tolist() == [*range(6, 21), *range(22, 41)]


@settings(max_examples=12, deadline=None)
@given(
    past=st.integers(1, 40),
    orphans=st.lists(st.sampled_from(["good", "no row", "no label"]), min_size=1, max_size=20),
    branch=st.lists(st.sampled_from(["good", "no row", "no label"]), max_size=12),
    seed=st.integers(0, 10**6),
)
def test_orphans_leave_no_trace_whatever_they_lacked(
    past: int, orphans: list[str], branch: list[str], seed: int
) -> None:
    rows, fees = story(past + 20, seed)
    other_rows, other_fees = story(past + len(branch) + 8, seed + 1)

    def take(learner: PrequentialLearner, row: FeatureRow, fee: float, kind: str) -> tuple[Forecast, ...]:
        truth = None if kind == "no label" else fee
        if kind != "no row":
            return learner.step(row, truth)
        learner.learn(row.block_number, truth)
        return ()

    straight, reorged = (learner_of(*models_of(1)) for _ in range(2))
    for learner in (straight, reorged):
        walk(learner, rows[:past], fees[:past])
    for place, kind in enumerate(orphans, start=past):
        take(reorged, rows[place], fees[place], kind)
    reorged.rollback(past)
    for place, kind in enumerate([*branch, *["good"] * 8], start=past):
        expected = take(straight, other_rows[place], other_fees[place], kind)
        assert take(reorged, other_rows[place], other_fees[place], kind) == expected
    assert judged(reorged.study()) == judged(straight.study())
