"""What is kept of judged forecasts: everything a study asks for, and of a run without end a bounded part."""

from __future__ import annotations

import tracemalloc
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelError
from features.feature import FeatureRow
from features.schema import FeatureSchema
from market.state import JOURNAL_DEPTH
from models.baselines import ExactFormula, Persistence
from models.evaluation import Study
from models.judged_rows import JudgedRows
from models.judgements import Judgements
from models.learner import PrequentialLearner

NAMES = ("base_fee_gwei", "next_base_fee_gwei")


def told(number: int, seed: int = 0) -> tuple[float, float, float, float]:
    """Return label, value, lower and upper bound about a block."""
    label = 20 + (number * 7 + seed) % 11 / 7
    value = 20 + (number * 5 + seed) % 13 / 9
    return label, value, value - 0.7, value + 0.7


def study_of(remembered: int | None, count: int) -> Study:
    judged = Judgements(["a_model"], ["persistence"], remembered)
    for number in range(count):
        for seed, name in enumerate(("a_model", "persistence")):
            # both speak about one label
            label = told(number)[0]
            judged.add(name, number, label, told(number, seed)[1:])
    return judged.study("base_fee_gwei", 2, 0.9)


def test_scores_are_of_all_forecasts_however_few_are_held() -> None:
    few, all_of_them = study_of(30, 500), study_of(None, 500)
    for score in all_of_them.scores:
        found, expected = astuple(few.score(score.name)), astuple(score)
        assert found[:3] == expected[:3]
        assert found[3:] == pytest.approx(expected[3:], rel=1e-12)
    assert [score.name for score in few.scores] == [score.name for score in all_of_them.scores]
    assert few.series["a_model"].blocks.tolist() == list(range(470, 500))
    kept = all_of_them.series["a_model"].prediction[-30:]
    assert few.series["a_model"].prediction.tolist() == kept.tolist()


def test_a_run_shorter_than_what_is_held_has_the_same_scores_to_the_bit() -> None:
    assert study_of(100, 100).scores == study_of(None, 100).scores


@settings(max_examples=40, deadline=None)
@given(
    past=st.integers(1, 300),
    orphans=st.integers(1, JOURNAL_DEPTH),
    branch=st.integers(0, 80),
    remembered=st.sampled_from([None, 20, 100]),
)
def test_orphans_leave_no_trace(past: int, orphans: int, branch: int, remembered: int | None) -> None:
    met, never = JudgedRows(remembered), JudgedRows(remembered)
    for rows in (met, never):
        for number in range(past):
            rows.add(number, *told(number))
    for number in range(past, past + orphans):
        met.add(number, *told(number, 3))
    met.rollback(past - 1)
    for rows in (met, never):
        for number in range(past, past + branch):
            rows.add(number, *told(number, 5))
    assert met.sums == never.sums
    assert np.array_equal(met.table(), never.table())


def test_more_than_the_journal_is_refused_and_nothing_has_changed() -> None:
    rows = JudgedRows()
    for number in range(200):
        rows.add(number, *told(number))
    before = rows.sums
    with pytest.raises(ModelError, match="cannot take back"):
        rows.rollback(200 - JOURNAL_DEPTH - 2)
    assert rows.sums == before
    rows.rollback(200 - JOURNAL_DEPTH - 1)
    assert rows.sums.count == 200 - JOURNAL_DEPTH


def test_a_learner_that_goes_on_for_ever_does_not_grow() -> None:
    learner = PrequentialLearner(
        [], [ExactFormula(), Persistence()], FeatureSchema(NAMES), window=1, remembered=50
    )

    def walk(start: int, stop: int) -> int:
        for number in range(start, stop):
            fee = 10 + number % 17 / 16
            learner.step(FeatureRow(number, 12 * number, 0, NAMES, (fee, fee)), fee)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        settled = walk(0, 800)
        grown = walk(800, 2000) - settled
    finally:
        tracemalloc.stop()
    # a row of each of two forecasters would be 200 bytes at least, 240 kB together
    assert grown < 60_000
