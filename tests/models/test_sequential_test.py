"""Who is no better is let through as rarely as promised, whenever one stops; who is better gets through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import ModelError
from models.sequential_test import FIRST, bet_on_losses, bet_on_values, needed

ALPHA = 0.1
TRIES = 400


def overlapping(random: np.random.Generator, count: int, horizon: int, tail: bool) -> NDArray[np.float64]:
    """Return noise of which neighbours within a horizon share their shocks, as errors over blocks do."""
    shocks = random.standard_t(2.5, count + horizon) if tail else random.normal(size=count + horizon)
    # calm and wild hours, as fees have them
    shocks = shocks * np.exp(np.sin(np.arange(len(shocks)) / 40))
    return np.convolve(shocks, np.ones(horizon), "valid")[:count]


@pytest.mark.parametrize(("horizon", "tail"), [(1, False), (1, True), (3, False), (3, True)])
def test_a_candidate_that_is_no_better_is_let_through_no_more_often_than_alpha_at_any_time(
    horizon: int, tail: bool
) -> None:
    random = np.random.default_rng(horizon)
    wins = 0
    for _ in range(TRIES):
        # the gain is fair whatever came before, so the hypothesis holds; its shocks overlap
        gain = overlapping(random, 300, horizon, tail)
        usual = np.full(300, 4.0)
        candidate = np.maximum(usual - np.clip(gain, -4, 4), 0)
        wins += bet_on_losses(usual, candidate, horizon).e_value >= 1 / ALPHA
    assert wins <= ALPHA * TRIES


def test_two_models_of_equal_error_are_not_told_apart() -> None:
    random = np.random.default_rng(5)
    wins = 0
    for _ in range(TRIES):
        incumbent, candidate = np.abs(random.normal(size=(2, 300)))
        wins += bet_on_losses(incumbent, candidate, 2).e_value >= 1 / ALPHA
    assert wins <= ALPHA * TRIES


def test_a_better_candidate_is_seen_and_the_worse_one_is_not() -> None:
    random = np.random.default_rng(1)
    shared = random.normal(size=2_000)
    incumbent = np.abs(shared + random.normal(0, 0.5, 2_000))
    candidate = np.abs(shared)
    assert bet_on_losses(incumbent, candidate, 2).e_value > needed(0.05)
    assert bet_on_losses(candidate, incumbent, 2).e_value < 2


def test_one_disaster_of_the_incumbent_is_no_proof() -> None:
    usual = np.ones(300)
    worse = np.full(300, 1.02)
    usual[200] = 1e9
    assert bet_on_losses(usual, worse, 1).e_value < 3


losses = st.lists(st.floats(0, 10), min_size=1, max_size=120)


@settings(max_examples=40, deadline=None)
@given(losses, st.integers(1, 4), st.data())
def test_what_was_seen_stays_seen_and_the_future_changes_nothing(
    values: list[float], horizon: int, data: st.DataObject
) -> None:
    incumbent = np.array(values)
    candidate = np.array(data.draw(st.lists(st.floats(0, 10), min_size=len(values), max_size=len(values))))
    cut = data.draw(st.integers(0, len(values)))
    whole = bet_on_losses(incumbent, candidate, horizon)
    begun = bet_on_losses(incumbent[:cut], candidate[:cut], horizon)
    assert whole.e_value >= begun.e_value >= 1 / horizon
    assert whole.forecasts <= max(len(values) - FIRST, 0)
    # a unit of measurement decides nothing
    assert bet_on_losses(incumbent * 4, candidate * 4, horizon) == whole


@given(st.integers(1, 500))
def test_asking_again_and_again_costs_more_than_luck_brings(attempts: int) -> None:
    spent = sum(1 / needed(0.05, attempt) for attempt in range(1, attempts + 1))
    assert spent < 0.05


def test_a_candidate_that_earns_more_is_seen_whatever_the_signs() -> None:
    random = np.random.default_rng(2)
    incumbent = random.normal(0, 1e15, 600)
    assert bet_on_values(incumbent, incumbent + 3e14, 2).e_value > needed(0.05)
    assert bet_on_values(incumbent, incumbent - 3e14, 2).e_value <= 1
    assert bet_on_values(np.zeros(50), np.ones(50), 1).forecasts == 0


@pytest.mark.parametrize(
    ("incumbent", "candidate", "horizon"),
    [([1.0], [1.0, 2.0], 1), ([1.0], [1.0], 0), ([float("nan")], [1.0], 1), ([1.0], [-1.0], 1)],
)
def test_what_is_no_pair_of_losses_is_refused(
    incumbent: list[float], candidate: list[float], horizon: int
) -> None:
    with pytest.raises(ModelError):
        bet_on_losses(np.array(incumbent), np.array(candidate), horizon)


@pytest.mark.parametrize(("alpha", "attempt"), [(0.0, 1), (1.0, 1), (0.05, 0)])
def test_a_level_that_is_none_is_refused(alpha: float, attempt: int) -> None:
    with pytest.raises(ModelError, match="alpha"):
        needed(alpha, attempt)
