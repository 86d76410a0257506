"""Breaks of a loss: found from the past alone, in any unit, where it has risen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.breaks import AFTER, breaks_of, find_breaks, rows_after
from models.coverage import after_breaks, inside, shortfalls
from models.prequential import run_prequential
from models.scorecard import make_scorecard
from models.targets.table import Kind, TargetTable
from tests.models.target_tables import make_table, probability_table

CALM = 800


def losses(seed: int, *sizes: float) -> NDArray[np.float64]:
    """Return absolute errors whose size changes every ``CALM`` rows."""
    noise = np.random.default_rng(seed).normal(size=CALM * len(sizes))
    found: NDArray[np.float64] = np.abs(noise) * np.repeat(sizes, CALM)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_rise_is_found_soon_after_it_and_a_fall_is_none(seed: int) -> None:
    assert all(CALM <= row < CALM + AFTER for row in find_breaks(losses(seed, 1, 4)))
    assert len(find_breaks(losses(seed, 1, 4))) >= 1
    assert len(find_breaks(losses(seed, 4, 1))) == 0


def test_nothing_is_found_where_nothing_changes() -> None:
    found = [len(find_breaks(losses(seed, 1, 1, 1))) for seed in range(20)]
    assert sum(found) <= 1


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), end=st.integers(1, 3 * CALM))
def test_what_comes_later_changes_no_break(seed: int, end: int) -> None:
    whole = losses(seed, 1, 3, 8)
    found = find_breaks(whole)
    assert find_breaks(whole[:end]).tolist() == found[found < end].tolist()


def test_the_unit_does_not_matter() -> None:
    one = losses(1, 1, 3)
    # a power of two, so that no rounding comes in
    assert find_breaks(one).tolist() == find_breaks(one * 2**20).tolist()


def table_of(first_judged: int) -> TargetTable:
    """Return labels that noise makes, which grows fourfold at row ``2 * CALM``."""
    noise = np.random.default_rng(3).normal(size=4 * CALM) * np.repeat([1, 1, 4, 4], CALM)
    return make_table(Kind.NUMBER, noise, noise, {"zero": np.zeros(4 * CALM)}, 1, first_judged)


def test_judged_rows_are_held_against_those_for_learning() -> None:
    early, late = (run_prequential(table_of(first), []) for first in (CALM, 2 * CALM))
    assert breaks_of(late, "zero").tolist() == [row - CALM for row in breaks_of(early, "zero")]
    after_it_broke = run_prequential(table_of(3 * CALM), [])
    assert breaks_of(after_it_broke, "zero").tolist() == []


def test_the_table_has_coverage_in_the_rows_after_breaks() -> None:
    results = run_prequential(table_of(CALM), [])
    card = make_scorecard(results, seed=1)
    rows = rows_after(breaks_of(results, "zero"), len(results.rows))
    assert (card.breaks, card.after_breaks) == (len(breaks_of(results, "zero")), rows.sum())
    assert AFTER <= card.after_breaks <= card.breaks * AFTER
    held = inside(results.served["zero"], results.label)
    assert card.line("zero").coverage_after_breaks == held[rows].mean() >= 0.85
    document = card.to_dict()
    assert document["rows_after_breaks"] == card.after_breaks
    assert document["forecasters"][0]["coverage_after_breaks"] == held[rows].mean()


def test_probabilities_and_calm_targets_have_none() -> None:
    probabilities = run_prequential(probability_table(600), [])
    assert after_breaks(probabilities, next(iter(probabilities.table.baselines)))[0] == 0
    card = make_scorecard(run_prequential(table_of(3 * CALM), []), seed=1)
    assert (card.breaks, card.after_breaks, card.line("zero").coverage_after_breaks) == (0, 0, None)


def test_what_falls_short_is_told_in_words() -> None:
    assert shortfalls(0.9, 0.909, 0.86) == ()
    assert shortfalls(0.9, 0.929, 0.721) == ("0.929 over all rows", "0.721 after breaks")
    assert shortfalls(0.9, None, None) == ()
