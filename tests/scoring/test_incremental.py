"""Rescoring what moved finds what scoring everything finds, at every step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scoring.incremental
from core.errors import InputError
from scoring.batch import hops_of
from scoring.devices.device import Change
from scoring.incremental import IncrementalScorer
from scoring.postings import postings_of
from tests.scoring.devices.contract import Stage, assert_same


@pytest.fixture
def small_reserve(monkeypatch):
    """A reserve that a few moves empty or fill, and postings preferred up to all edges."""
    monkeypatch.setattr(scoring.incremental, "LEAST_KEPT", 8)
    monkeypatch.setattr(scoring.incremental, "SCAN_SHARE", 2.5)


def scorer_of(stage: Stage, threads: int = 1) -> IncrementalScorer:
    return IncrementalScorer(stage.edges, stage.worth, stage.table, threads)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    width=st.integers(2, 5),
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=12),
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=4),
)
def test_every_step_finds_what_a_full_scan_finds(seed, width, sizes, counts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring.incremental, "LEAST_KEPT", 8)
        patch.setattr(scoring.incremental, "SCAN_SHARE", 2.5)
        stage = Stage(seed, width=width)
        scorer = scorer_of(stage)
    for step, size in enumerate(sizes):
        change = stage.change(size)
        scorer.update(change)
        stage.take_over(change)
        count = counts[step % len(counts)]
        assert_same(scorer.top(count), stage.expected(count))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), sizes=st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_an_imagined_state_is_scored_whole_and_leaves_every_bit_in_place(seed, sizes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring.incremental, "LEAST_KEPT", 8)
        patch.setattr(scoring.incremental, "SCAN_SHARE", 1.0)
        stage = Stage(seed)
        scorer = scorer_of(stage)
    for size in sizes:
        change, step = stage.change(size), stage.change(3)
        before = [array.tobytes() for array in (*scorer._majorants, scorer._touched)]
        found = scorer.what_if(change, 6)
        assert [array.tobytes() for array in (*scorer._majorants, scorer._touched)] == before
        assert_same(found.market, stage.expected_if(change, 6))
        everything = stage.expected_if(change, len(stage.table))
        uses = np.isin(stage.table.hops[everything.rows], change.edges).any(axis=1)
        assert found.affected.rows.tolist() == everything.rows[uses][:6].tolist()
        assert found.affected.nets.tolist() == everything.nets[uses][:6].tolist()
        scorer.update(step)
        stage.take_over(step)
        assert_same(scorer.top(6), stage.expected(6))


def test_an_edge_given_twice_ends_at_the_last_and_comes_back_to_the_first(small_reserve):
    stage = Stage(1)
    scorer = scorer_of(stage)
    twice = Change(np.array([4, 9, 4]), np.array([1.5, 1.2, 1.1]), np.full(3, 1e-8))
    once = Change(np.array([4, 9]), np.array([1.1, 1.2]), np.full(2, 1e-8))
    found = scorer.what_if(twice, 20)
    assert_same(found.market, stage.expected_if(once, 20))
    assert len(set(found.affected.rows.tolist())) == len(found.affected.rows)
    assert_same(scorer.top(20), stage.expected(20))
    scorer.update(twice)
    stage.take_over(once)
    assert_same(scorer.top(20), stage.expected(20))


def test_the_reserve_is_refilled_only_when_it_may_lack_one_of_the_best(monkeypatch, small_reserve):
    stage = Stage(2, cycles=2000)
    scorer, scans = scorer_of(stage), []
    monkeypatch.setattr(scorer, "_scan", lambda scan=scorer._scan: (scans.append(1), scan()))
    everything = stage.expected(len(stage.table))
    assert len(everything.rows) > 16
    scorer.top(8)
    assert scans == []
    best = np.unique(stage.table.hops[everything.rows[:16]])
    dead = best[best < stage.count].astype(np.int64)
    change = Change(dead, np.zeros(len(dead)), stage.bend[dead])
    scorer.update(change)
    stage.take_over(change)
    assert_same(scorer.top(8), stage.expected(8))
    assert scans == [1]


def test_much_that_moves_is_left_to_one_scan(monkeypatch):
    stage = Stage(3)
    scorer, scans = scorer_of(stage), []
    monkeypatch.setattr(scorer, "_scan", lambda scan=scorer._scan: (scans.append(1), scan()))
    for _ in range(3):
        change = stage.change(stage.count)
        scorer.update(change)
        stage.take_over(change)
    assert scans == []
    assert_same(scorer.top(10), stage.expected(10))
    assert_same(scorer.top(10), stage.expected(10))
    assert scans == [1]


def test_more_than_the_reserve_holds_can_be_asked_for(small_reserve):
    stage = Stage(4, cycles=2000)
    scorer = scorer_of(stage, threads=2)
    for count in (3, 500, 10, 2000, 10**9):
        assert_same(scorer.top(count), stage.expected(count))


def test_more_than_all_cycles_can_be_asked_for_in_an_imagined_state(small_reserve):
    stage = Stage(8)
    scorer, change, step = scorer_of(stage), stage.change(6), stage.change(4)
    scorer.update(step)
    stage.take_over(step)
    assert_same(scorer.what_if(change, 10**12).market, stage.expected_if(change, len(stage.table)))


def test_a_pool_that_moves_to_and_fro_leaves_no_cycle_of_a_former_state(small_reserve):
    stage = Stage(9, cycles=2000)
    scorer = scorer_of(stage)
    best = stage.table.hops[stage.expected(1).rows[0]][:2].astype(np.int64)
    for factor in (1.01, 0.99, 1.02, 0.5, 1.0) * 4:
        change = Change(best, stage.rate[best] * factor, stage.bend[best])
        scorer.update(change)
        stage.take_over(change)
        assert_same(scorer.top(8), stage.expected(8))


def test_postings_hold_each_cycle_once_for_each_of_its_edges():
    stage = Stage(5, width=3)
    hops = hops_of(stage.edges, stage.table)
    postings = postings_of(hops, stage.count)
    for edge in range(stage.count):
        at = slice(postings.first[edge], postings.first[edge + 1])
        assert postings.rows[at].tolist() == np.flatnonzero((hops == edge).any(axis=1)).tolist()
        assert (postings.hops[at] == hops[postings.rows[at]]).all()


def test_rows_that_are_no_integers_and_no_threads_are_refused():
    stage = Stage(6)
    with pytest.raises(InputError, match="give integers"):
        scorer_of(stage).update(Change(np.array([0.5]), np.ones(1), np.ones(1)))
    with pytest.raises(InputError, match="one thread"):
        scorer_of(stage, threads=0)


def test_arrays_of_the_caller_are_neither_kept_nor_written():
    stage = Stage(7)
    for array in (stage.edges.rate, stage.edges.bend, stage.table.hops):
        array.flags.writeable = False
    scorer = scorer_of(stage)
    change = stage.change(5)
    for array in (change.edges, change.rates, change.bends):
        array.flags.writeable = False
    scorer.update(change)
    stage.take_over(change)
    assert_same(scorer.top(10), stage.expected(10))
