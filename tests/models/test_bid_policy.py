from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelError
from core.reasons import Reason, Refusal
from core.seams import Randomness
from models.bid_distribution import LogNormalBids
from models.bid_policy import SHARES_PPM, BidPolicy, best_action
from models.drawn_bid import DrawnBid
from models.survival import CountedBids

ETHER = 10**18
SHARES = np.array(SHARES_PPM) / 1e6
wei = st.integers(0, 10**24)


def make_policy(
    mean: float = 0.0, deviation: float = 0.5, *, exploration: float = 0.0, seed: int = 1
) -> BidPolicy:
    bids = LogNormalBids()
    bids.restore(
        {"memory": 0.999, "weight": 1.0, "sum": mean, "squares": mean**2 + deviation**2},
    )
    return BidPolicy(bids, Randomness(seed), exploration=exploration)


def drawn(policy: BidPolicy, value: int = ETHER, cost: int = 0, scale: int = ETHER) -> DrawnBid:
    bid = policy.choose(value, cost, scale)
    assert isinstance(bid, DrawnBid)
    return bid


@given(wei, wei, st.integers(1, 10**24), st.integers(0, 5))
def test_a_bid_leaves_something_over_or_is_refused(value: int, cost: int, scale: int, seed: int) -> None:
    bid = make_policy(exploration=0.5, seed=seed).choose(value, cost, scale)
    if isinstance(bid, Refusal):
        assert bid.reason is Reason.PROFIT_BELOW_COST
        assert value - cost <= -(-value // 20)
    else:
        assert 0 < bid.bid < value - cost
        assert bid.bid >= value * SHARES_PPM[bid.action] // 10**6
        assert sum(bid.propensities) == pytest.approx(1)
        assert bid.propensity > 0
        assert 0 <= bid.win_probability <= 1


@given(st.floats(-2, 1), st.floats(0.05, 2), st.floats(0, 0.9))
def test_no_share_is_expected_to_keep_more(mean: float, deviation: float, cost: float) -> None:
    policy = make_policy(mean, deviation)
    bid = drawn(policy, cost=int(cost * ETHER))
    kept = np.maximum(1 - cost - SHARES, 0) * policy.distribution.chance_below(np.log(SHARES))
    assert kept[bid.action] == pytest.approx(kept.max(), rel=1e-9)


@given(st.lists(st.floats(0.001, 1), min_size=19, max_size=19), st.floats(0, 0.9), st.floats(0, 0.9))
def test_who_has_higher_costs_never_bids_more(steps: list[float], cost: float, other: float) -> None:
    chance = np.cumsum(steps) / sum(steps)
    shares = SHARES[:19]
    low, high = sorted([cost, other])
    cheap, dear = (best_action(chance, 1 - each - shares) for each in (low, high))
    assert dear <= cheap


@settings(max_examples=30)
@given(st.floats(0.1, 1.5))
def test_against_stronger_rivals_it_never_bids_less(deviation: float) -> None:
    actions = [drawn(make_policy(mean, deviation)).action for mean in np.linspace(-2, 0.5, 20)]
    assert all(weaker <= stronger for weaker, stronger in pairwise(actions))


@settings(max_examples=30)
@given(st.floats(0.1, 1.5))
def test_who_values_more_never_bids_less_in_wei(deviation: float) -> None:
    policy = make_policy(0.0, deviation)
    values = [ETHER * step // 4 for step in range(2, 24)]
    bids = [drawn(policy, value).bid for value in values]
    coarse = [value // 20 for value in values]
    # shares are steps of a twentieth, so a bid may miss its best by one of them
    assert all(less <= more + 2 * step for (less, more), step in zip(pairwise(bids), coarse[1:], strict=True))


def test_shares_are_drawn_as_often_as_is_logged() -> None:
    policy = make_policy(exploration=0.4)
    bids = [drawn(policy, cost=ETHER // 2) for _ in range(4000)]
    often = np.bincount([bid.action for bid in bids], minlength=len(SHARES)) / len(bids)
    propensities = np.array(bids[0].propensities)
    assert np.abs(often - propensities).max() < 0.03
    assert (often[propensities == 0] == 0).all()
    assert (propensities[SHARES < 0.5] > 0).all()


def test_it_learns_to_bid_just_above_a_rival_who_always_bids_the_same() -> None:
    policy = BidPolicy(CountedBids(), Randomness(2), exploration=0.05)
    for _ in range(1500):
        bid = drawn(policy).bid
        won = bid > 0.42 * ETHER
        policy.settle(bid, ETHER, won=won, rival=None)
    assert np.median([drawn(policy).bid for _ in range(50)]) == 0.45 * ETHER


def test_the_same_seed_draws_the_same_bids_and_a_resume_goes_on() -> None:
    one, two = (make_policy(exploration=0.5) for _ in range(2))
    for _ in range(50):
        assert drawn(one).bid == drawn(two).bid
    three = make_policy(exploration=0.1, seed=9)
    three.restore(one.state())
    assert [drawn(three).bid for _ in range(100)] == [drawn(two).bid for _ in range(100)]


@pytest.mark.parametrize("state", [{}, {"exploration": 2.0, "random": {}}, {"exploration": 0.1, "random": 3}])
def test_a_state_that_is_not_a_policys_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        make_policy().restore(state)


def test_a_known_rival_of_zero_counts_as_a_win_and_no_more() -> None:
    one, two = make_policy(), make_policy()
    one.settle(ETHER // 2, ETHER, won=True, rival=0)
    two.settle(ETHER // 2, ETHER, won=True, rival=None)
    assert drawn(one).win_probability == drawn(two).win_probability


@pytest.mark.parametrize(
    ("bid", "scale", "won", "rival"),
    [(0, 1, True, None), (1, 0, True, None), (1, 1, True, -1), (5, 1, True, 6), (5, 1, False, 4)],
)
def test_outcomes_that_cannot_be_are_refused(bid: int, scale: int, won: bool, rival: int | None) -> None:
    with pytest.raises(ModelError):
        make_policy().settle(bid, scale, won=won, rival=rival)


@pytest.mark.parametrize(("cost", "scale"), [(-1, 1), (0, 0), (0, -5)])
def test_a_cost_or_scale_out_of_range_is_refused(cost: int, scale: int) -> None:
    with pytest.raises(ModelError):
        make_policy().choose(ETHER, cost, scale)


@pytest.mark.parametrize("exploration", [-0.1, 1.1, float("nan")])
def test_an_exploration_out_of_range_is_refused(exploration: float) -> None:
    with pytest.raises(ModelError):
        BidPolicy(LogNormalBids(), Randomness(1), exploration=exploration)
