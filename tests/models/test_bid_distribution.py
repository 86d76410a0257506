from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.errors import ModelError
from models.bid_distribution import BidDistribution, LogNormalBids, _hazard
from models.survival import CountedBids

Maker = Callable[[], LogNormalBids | CountedBids]
both = pytest.mark.parametrize("make", [LogNormalBids, CountedBids])
GRID = np.linspace(-4, 4, 161)


def settle(bids: BidDistribution, rivals: np.ndarray, ours: np.ndarray, told: np.ndarray) -> None:
    """Settle auctions: a rival's bid is told in some, elsewhere only who won."""
    for rival, own, known in zip(rivals.tolist(), ours.tolist(), told.tolist(), strict=True):
        if known:
            bids.learn_told(rival)
        elif own > rival:
            bids.learn_won(own)
        else:
            bids.learn_lost(own)


def auctions(count: int, seed: int, told: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    rivals = random.normal(0.4, 0.6, count)
    return rivals, random.normal(0.3, 1.0, count), random.random(count) < told


@both
def test_the_chance_is_the_share_of_rivals_below(make: Maker) -> None:
    bids = make()
    rivals = np.random.default_rng(1).normal(-0.3, 0.5, 6000)
    settle(bids, rivals, rivals, np.ones(len(rivals), dtype=bool))
    share = np.searchsorted(np.sort(rivals), GRID) / len(rivals)
    assert np.abs(bids.chance_below(GRID) - share).max() < 0.05


def test_a_fit_to_wins_and_losses_alone_is_the_likeliest_one() -> None:
    rivals, ours, told = auctions(6000, seed=3, told=0.1)
    bids = LogNormalBids()
    settle(bids, rivals, ours, told)
    won = ours > rivals
    data = stats.CensoredData(uncensored=rivals[told], left=ours[~told & won], right=ours[~told & ~won])
    mean, deviation = stats.norm.fit(data)
    assert bids.mean == pytest.approx(mean, abs=0.05)
    assert bids.deviation == pytest.approx(deviation, abs=0.05)


def test_counts_of_lost_auctions_are_the_kaplan_meier_curve() -> None:
    rivals, ours, told = auctions(3000, seed=4, told=0.0)
    seen = ours > rivals
    bids = CountedBids(memory=1.0)
    settle(bids, rivals, ours, seen)
    data = stats.CensoredData(uncensored=rivals[seen], right=ours[~seen])
    curve = stats.ecdf(data).cdf
    assert not told.any()
    assert np.abs(bids.chance_below(GRID) - curve.evaluate(GRID)).max() < 0.03


@both
def test_censored_auctions_teach_the_distribution_and_not_the_bids_of_the_bidder(make: Maker) -> None:
    rivals, ours, told = auctions(3000, seed=5, told=0.0)
    bids = make()
    settle(bids, rivals, ours, told)
    truth = stats.norm.cdf(GRID, 0.4, 0.6)
    assert np.abs(bids.chance_below(GRID) - truth).max() < 0.13


def test_a_shape_that_is_not_log_normal_is_counted_better_than_fitted() -> None:
    random = np.random.default_rng(6)
    rivals = np.concatenate([random.normal(-1, 0.1, 1500), random.normal(1, 0.1, 1500)])
    random.shuffle(rivals)
    fitted, counted = LogNormalBids(), CountedBids()
    for bids in (fitted, counted):
        settle(bids, rivals, rivals, np.ones(len(rivals), dtype=bool))
    share = np.searchsorted(np.sort(rivals), GRID) / len(rivals)
    errors = [np.abs(bids.chance_below(GRID) - share).max() for bids in (fitted, counted)]
    assert errors[1] < 0.06 < errors[0]


@both
def test_it_follows_rivals_who_change(make: Maker) -> None:
    bids = make()
    for rival in (0.0, 1.5):
        for _ in range(4000):
            bids.learn_told(rival)
    assert bids.chance_below(np.array([1.0]))[0] < 0.05


@both
@given(st.lists(st.tuples(st.sampled_from("twl"), st.floats(-20, 20)), max_size=15))
def test_chances_are_chances_and_rise_with_the_bid(make: Maker, settled: list[tuple[str, float]]) -> None:
    bids = make()
    for how, bid in settled:
        {"t": bids.learn_told, "w": bids.learn_won, "l": bids.learn_lost}[how](bid)
    chances = bids.chance_below(np.concatenate([[-np.inf], np.linspace(-30, 30, 50), [np.inf]]))
    assert (np.diff(chances) >= -1e-12).all()
    assert chances[0] == 0
    assert 0 < chances[-1] <= 1 + 1e-12


@both
def test_asking_changes_nothing(make: Maker) -> None:
    bids = make()
    bids.learn_lost(0.2)
    before = bids.chance_below(GRID)
    bids.chance_below(np.array([3.0, -np.inf]))
    assert np.array_equal(bids.chance_below(GRID), before)


@both
def test_the_next_hundred_auctions_are_the_same_after_a_resume(make: Maker) -> None:
    rivals, ours, told = auctions(300, seed=7, told=0.3)
    one, two = make(), make()
    settle(one, rivals[:200], ours[:200], told[:200])
    two.restore(one.state())
    for row in range(200, 300):
        at = slice(row, row + 1)
        for bids in (one, two):
            settle(bids, rivals[at], ours[at], told[at])
        assert np.array_equal(one.chance_below(GRID), two.chance_below(GRID))


@both
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("verb", ["learn_told", "learn_won", "learn_lost"])
def test_numbers_that_are_none_are_refused_and_teach_nothing(make: Maker, verb: str, bad: float) -> None:
    bids = make()
    bids.learn_told(0.5)
    before = bids.chance_below(GRID)
    with pytest.raises(ModelError):
        getattr(bids, verb)(bad)
    assert np.array_equal(bids.chance_below(GRID), before)


@both
def test_a_state_that_is_not_its_own_is_refused_and_changes_nothing(make: Maker) -> None:
    bids = make()
    before = bids.chance_below(GRID)
    good = bids.state()
    hollow = {**good, **({"counts": np.zeros(3)} if "counts" in good else {"weight": 0.0})}
    broken = {**good, **({"won": np.full(502, np.nan)} if "counts" in good else {"sum": math.nan})}
    for state in ({}, hollow, broken, dict.fromkeys(good, "x")):
        with pytest.raises(ModelError):
            bids.restore(state)
    assert np.array_equal(bids.chance_below(GRID), before)


@both
@pytest.mark.parametrize("memory", [0.0, -1.0, 1.1, math.nan])
def test_a_memory_out_of_range_is_refused(make: Callable[[float], object], memory: float) -> None:
    with pytest.raises(ModelError):
        make(memory)


@pytest.mark.parametrize("place", [-30.0, -3.0, 0.0, 5.0, 7.99, 8.01, 20.0, 37.0])
def test_the_hazard_of_a_normal_is_right_far_out_too(place: float) -> None:
    expected = math.exp(stats.norm.logpdf(place) - stats.norm.logsf(place))
    assert _hazard(place) == pytest.approx(expected, rel=1e-4)
