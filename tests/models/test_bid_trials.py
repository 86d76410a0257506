from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import ModelError
from core.seams import Randomness
from models.bid_trials import (
    EXPLORATIONS,
    POLICIES,
    BidSetting,
    BidTrial,
    draw_bid_settings,
    explore_bids,
    part_of,
)
from models.trials import CHUNKS
from tests.models.test_bid_report import make_auctions

USUAL = BidSetting("bids", "best", "counted", "told", 1000, 0.5, 0.0, 0.0)


def run(trial: BidTrial) -> BidTrial:
    while not trial.finished:
        trial.step()
    return trial


def setting_of(policy: tuple[str, str, str], **changes: float) -> BidSetting:
    rule, forecast, learns = policy
    return replace(USUAL, rule=rule, forecast=forecast, learns=learns, exploration=0.1, **changes)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_future_changes_no_bid(policy: tuple[str, str, str]) -> None:
    one = make_auctions(300)
    later = np.arange(300) >= 220
    two = replace(one, rival=np.where(later, one.rival[::-1], one.rival))
    first, second = (run(BidTrial(each, setting_of(policy), 3)) for each in (one, two))
    assert np.array_equal(first.chances[:221], second.chances[:221])
    assert not np.array_equal(first.reward, second.reward)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_trial_goes_on_exactly_from_its_state(policy: tuple[str, str, str]) -> None:
    auctions = make_auctions(300)
    whole = BidTrial(auctions, setting_of(policy, shrinkage=0.25), 3)
    for _ in range(3):
        whole.step()
    other = BidTrial(auctions, setting_of(policy, shrinkage=0.25), 99)
    other.restore(whole.state())
    assert [whole.step() for _ in range(5)] == [other.step() for _ in range(5)]
    assert np.array_equal(whole.chances, other.chances)


def test_what_learned_on_the_first_auctions_goes_on_over_the_rest_as_if_it_had_never_stopped() -> None:
    auctions = make_auctions(400)
    setting = setting_of(("best", "log_normal", "own"))
    searched = run(BidTrial(part_of(auctions, 0, 200, 100), setting, 3))
    later = BidTrial(auctions, setting, 3)
    later.restore(searched.state(), on_more=True)
    assert np.array_equal(run(later).chances, run(BidTrial(auctions, setting, 3)).chances)
    assert np.array_equal(later.judged(), np.arange(200, 400))


def test_a_learned_bid_gains_on_made_up_auctions_and_trying_costs() -> None:
    auctions = make_auctions(1200)
    gains = [
        run(BidTrial(auctions, replace(USUAL, exploration=each), 3)).kept(np.arange(600, 1200)).mean()
        for each in (0.0, 0.1)
    ]
    trial = BidTrial(auctions, USUAL, 3)
    reports = [trial.step() for _ in range(CHUNKS)]
    assert reports[-1]["skill"] > 0
    assert reports[-1]["rows"] == 600
    assert gains[1] < gains[0]


def test_drawn_wholly_to_the_share_liked_so_far_it_bids_nearly_the_same_share() -> None:
    trial = run(BidTrial(make_auctions(400), replace(USUAL, shrinkage=0.75), 3))
    free = run(BidTrial(make_auctions(400), USUAL, 3))
    spread = [np.std(each.chances[200:].argmax(axis=1)) for each in (trial, free)]
    assert spread[0] < 0.5 * spread[1]


def test_who_wants_to_win_more_often_does() -> None:
    won = []
    for quantile in (0.2, 0.6):
        trial = run(BidTrial(make_auctions(400), replace(USUAL, rule="quantile", quantile=quantile), 3))
        won.append((trial.chances * (trial.reward > 0))[200:].sum(axis=1).mean())
    assert won[0] < won[1]


def test_settings_repeat_try_each_policy_and_stay_in_reach_when_explored() -> None:
    drawn = draw_bid_settings("bids", Randomness(7), 2 * len(POLICIES))
    assert drawn == draw_bid_settings("bids", Randomness(7), 2 * len(POLICIES))
    assert {(one.rule, one.forecast, one.learns) for one in drawn} == set(POLICIES)
    near = explore_bids(drawn[0], np.random.default_rng(1))
    assert (near.rule, near.forecast, near.learns, near.memory) == (
        drawn[0].rule,
        drawn[0].forecast,
        drawn[0].learns,
        drawn[0].memory,
    )
    assert near.exploration in EXPLORATIONS


def test_what_cannot_be_tried_is_refused() -> None:
    auctions = make_auctions(400)
    with pytest.raises(ModelError, match="no bid policy"):
        BidTrial(auctions, replace(USUAL, rule="quantile", learns="own"), 1)
    with pytest.raises(ModelError, match="too few"):
        BidTrial(replace(auctions, first_judged=395), USUAL, 1)
    done = run(BidTrial(auctions, USUAL, 1))
    with pytest.raises(ModelError, match="all chunks"):
        done.step()
    with pytest.raises(ModelError, match="other auctions"):
        BidTrial(part_of(auctions, 0, 200, 100), USUAL, 1).restore(done.state())
