"""Every share's outcome is known on made-up auctions, so estimates from what a bidder saw can be checked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import ModelError
from core.reasons import Reason, Refusal
from models.intervals import Estimate
from models.off_policy import BidLog, Floats, PolicyValue, policy_value
from models.sent_bids import NEVER, UNKNOWN, SentBids, sent_gain, sent_value

SHARES = np.arange(10) / 10
PLACES = len(SHARES)


def chances_of(best: int, exploration: float) -> Floats:
    chances = np.full(PLACES, exploration / PLACES)
    chances[best] += 1 - exploration
    return chances


def made_up(
    random: np.random.Generator, rows: int, *, exploration: float, best: int = 4, untold: float = 0.0
) -> tuple[SentBids, Floats]:
    """Return bids, and what each share would have kept; the forecast is wrong on purpose."""
    rival = random.integers(1, PLACES + 1, rows)
    propensities = np.tile(chances_of(best, exploration), (rows, 1))
    action = random.choice(PLACES, rows, p=propensities[0])
    kept = np.tile(1 - SHARES, (rows, 1))
    enough = np.where(action >= rival, action, rival)
    hidden = (action < rival) & (random.random(rows) < untold)
    bids = SentBids(
        propensities=propensities,
        chances=np.tile(SHARES**2, (rows, 1)),
        kept=kept,
        action=action,
        enough=np.where(hidden, UNKNOWN, enough),
        outranked=np.full(rows, NEVER),
    )
    return bids, kept * (np.arange(PLACES) >= rival[:, None])


def with_rivals_who_were_first(
    random: np.random.Generator, rows: int, *, exploration: float
) -> tuple[SentBids, Floats]:
    """Return bids of which no share wins two in five, although a rival's price is told in each."""
    bids, truth = made_up(random, rows, exploration=exploration)
    rival = np.where((truth > 0).any(axis=1), (truth > 0).argmax(axis=1), PLACES)
    first = random.random(rows) < 0.4
    passed = first & (bids.action >= rival)
    enough = np.where(passed, PLACES, np.where(first, rival, bids.enough))
    told = replace(bids, enough=enough, outranked=np.where(passed, rival, NEVER))
    return told, truth * ~first[:, None]


def always(place: int, rows: int) -> Floats:
    return np.tile(np.eye(PLACES)[place], (rows, 1))


def test_over_many_logs_each_share_is_estimated_without_bias_and_intervals_hold_the_truth() -> None:
    random, errors, held = np.random.default_rng(1), [], []
    for _ in range(40):
        bids, truth = made_up(random, 250, exploration=0.6)
        found = []
        for place in (3, 6):
            value = sent_value(bids, always(place, 250), random)
            assert isinstance(value, PolicyValue)
            real = truth[:, place].mean()
            found += [value.weighted.value - real, value.doubly_robust.value - real]
            # the population's value: a rival is equally likely at each of ten places
            held.append(value.doubly_robust.holds((1 - SHARES[place]) * place / PLACES))
        errors.append(found)
    deviation = np.std(errors, axis=0)
    bias = np.abs(np.mean(errors, axis=0)) / (deviation / np.sqrt(len(errors)) + 1e-12)
    assert bias[deviation > 1e-9].max() < 3.5
    assert np.mean(held) > 0.85


def test_a_share_at_or_above_everything_that_was_drawn_is_known_exactly_without_any_try() -> None:
    bids, truth = made_up(np.random.default_rng(2), 60, exploration=0.0)
    for place in (4, 7):
        value = sent_value(bids, always(place, 60), np.random.default_rng(3))
        assert isinstance(value, PolicyValue)
        assert value.effective_rows == 60
        assert value.doubly_robust.value == pytest.approx(truth[:, place].mean())
    low = sent_value(bids, always(2, 60), np.random.default_rng(3))
    assert isinstance(low, Refusal)
    assert low.reason is Reason.NO_OVERLAP


def test_it_knows_more_of_another_share_than_the_bids_of_that_share_alone_tell() -> None:
    bids, _ = made_up(np.random.default_rng(4), 2000, exploration=0.4)
    log = BidLog(bids.propensities, bids.action, bids.realised())
    ours = sent_value(bids, always(7, 2000), np.random.default_rng(5))
    own_share = policy_value(log, always(7, 2000), bids.chances * bids.kept, np.random.default_rng(5))
    assert isinstance(ours, PolicyValue)
    assert isinstance(own_share, PolicyValue)
    assert ours.effective_rows > 10 * own_share.effective_rows
    assert _width(ours.doubly_robust) < _width(own_share.doubly_robust)


def _width(estimate: Estimate) -> float:
    return estimate.upper - estimate.lower


def test_what_was_sent_is_worth_what_it_kept() -> None:
    bids, _ = made_up(np.random.default_rng(6), 300, exploration=0.2)
    drawn = np.eye(PLACES)[bids.action]
    gain = sent_gain(replace(bids, propensities=drawn), drawn, np.random.default_rng(1))
    assert isinstance(gain, Estimate)
    assert gain.value == pytest.approx(0, abs=1e-12)


def test_lost_bids_are_censored_and_not_zeros() -> None:
    random = np.random.default_rng(7)
    bids, truth = made_up(random, 8_000, exploration=0.0, best=3, untold=1.0)
    # the forecast is right here, and what it says above a lost bid stands for what nobody saw
    right = replace(bids, chances=np.tile(np.arange(PLACES) / PLACES, (len(bids), 1)))
    value = sent_value(right, always(7, len(bids)), random)
    assert isinstance(value, PolicyValue)
    assert value.doubly_robust.value == pytest.approx(truth[:, 7].mean(), abs=0.015)
    as_zeros = (right.kept[:, 7] * (right.enough >= 0)).mean()
    assert as_zeros < 0.6 * truth[:, 7].mean()
    outcomes = right.outcomes()[right.enough == UNKNOWN]
    assert (outcomes[:, :4] == 0).all()


