"""The search against a plain walk over every cycle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from scoring.columns import EdgeColumns, moebius_columns
from scoring.devices.device import Change
from scoring.search import CycleSearch
from tests.scoring.search.made_markets import Market, Row, every_loop, made_market, move, rows_of


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    pools=st.integers(2, 24),
    tokens=st.integers(2, 8),
    hubs=st.integers(1, 4),
    noise=st.sampled_from([0.01, 0.03, 1.0]),
    segmented=st.sampled_from([0.0, 0.5]),
    max_hops=st.sampled_from([2, 3, 4]),
    count=st.sampled_from([1, 7, 2000]),
)
def test_the_best_loops_are_those_of_a_walk_over_all(
    seed, pools, tokens, hubs, noise, segmented, max_hops, count
):
    market = made_market(
        seed, pools=pools, tokens=tokens, hubs=min(hubs, tokens), noise=noise, segmented=segmented
    )
    search = CycleSearch(market.edges, market.worth, max_hops)
    assert rows_of(search.top(count, market.pieces)) == every_loop(market, max_hops)[:count]


def rate_of(market: Market, row: Row) -> float:
    return float(np.prod(market.edges.rate[list(row[1])]))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    pools=st.integers(2, 24),
    tokens=st.integers(2, 8),
    hubs=st.integers(1, 4),
    noise=st.sampled_from([0.03, 0.2, 1.0]),
    segmented=st.sampled_from([0.0, 0.5]),
    max_hops=st.sampled_from([2, 3, 4]),
    count=st.sampled_from([1, 7, 2000]),
    max_rate=st.sampled_from([1.005, 1.03, 1.2, 5.0]),
)
def test_the_best_of_those_not_withheld_are_those_of_a_walk_over_all(
    seed, pools, tokens, hubs, noise, segmented, max_hops, count, max_rate
):
    market = made_market(
        seed, pools=pools, tokens=tokens, hubs=min(hubs, tokens), noise=noise, segmented=segmented
    )
    loops = every_loop(market, max_hops)
    passing = [loop for loop in loops if rate_of(market, loop) <= max_rate]
    search = CycleSearch(market.edges, market.worth, max_hops, max_rate)
    assert rows_of(search.top(count, market.pieces)) == passing[:count]
    if count > len(passing):
        assert search.counters.withheld >= len(loops) - len(passing)


@pytest.mark.parametrize("hubs", [1, 2])
def test_loops_of_two_tokens_are_counted_once_where_they_are_withheld(hubs):
    market = made_market(11, pools=40, tokens=2, hubs=hubs, noise=0.1)
    loops = every_loop(market, 4)
    withheld = [loop for loop in loops if rate_of(market, loop) > 1.05]
    search = CycleSearch(market.edges, market.worth, max_rate=1.05)
    search.top(10_000, market.pieces)
    rates = np.outer(*(market.edges.rate[:-1][market.edges.token_in[:-1] == token] for token in (0, 1)))
    assert 100 < len(withheld) <= search.counters.withheld <= np.count_nonzero(rates > 1.05)


def test_what_was_best_before_is_withheld_once_it_promises_too_much():
    market = made_market(5, pools=30, tokens=6, hubs=3, noise=0.02)
    search = CycleSearch(market.edges, market.worth, max_rate=1.1)
    best = search.top(5, market.pieces).hops[0]
    rows = best[:1].astype(np.int64)
    move(market, rows, np.full(1, 1.2))
    search.update(rows)
    passing = [loop for loop in every_loop(market, 4) if rate_of(market, loop) <= 1.1]
    found = rows_of(search.top(5, market.pieces))
    assert found == passing[:5]
    assert tuple(best.tolist()) not in {row[1] for row in found}


@pytest.mark.parametrize("segmented", [0.0, 0.4])
def test_on_a_larger_market_too(segmented):
    market = made_market(7, pools=90, tokens=24, hubs=2, noise=0.02, segmented=segmented)
    loops = every_loop(market, 4)
    search = CycleSearch(market.edges, market.worth)
    assert len(loops) >= 300
    assert rows_of(search.top(100, market.pieces)) == loops[:100]
    assert rows_of(search.top(100_000, market.pieces)) == loops
    assert search.counters.combinations > len(loops)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**9), moves=st.integers(1, 6), segmented=st.sampled_from([0.0, 0.4]), data=st.data()
)
def test_moves_in_any_order_leave_what_a_fresh_search_finds(seed, moves, segmented, data):
    market = made_market(seed, pools=20, tokens=6, hubs=2, noise=0.02, segmented=segmented)
    before = market.edges.rate.copy(), market.edges.bend.copy()
    search = CycleSearch(market.edges, market.worth)
    movable = np.flatnonzero(market.edges.kind[:-1] == 0)
    for _ in range(moves):
        rows = np.array(
            data.draw(st.lists(st.sampled_from(movable.tolist()), unique=True, max_size=30)), np.int64
        )
        how = data.draw(st.sampled_from(["trade", "die", "come back"]))
        if how == "come back":
            market.edges.rate[rows], market.edges.bend[rows] = before[0][rows], before[1][rows]
            move(market, rows, np.ones(len(rows)))
        else:
            rng = np.random.default_rng(len(rows))
            move(market, rows, np.exp(rng.normal(0.0, 0.02, len(rows))) * (how == "trade"))
        search.update(rows)
        assert rows_of(search.top(9, market.pieces)) == every_loop(market, 4)[:9]
    assert same_inside(search, CycleSearch(market.edges, market.worth))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**9), count=st.integers(0, 40))
def test_a_what_if_answers_for_the_other_state_and_leaves_no_trace(seed, count):
    market = made_market(seed, pools=24, tokens=6, hubs=2, noise=0.02, segmented=0.4)
    rng = np.random.default_rng(seed)
    rows = rng.choice(48, count, replace=False)
    factors = np.exp(rng.normal(0.0, 0.02, count)) * (rng.random(count) > 0.1)
    search = CycleSearch(market.edges, market.worth)
    search.top(9, market.pieces)
    as_bytes = [column.tobytes() for column in market.edges]
    other = Market(EdgeColumns(*(column.copy() for column in market.edges)), market.pieces, market.worth)
    other.edges.kind[rows] = 0
    move(other, rows, factors)
    change = Change(rows, other.edges.rate[rows], other.edges.bend[rows])
    assert rows_of(search.what_if(change, 9, market.pieces)) == every_loop(other, 4)[:9]
    assert [column.tobytes() for column in market.edges] == as_bytes
    assert same_inside(search, CycleSearch(market.edges, market.worth))
    assert rows_of(search.top(9, market.pieces)) == every_loop(market, 4)[:9]


def same_inside(search: CycleSearch, other: CycleSearch) -> bool:
    """Return whether two searches hold the same values, bit for bit."""
    pairs = zip(search._values[:-2], other._values[:-2], strict=True)
    return all(mine.tobytes() == theirs.tobytes() for mine, theirs in pairs)


def test_many_moves_at_once_and_one_by_one_come_to_the_same():
    market = made_market(3, pools=120, tokens=20, hubs=2)
    by_pass, by_postings = CycleSearch(market.edges, market.worth), CycleSearch(market.edges, market.worth)
    rows = np.arange(0, 240, 3)
    move(market, rows, np.full(len(rows), 1.004))
    by_pass.update(rows)
    for row in rows:
        by_postings.update([row])
    assert same_inside(by_pass, by_postings)
    assert same_inside(by_pass, CycleSearch(market.edges, market.worth))


def test_equal_loops_come_in_the_order_of_their_hops():
    # three edges there and three back, all alike: nine loops of two hops
    pool = np.arange(6, dtype=np.int32)
    token_in = np.array([0, 0, 0, 1, 1, 1], np.int32)
    edges, pieces = moebius_columns(
        np.full(6, 1.1), np.full(6, 1e-20), pool, token_in, 1 - token_in, np.zeros(6)
    )
    one_hub, two_hubs = np.array([1.0, 0.0]), np.array([1.0, 1.0])
    nine = [[first, second, 6, 6] for first in (0, 1, 2) for second in (3, 4, 5)]
    for count in (1, 4, 9, 20):
        found = CycleSearch(edges, one_hub).top(count, pieces)
        assert found.hops.tolist() == nine[:count]
        # a start in the other token earns the same: of both, the lesser row comes first
        assert CycleSearch(edges, two_hubs).top(count, pieces).hops.tolist() == nine[:count]


def test_costs_and_worths_are_read_at_each_search():
    market = made_market(5, pools=30, tokens=6, hubs=3, noise=0.02)
    search = CycleSearch(market.edges, market.worth)
    for factor in (1.0, 30.0, 0.0):
        market.edges.cost[:] *= factor
        market.worth[1] *= 1.5
        assert rows_of(search.top(20, market.pieces)) == every_loop(market, 4)[:20]


def test_a_market_without_hubs_or_edges_has_no_cycles():
    market = made_market(5, pools=10, tokens=4, hubs=2)
    assert len(CycleSearch(market.edges, np.zeros(4)).top(5, market.pieces)) == 0
    none = np.zeros(0)
    edges, pieces = moebius_columns(none, none, *(np.zeros(0, np.int32),) * 3, none)
    search = CycleSearch(edges, np.ones(2))
    search.update([])
    assert len(search.top(5, pieces)) == 0
    assert search.counters.combinations == 0


def test_majorants_of_any_size_end_in_an_answer_or_a_refusal():
    market = made_market(5, pools=12, tokens=4, hubs=2)
    for rate, bend in ((2.0**255, 2.0**-255), (2.0**-255, 2.0**255), (2.0**255, 2.0**255)):
        market.edges.rate[:6], market.edges.bend[:6] = rate, bend
        nets = CycleSearch(market.edges, market.worth).top(50, market.pieces).net
        assert np.all(np.isfinite(nets))


@pytest.mark.parametrize(
    ("rate", "bend"),
    [(np.nan, 1.0), (-1.0, 1.0), (np.inf, 1.0), (1.0, 0.0), (1.0, np.nan), (1e-300, 1.0), (0.0, np.inf)],
)
def test_what_is_no_majorant_is_refused_and_nothing_taken_over(rate, bend):
    market = made_market(5, pools=12, tokens=4, hubs=2)
    search = CycleSearch(market.edges, market.worth)
    change = Change(np.array([3, 4]), np.array([1.0, rate]), np.array([1.0, bend]))
    before = search.top(5, market.pieces)
    with pytest.raises(InputError):
        search.what_if(change, 5, market.pieces)
    assert rows_of(search.top(5, market.pieces)) == rows_of(before)
    market.edges.rate[4], market.edges.bend[4] = rate, bend
    with pytest.raises(InputError):
        search.update([3, 4])
    with pytest.raises(InputError):
        CycleSearch(market.edges, market.worth)


def test_what_no_search_can_answer_is_refused():
    market = made_market(5, pools=12, tokens=4, hubs=2)
    for hops in (0, 1, 5):
        with pytest.raises(InputError):
            CycleSearch(market.edges, market.worth, hops)
    for wrong in (np.nan, -1.0, np.inf):
        with pytest.raises(InputError):
            CycleSearch(market.edges, np.full(4, wrong))
    for rate in (1.0, -1.0, np.nan):
        with pytest.raises(InputError):
            CycleSearch(market.edges, market.worth, max_rate=rate)
    search = CycleSearch(market.edges, market.worth)
    with pytest.raises(InputError):
        search.top(0, market.pieces)
    with pytest.raises(InputError):
        search.what_if(Change(np.array([1, 2]), np.ones(1), np.ones(2)), 5, market.pieces)
    for row in (-1, 24, 10**6):
        with pytest.raises(InputError):
            search.update([row])
