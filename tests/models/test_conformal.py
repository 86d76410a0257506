from __future__ import annotations

import math
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelError
from models.conformal import AdaptiveConformal


def serve(labels: np.ndarray, delay: int, conformal: AdaptiveConformal) -> float:
    """Return coverage of a forecast of 100 whose labels come ``delay`` steps late."""
    waiting: deque[tuple[float, float, float]] = deque()
    hits = []
    for label in labels:
        lower, upper = conformal.interval(100.0)
        hits.append(lower <= label <= upper)
        waiting.append((lower, upper, label))
        if len(waiting) > delay:
            low, high, late = waiting.popleft()
            conformal.update(100.0, low, high, late)
    return float(np.mean(hits))


@pytest.mark.parametrize("delay", [0, 2, 25])
@pytest.mark.parametrize("nominal", [0.5, 0.9])
def test_coverage_is_nominal_although_the_noise_changes_and_labels_come_late(
    delay: int, nominal: float
) -> None:
    random = np.random.default_rng(delay)
    spread = np.repeat([1.0, 4.0, 0.5], 1500)
    labels = 100 + spread * random.standard_normal(4500)
    assert serve(labels, delay, AdaptiveConformal(nominal)) == pytest.approx(nominal, abs=0.02)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(50, 150), min_size=200, max_size=200), st.floats(0.05, 0.95))
def test_long_run_coverage_holds_for_any_sequence(labels: list[float], nominal: float) -> None:
    """Gibbs and Candes bound the distance to nominal by (1 + gamma) / (gamma * count).

    The quantile never looks below the smallest error seen, so only undercoverage is bounded.
    """
    conformal = AdaptiveConformal(nominal, gamma=0.1)
    covered = serve(np.array(labels), 0, conformal)
    # the first FEWEST intervals and those at level 1 are as wide as the widest error seen so far
    assert covered >= nominal - (1 + 0.1) / (0.1 * 200) - 0.1


def test_before_any_label_an_interval_is_a_point() -> None:
    conformal = AdaptiveConformal()
    assert conformal.interval(5.0) == (5.0, 5.0)
    assert math.isnan(conformal.coverage)


def test_asking_for_an_interval_changes_nothing() -> None:
    conformal = AdaptiveConformal()
    serve(np.linspace(90, 110, 60), 0, conformal)
    assert len({conformal.interval(100.0) for _ in range(5)}) == 1


def test_intervals_scale_with_the_forecast() -> None:
    conformal = AdaptiveConformal()
    serve(np.linspace(90, 110, 60), 0, conformal)
    one, two = conformal.interval(100.0), conformal.interval(200.0)
    assert two == pytest.approx((2 * one[0], 2 * one[1]))


def test_coverage_counts_intervals_as_they_were_served() -> None:
    conformal = AdaptiveConformal()
    conformal.update(10.0, 9.0, 11.0, 10.5)
    conformal.update(10.0, 9.0, 11.0, 12.0)
    assert (conformal.coverage, conformal.count) == (0.5, 2)


def test_a_restored_state_goes_on_identically() -> None:
    random = np.random.default_rng(1)
    labels = 100 + random.standard_normal(900)
    one = AdaptiveConformal()
    serve(labels[:600], 0, one)
    two = AdaptiveConformal()
    two.restore(one.state())
    assert serve(labels[600:], 0, one) == serve(labels[600:], 0, two)
    assert one.interval(100.0) == two.interval(100.0)
    assert one.coverage == two.coverage


def test_a_state_with_other_parameters_is_refused() -> None:
    with pytest.raises(ModelError, match="other parameters"):
        AdaptiveConformal(0.8).restore(AdaptiveConformal(0.9).state())
    with pytest.raises(ModelError, match="not the state"):
        AdaptiveConformal(0.8).restore({})


@pytest.mark.parametrize("damage", [{"hits": None}, {"errors": [0.1, math.nan]}, {"level": math.inf}])
def test_a_damaged_state_is_refused_and_changes_nothing(damage: dict[str, object]) -> None:
    conformal = AdaptiveConformal()
    serve(np.linspace(90, 110, 60), 0, conformal)
    before, other = conformal.interval(100.0), AdaptiveConformal()
    serve(np.linspace(80, 120, 90), 0, other)
    with pytest.raises(ModelError):
        conformal.restore(other.state() | damage)
    assert (conformal.interval(100.0), conformal.count) == (before, 60)


def test_a_copy_learns_apart() -> None:
    one = AdaptiveConformal()
    serve(np.linspace(90, 110, 60), 0, one)
    two = one.copy()
    before = two.interval(100.0)
    assert (before, two.coverage, two.count) == (one.interval(100.0), one.coverage, 60)
    serve(np.linspace(50, 150, 60), 0, one)
    assert (two.interval(100.0), two.count) == (before, 60)


@pytest.mark.parametrize("bad", [{"nominal": 0.0}, {"nominal": 1.0}, {"gamma": 0.0}, {"window": 3}])
def test_impossible_parameters_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ModelError):
        AdaptiveConformal(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("label", [math.nan, math.inf])
def test_a_label_that_is_no_number_is_refused(label: float) -> None:
    conformal = AdaptiveConformal()
    with pytest.raises(ModelError, match="finite"):
        conformal.update(1.0, 0.0, 2.0, label)
    assert conformal.count == 0