def test_a_rival_who_was_there_first_biases_no_share_and_its_doubt_is_in_the_interval() -> None:
    random, errors = np.random.default_rng(11), []
    for _ in range(25):
        bids, truth = with_rivals_who_were_first(random, 300, exploration=0.6)
        found = []
        for place in (5, 8):
            value = sent_value(bids, always(place, 300), random)
            assert isinstance(value, PolicyValue)
            found.append(value.doubly_robust.value - truth[:, place].mean())
            assert value.doubly_robust.holds(truth[:, place].mean())
            assert value.guaranteed.holds(truth[:, place].mean())
        errors.append(found)
    bias = np.abs(np.mean(errors, axis=0)) / (np.std(errors, axis=0) / np.sqrt(len(errors)))
    assert bias.max() < 3.5


def test_it_makes_no_difference_to_the_truth_of_a_share_what_we_happened_to_bid() -> None:
    # the same auctions, all of them with a rival who was first at 30 %, by one who bids below and one above
    values = []
    for own in (2, 6):
        rows = 100
        told = own >= 3
        bids = SentBids(
            propensities=np.tile(chances_of(own, 0.0), (rows, 1)),
            chances=np.full((rows, PLACES), 0.5),
            kept=np.tile(1 - SHARES, (rows, 1)),
            action=np.full(rows, own),
            enough=np.full(rows, PLACES if told else 3),
            outranked=np.full(rows, 3 if told else NEVER),
        )
        # one row of another bidder shows that the better price may lose
        seen = replace(bids, enough=np.where(np.arange(rows) == 0, PLACES, bids.enough))
        seen = replace(seen, outranked=np.where(np.arange(rows) == 0, min(own, 3), bids.outranked))
        value = sent_value(seen, always(7, rows), np.random.default_rng(1))
        assert isinstance(value, PolicyValue)
        values.append(value)
    assert all(value.guaranteed.lower == 0 == value.doubly_robust.lower for value in values)
    # below it the rival cannot be told from one that outbid us, above it nothing is left open
    assert values[0].doubly_robust.upper > 0.2
    assert values[1].doubly_robust == Estimate(0.0, 0.0, 0.0)


def test_what_is_guaranteed_holds_whatever_an_unknown_rival_bid() -> None:
    random, rows = np.random.default_rng(12), 4000
    action = random.integers(0, PLACES, rows)
    for rival, truth in ((9, 0.0), (1, 0.5)):
        bids = SentBids(
            propensities=np.full((rows, PLACES), 1 / PLACES),
            chances=np.tile(SHARES, (rows, 1)),
            kept=np.tile(1 - SHARES, (rows, 1)),
            action=action,
            enough=np.where(action >= rival, action, UNKNOWN),
            outranked=np.full(rows, NEVER),
        )
        value = sent_value(bids, always(5, rows), random)
        assert isinstance(value, PolicyValue)
        for estimate in (value.guaranteed, value.doubly_robust, value.weighted):
            assert estimate.lower <= truth <= estimate.upper
        gain = sent_gain(bids, always(5, rows), random)
        assert isinstance(gain, Estimate)
        assert gain.lower <= truth - bids.realised().mean() <= gain.upper


def test_who_does_not_bid_keeps_nothing_and_that_is_known_of_every_row() -> None:
    bids, _ = made_up(np.random.default_rng(8), 40, exploration=0.1)
    value = sent_value(bids, np.zeros((40, PLACES)), np.random.default_rng(1))
    assert isinstance(value, PolicyValue)
    assert value.doubly_robust == Estimate(0.0, 0.0, 0.0)
    assert value.effective_rows == 40


def test_too_few_bids_are_refused() -> None:
    bids, _ = made_up(np.random.default_rng(9), 20, exploration=0.1)
    refused = sent_gain(bids, always(5, 20), np.random.default_rng(1))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.FEW_EFFECTIVE_ROWS


@pytest.mark.parametrize(
    "change",
    [
        {"propensities": np.full((5, PLACES), 0.2)},
        {"chances": np.full((5, PLACES), 1.5)},
        {"kept": np.zeros((5, 3))},
        {"kept": np.full((5, PLACES), np.nan)},
        {"action": np.full(5, PLACES)},
        {"action": np.zeros(5, dtype=np.int64)},
        {"enough": np.full(5, -2)},
        {"enough": np.zeros(4, dtype=np.int64)},
        {"outranked": np.full(5, -2)},
        {"outranked": np.full(5, 4)},
        {"enough": np.full(5, PLACES), "outranked": np.full(5, 5)},
    ],
)
def test_bids_that_contradict_themselves_are_refused(change: dict[str, Floats]) -> None:
    bids, _ = made_up(np.random.default_rng(1), 5, exploration=0.0)
    with pytest.raises(ModelError):
        replace(bids, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "policy", [np.zeros((4, 3)), np.full((40, PLACES), 0.2), np.full((40, PLACES), -0.1)]
)
def test_a_policy_that_is_no_table_of_chances_is_refused(policy: Floats) -> None:
    bids, _ = made_up(np.random.default_rng(1), 40, exploration=0.1)
    with pytest.raises(ModelError):
        sent_value(bids, policy, np.random.default_rng(1))
