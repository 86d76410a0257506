"""Who is no better is let through as rarely as promised, whenever one stops; who is better gets through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import ModelError
from models.sequential_test import (
    FIRST,
    TAIL,
    bet_on_losses,
    bet_on_values,
    chains,
    enough_forecasts,
    needed,
)

ALPHA = 0.1
TRIES = 400
LEVEL = needed(0.05)


def after(count: int, horizon: int) -> NDArray[np.int64]:
    """Return when labels come that are all as late."""
    return np.arange(count) + horizon


def slots(count: int, length: int) -> NDArray[np.int64]:
    """Return when labels come that all wait for the end of their slot."""
    return (np.arange(count) // length + 1) * length


def fair_wins(arrival: NDArray[np.int64], told: NDArray[np.int64], seed: int, *, tail: bool) -> float:
    """Return how often a candidate that is no better reaches the level, if labels are told to come then.

    The gain of a forecast is the sum of all shocks until its label comes: fair whatever was known when it was
    issued, and nearly the same as its neighbour's.
    """
    random, count, wins = np.random.default_rng(seed), len(arrival), 0
    size = np.sqrt(arrival - np.arange(count))
    for _ in range(TRIES):
        noise = random.standard_t(2.5, arrival.max()) if tail else random.normal(size=arrival.max())
        # calm and wild hours, as fees have them
        walk = np.concatenate(([0.0], np.cumsum(noise * np.exp(np.sin(np.arange(len(noise)) / 40)))))
        gain = 4 * (walk[arrival] - walk[np.arange(count)]) / size
        usual = np.full(count, 4.0)
        wins += bet_on_losses(usual, usual - np.clip(gain, -4, 4), told).e_value >= 1 / ALPHA
    return wins / TRIES


LATE = {
    "at once": after(300, 1),
    "three later": after(300, 3),
    "ends of slots": slots(300, 12),
    "some late": np.maximum.accumulate(np.arange(300) + np.random.default_rng(8).geometric(0.3, 300)),
    "out of order": np.arange(300) + np.random.default_rng(9).geometric(0.2, 300),
}


@pytest.mark.parametrize("arrival", LATE.values(), ids=LATE.keys())
@pytest.mark.parametrize("tail", [False, True])
def test_a_candidate_that_is_no_better_is_let_through_no_more_often_than_alpha_at_any_time(
    arrival: NDArray[np.int64], tail: bool
) -> None:
    assert fair_wins(arrival, arrival, 3, tail=tail) <= ALPHA


def test_whoever_bets_before_labels_are_known_is_lucky_too_often() -> None:
    # the check above would see it
    assert fair_wins(LATE["ends of slots"], after(300, 1), 3, tail=False) > 2 * ALPHA


def test_losses_that_could_be_swapped_are_let_through_no_more_often_than_alpha() -> None:
    random = np.random.default_rng(4)
    arrival, wins = LATE["some late"], 0
    for _ in range(TRIES):
        # whose loss is whose is a coin, thrown once for each forecast; the losses themselves overlap
        shocks = random.standard_t(2.5, 310)
        low, high = np.abs(np.convolve(shocks, np.ones(5), "valid")[:300]), np.abs(shocks[:300])
        swapped = random.random(300) < 0.5
        incumbent, candidate = np.where(swapped, low, high), np.where(swapped, high, low)
        wins += bet_on_losses(incumbent, candidate, arrival).e_value >= 1 / ALPHA
    assert wins <= ALPHA * TRIES


arrivals = st.lists(st.integers(1, 9), min_size=1, max_size=60).map(
    lambda delays: np.arange(len(delays)) + np.array(delays)
)


@given(arrivals, st.data())
def test_chains_do_not_overlap_and_look_at_nothing_but_what_is_known(
    arrival: NDArray[np.int64], data: st.DataObject
) -> None:
    chain = chains(arrival)
    for place in range(int(chain.max()) + 1):
        (rows,) = np.nonzero(chain == place)
        assert (arrival[rows[:-1]] <= rows[1:]).all()
    cut = data.draw(st.integers(0, len(arrival) - 1))
    unknown = np.where(arrival > cut, arrival + 100, arrival)
    assert np.array_equal(chains(unknown)[: cut + 1], chain[: cut + 1])


def test_labels_that_are_all_as_late_make_as_many_chains() -> None:
    assert np.array_equal(chains(after(12, 3)), np.arange(12) % 3)
    assert np.bincount(chains(slots(40, 10))).tolist() == [4] * 10


def test_a_few_late_labels_do_not_hide_a_perfect_candidate() -> None:
    # as many rows as the recorded survivals have: most labels come at once, some ten rows later
    random = np.random.default_rng(6)
    arrival = np.arange(312) + np.where(random.random(312) < 0.8, 1, 10)
    brier = np.square(0.8 - (random.random(312) < 0.8).astype(np.float64))
    assert bet_on_losses(brier, np.zeros(312), arrival).e_value > LEVEL
    assert (enough_forecasts(brier, arrival, LEVEL) or 999) < 312


def test_it_is_said_how_many_forecasts_a_perfect_candidate_would_take() -> None:
    # as many rows as the recorded auctions have, thirty in a slot: sixteen labels that do not overlap
    random = np.random.default_rng(7)
    error, arrival = np.abs(random.normal(size=463)), np.minimum(slots(463, 30), 463)
    perfect = np.zeros(463)
    assert bet_on_losses(error, perfect, arrival).e_value < LEVEL
    enough = enough_forecasts(error, arrival, LEVEL)
    assert enough is not None
    assert 463 < enough < 3_000
    more = np.abs(random.normal(size=2 * enough))
    reached = bet_on_losses(more, np.zeros(2 * enough), slots(2 * enough, 30)).e_value
    assert reached > LEVEL
    # who never errs cannot be beaten, on however many
    assert enough_forecasts(perfect, arrival, LEVEL) is None


@given(arrivals, st.data())
def test_nobody_has_more_evidence_than_who_never_errs(
    arrival: NDArray[np.int64], data: st.DataObject
) -> None:
    arrival = np.concatenate((after(FIRST, 1), arrival + FIRST))
    some = st.lists(st.floats(0, 10), min_size=len(arrival), max_size=len(arrival))
    incumbent, candidate = np.array(data.draw(some)), np.array(data.draw(some))
    perfect = bet_on_losses(incumbent, np.zeros(len(arrival)), arrival).e_value
    assert bet_on_losses(incumbent, candidate, arrival).e_value <= perfect
    enough = enough_forecasts(incumbent, arrival, perfect)
    assert enough is not None
    assert enough <= len(arrival)
    assert bet_on_losses(incumbent, TAIL * incumbent, arrival).e_value <= 0.5


def test_two_models_of_equal_error_are_not_told_apart() -> None:
    random = np.random.default_rng(5)
    wins = 0
    for _ in range(TRIES):
        incumbent, candidate = np.abs(random.normal(size=(2, 300)))
        wins += bet_on_losses(incumbent, candidate, after(300, 2)).e_value >= 1 / ALPHA
    assert wins <= ALPHA * TRIES


def test_a_better_candidate_is_seen_and_the_worse_one_is_not() -> None:
    random = np.random.default_rng(1)
    shared = random.normal(size=2_000)
    incumbent = np.abs(shared + random.normal(0, 0.5, 2_000))
    candidate = np.abs(shared)
    assert bet_on_losses(incumbent, candidate, after(2_000, 2)).e_value > LEVEL
    assert bet_on_losses(candidate, incumbent, after(2_000, 2)).e_value < 2


def test_one_disaster_of_the_incumbent_is_no_proof() -> None:
    usual = np.ones(300)
    worse = np.full(300, 1.02)
    usual[200] = 1e9
    assert bet_on_losses(usual, worse, after(300, 1)).e_value < 3


@settings(max_examples=40, deadline=None)
@given(arrivals, st.data())
def test_what_was_seen_stays_seen_and_the_future_changes_nothing(
    arrival: NDArray[np.int64], data: st.DataObject
) -> None:
    arrival = np.concatenate((after(FIRST, 1), arrival + FIRST))
    some = st.lists(st.floats(0, 10), min_size=len(arrival), max_size=len(arrival))
    incumbent, candidate = np.array(data.draw(some)), np.array(data.draw(some))
    cut = data.draw(st.integers(1, len(arrival)))
    whole = bet_on_losses(incumbent, candidate, arrival)
    begun = bet_on_losses(incumbent[:cut], candidate[:cut], arrival[:cut])
    assert whole.e_value >= begun.e_value >= 0.5
    assert whole.forecasts <= len(arrival) - FIRST
    # a unit of measurement decides nothing
    assert bet_on_losses(incumbent * 4, candidate * 4, arrival) == whole


@given(st.integers(1, 500))
def test_asking_again_and_again_costs_more_than_luck_brings(attempts: int) -> None:
    spent = sum(1 / needed(0.05, attempt) for attempt in range(1, attempts + 1))
    assert spent < 0.05


def test_a_candidate_that_earns_more_is_seen_whatever_the_signs() -> None:
    random = np.random.default_rng(2)
    incumbent = random.normal(0, 1e15, 600)
    assert bet_on_values(incumbent, incumbent + 3e14, after(600, 2)).e_value > LEVEL
    assert bet_on_values(incumbent, incumbent - 3e14, after(600, 2)).e_value <= 1
    assert bet_on_values(np.zeros(50), np.ones(50), after(50, 1)).forecasts == 0


@pytest.mark.parametrize(
    ("incumbent", "candidate", "arrival"),
    [
        ([1.0], [1.0, 2.0], [1]),
        ([1.0], [1.0], [0]),
        ([1.0], [1.0], [1, 2]),
        ([], [], []),
        ([float("nan")], [1.0], [1]),
        ([1.0], [-1.0], [1]),
    ],
)
def test_what_is_no_pair_of_losses_is_refused(
    incumbent: list[float], candidate: list[float], arrival: list[int]
) -> None:
    with pytest.raises(ModelError):
        bet_on_losses(np.array(incumbent), np.array(candidate), np.array(arrival, dtype=np.int64))


@pytest.mark.parametrize(("alpha", "attempt"), [(0.0, 1), (1.0, 1), (0.05, 0)])
def test_a_level_that_is_none_is_refused(alpha: float, attempt: int) -> None:
    with pytest.raises(ModelError, match="alpha"):
        needed(alpha, attempt)
