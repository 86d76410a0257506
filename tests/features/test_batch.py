"""The batch path gives the rows of the stream, to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, MarketError
from features.batch import build, build_cycle, compare
from features.feature_set import FeatureSet
from features.groups.cycle import Cycle, couples
from features.registry import BLOCK, CYCLE, MARKET
from market.context import NO_CONTEXT
from market.history import load_day
from tests.features.watched import CYCLES, SPECS, TRIANGLE, Watched, steps, watch
from tests.random_blocks import TOKENS, A, B, RandomChain


@settings(max_examples=60, deadline=None)
@given(chosen=st.lists(steps, min_size=1, max_size=25), features=st.sampled_from([BLOCK, MARKET]))
def test_every_row_of_the_stream_is_a_row_of_the_batch(chosen: list[Any], features: FeatureSet) -> None:
    watched = watch(chosen, features)
    table = build(watched.facts, features)
    assert compare(watched.rows, table) is None
    assert [table.row(place) for place in range(len(table))] == watched.rows


@settings(max_examples=40, deadline=None)
@given(chosen=st.lists(steps, min_size=1, max_size=25))
def test_every_row_of_a_cycle_is_a_row_of_its_batch(chosen: list[Any]) -> None:
    watched = watch(chosen, cycles=CYCLES)
    for cycle, rows in zip(CYCLES, zip(*watched.cycle_rows, strict=True), strict=True):
        assert compare(rows, build_cycle(watched.facts, cycle)) is None


@settings(max_examples=30, deadline=None)
@given(past=st.lists(steps, min_size=1, max_size=12), future=st.lists(steps, max_size=12), order=st.randoms())
def test_no_batch_row_depends_on_what_comes_after_it(past: list[Any], future: list[Any], order: Any) -> None:
    shuffled = list(future)
    order.shuffle(shuffled)
    one, other = watch(past + future).facts, watch(past + shuffled).facts
    for make in (lambda facts: build(facts, MARKET), lambda facts: build_cycle(facts, TRIANGLE)):
        first, second = make(one), make(other)
        assert first.values[: len(past)].tobytes() == second.values[: len(past)].tobytes()
        assert np.array_equal(first.missing[: len(past)], second.missing[: len(past)])


@pytest.mark.parametrize("features", [BLOCK, MARKET])
def test_long_windows_and_gaps_in_what_is_known_agree_too(features: FeatureSet) -> None:
    chain, source = RandomChain(), np.random.default_rng(3)
    watched = Watched(chain.state(), TOKENS, SPECS, features)
    for _ in range(260):
        context = replace(
            NO_CONTEXT,
            winning_bid=None if source.random() < 0.3 else int(source.integers(10**18)),
            builder=None if source.random() < 0.2 else "abcdefg"[source.integers(7)],
        )
        size = float(source.choice([1e-6, 1e-3, 0.02]))
        chosen = [(int(source.integers(7)), 1, size, bool(source.integers(2)))] * int(source.integers(3))
        watched.see(chain.block(chosen), context)
    assert compare(watched.rows, build(watched.facts, features)) is None


def test_the_first_difference_is_named_with_its_distance() -> None:
    watched = watch([([(0, 0, 0.02, True)], NO_CONTEXT, None)] * 4, BLOCK)
    table = build(watched.facts, BLOCK)
    table.values[2, 3] = np.nextafter(np.nextafter(table.values[2, 3], 9), 9)
    found = compare(watched.rows, table)
    assert found is not None
    assert (found.block_number, found.name, found.ulps) == (103, "gas_used_ratio", 2)
    longer = compare(watched.rows[:3], build(watched.facts, BLOCK))
    assert longer is not None
    assert (longer.block_number, longer.name) == (104, "row")


def test_a_value_that_only_one_path_knows_is_a_difference() -> None:
    watched = watch([([], NO_CONTEXT, None)], BLOCK)
    table = build(watched.facts, BLOCK)
    place = BLOCK.names.index("winning_bid_log")
    table.missing[0, place] = False
    found = compare(watched.rows, table)
    assert found is not None
    assert (found.name, found.ulps) == ("winning_bid_log", -1)


def test_no_blocks_give_no_rows() -> None:
    facts = watch([]).facts
    for table in (build(facts, MARKET), build_cycle(facts, TRIANGLE)):
        assert len(table) == 0
        assert compare((), table) is None


def test_rows_of_another_set_are_not_compared() -> None:
    watched = watch([([], NO_CONTEXT, None)], BLOCK)
    with pytest.raises(InputError, match="different features"):
        compare(watched.rows, build(watched.facts, MARKET))
    with pytest.raises(InputError, match="build_cycle"):
        build(watched.facts, CYCLE)
    with pytest.raises(InputError, match="other pools"):
        build_cycle(watched.facts, Cycle((("p", A, B), ("q", B, A)), 0.0))


def test_hops_that_do_not_lead_back_are_no_cycle() -> None:
    with pytest.raises(InputError, match="and back"):
        Cycle((("p", A, B), ("q", A, B)), 0.0)


def test_a_block_out_of_order_is_not_recorded() -> None:
    chain = RandomChain()
    watched = Watched(chain.state(), TOKENS, SPECS)
    first, second = chain.block([]), chain.block([])
    watched.see(first, NO_CONTEXT)
    applied = watched.state.apply(second)
    with pytest.raises(MarketError, match="in order"):
        watched.recorder.add(first, state=watched.state, applied=applied)
    watched.recorder.add(second, state=watched.state, applied=applied)
    assert watched.facts["number"].tolist() == [101, 102]


@pytest.mark.data
def test_the_recorded_day_is_the_same_by_both_paths(data_root: Path) -> None:
    recorded = load_day(data_root)
    cycles = couples(recorded.specs)
    watched = Watched(recorded.initial_state(), recorded.tokens, recorded.specs, MARKET, cycles)
    for _, (block, context) in zip(range(1500), recorded.blocks(), strict=False):
        watched.see(block, context)
    assert compare(watched.rows, build(watched.facts, MARKET)) is None
    for cycle, rows in zip(cycles, zip(*watched.cycle_rows, strict=True), strict=True):
        assert compare(rows, build_cycle(watched.facts, cycle)) is None
