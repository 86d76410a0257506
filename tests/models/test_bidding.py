from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelError
from core.seams import Randomness
from models.bidding import BidModel

ETHER = 10**18
wei = st.integers(0, 10**21)


def compete(model: BidModel, rivals: np.ndarray, *, told: bool) -> float:
    """Play auctions against rival shares; return what was kept per auction, as a share."""
    kept = 0.0
    for rival in rivals:
        bid, _ = model.bid(ETHER, 0)
        theirs = int(rival * ETHER)
        won = bid > theirs
        kept += (1 - bid / ETHER) * won
        model.observe(ETHER, bid, won, None if won or not told else theirs)
    return kept / len(rivals)


@pytest.mark.parametrize("told", [True, False])
def test_it_learns_to_bid_just_above_a_rival_who_always_bids_the_same(told: bool) -> None:
    model = BidModel(Randomness(1), exploration=0.05)
    compete(model, np.full(400, 0.3), told=told)
    shares = [model.bid(ETHER, 0)[0] / ETHER for _ in range(50)]
    assert 0.3 < np.median(shares) <= 0.36


def test_it_earns_nearly_what_the_best_fixed_bid_earns() -> None:
    rivals = np.random.default_rng(3).beta(6, 3, 1500)
    grid = np.linspace(0, 1, 101)
    best = max((1 - share) * np.mean(rivals[500:] < share) for share in grid)
    model = BidModel(Randomness(2), exploration=0.05)
    compete(model, rivals[:500], told=True)
    assert compete(model, rivals[500:], told=True) > 0.85 * best


def test_it_follows_a_rival_who_changes() -> None:
    model = BidModel(Randomness(1), exploration=0.05)
    compete(model, np.full(300, 0.2), told=True)
    compete(model, np.full(600, 0.7), told=True)
    assert np.median([model.bid(ETHER, 0)[0] / ETHER for _ in range(50)]) > 0.7


def test_the_win_probability_is_calibrated_once_it_has_learned() -> None:
    rivals = np.random.default_rng(4).beta(4, 4, 2000)
    model = BidModel(Randomness(2), exploration=0.1)
    compete(model, rivals, told=True)
    for share in (0.3, 0.5, 0.7):
        assert model.win_probability(share) == pytest.approx(np.mean(rivals < share), abs=0.12)


def test_the_first_bid_is_about_half() -> None:
    bid, chance = BidModel(Randomness(1), exploration=0.0).bid(ETHER, 0)
    assert 0.4 < bid / ETHER < 0.6
    assert 0.3 < chance < 0.7


@settings(max_examples=200, deadline=None)
@given(gross=wei, gas=wei, seed=st.integers(0, 5))
def test_a_bid_is_an_integer_that_never_exceeds_what_is_left(gross: int, gas: int, seed: int) -> None:
    bid, chance = BidModel(Randomness(seed), exploration=0.5).bid(gross, gas)
    assert type(bid) is int
    assert type(chance) is float
    assert 0 <= bid <= max(gross - gas, 0)
    assert 0 <= chance <= 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 10**20), st.integers(0, 10**20), st.booleans(), st.none() | wei), max_size=20
    )
)
def test_more_never_wins_less_often(auctions: list[tuple[int, int, bool, int | None]]) -> None:
    model = BidModel(Randomness(1))
    for gross, bid, won, above in auctions:
        model.observe(gross, bid, won, None if above is None else bid + above)
    chances = [model.win_probability(share) for share in np.linspace(0, 1.2, 61)]
    assert all(b >= a - 1e-12 for a, b in pairwise(chances))
    assert chances[0] >= 0
    assert chances[-1] <= 1
    assert model.settled == len(auctions)


def test_propensities_are_the_frequencies_of_bids() -> None:
    model = BidModel(Randomness(5), exploration=0.4)
    choices = [model.choose(ETHER, ETHER // 2) for _ in range(4000)]
    propensities = np.array(choices[0].propensities)
    often = np.bincount([choice.action for choice in choices], minlength=len(propensities)) / len(choices)
    assert propensities.sum() == pytest.approx(1.0)
    assert np.abs(often - propensities).max() < 0.03
    assert (often[propensities == 0] == 0).all()


@settings(max_examples=60, deadline=None)
@given(gross=wei, gas=wei)
def test_who_does_not_explore_draws_its_bid_for_certain(gross: int, gas: int) -> None:
    choice = BidModel(Randomness(1), exploration=0.0).choose(gross, gas)
    assert choice.propensity == 1.0
    assert sum(choice.propensities) == 1.0


def test_the_seed_decides_exploration() -> None:
    def bids(seed: int) -> list[int]:
        model = BidModel(Randomness(seed), exploration=0.5)
        return [model.bid(ETHER, 0)[0] for _ in range(30)]

    assert bids(1) == bids(1)
    assert bids(1) != bids(2)


def test_a_restored_model_goes_on_identically() -> None:
    one = BidModel(Randomness(1), exploration=0.3)
    compete(one, np.linspace(0.1, 0.9, 50), told=True)
    two = BidModel(Randomness(9), exploration=0.3)
    two.restore(one.state())
    assert [one.choose(ETHER, 5) for _ in range(30)] == [two.choose(ETHER, 5) for _ in range(30)]


def test_a_state_that_does_not_fit_is_refused() -> None:
    state = BidModel(Randomness(1)).state()
    with pytest.raises(ModelError, match="cells"):
        BidModel(Randomness(1)).restore({**state, "won": np.zeros(3)})
    with pytest.raises(ModelError, match="not the state"):
        BidModel(Randomness(1)).restore({})


def test_a_rival_cheaper_than_our_lost_bid_contradicts_it_and_teaches_nothing() -> None:
    model = BidModel(Randomness(1), exploration=0.0)
    before = model.win_probability(0.6)
    with pytest.raises(ModelError, match="same gas"):
        model.observe(ETHER, 6 * ETHER // 10, False, 4 * ETHER // 10)
    assert (model.win_probability(0.6), model.settled) == (before, 0)
    # a tie may be lost
    model.observe(ETHER, 6 * ETHER // 10, False, 6 * ETHER // 10)
    assert model.win_probability(0.6) < before


@pytest.mark.parametrize("auction", [(0, 0, True, None), (1, -1, True, None), (1, 0, False, -5)])
def test_an_impossible_auction_is_refused(auction: tuple[int, int, bool, int | None]) -> None:
    with pytest.raises(ModelError, match="an auction needs"):
        BidModel(Randomness(1)).observe(*auction)


def test_impossible_arguments_are_refused() -> None:
    with pytest.raises(ModelError):
        BidModel(Randomness(1), exploration=1.0)
    with pytest.raises(ModelError):
        BidModel(Randomness(1)).win_probability(-0.1)


@settings(max_examples=100, deadline=None)
@given(gross=st.integers(1, 10**20))
def test_a_bid_is_never_below_the_share_its_chance_was_read_at(gross: int) -> None:
    choice = BidModel(Randomness(1), exploration=0.9).choose(gross, 0)
    assert choice.bid * 10**6 >= choice.share_ppm * gross
    assert (choice.bid - 1) * 10**6 < choice.share_ppm * gross
