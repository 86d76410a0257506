"""Scaled intervals keep their promise while labels come late and the world breaks."""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise

import numpy as np
import pytest

from core.errors import ModelError
from models.conformal_scaled import ScaledConformal

COUNT, BREAK, WARM = 4000, 2000, 200


def serve_through_a_break(seed: int, delay: int) -> tuple[np.ndarray, np.ndarray]:
    """Return hits and size of noise where an online line follows a drifting slope that breaks."""
    random = np.random.default_rng(seed)
    x = random.normal(size=COUNT)
    slope = 1 + np.cumsum(0.005 * random.normal(size=COUNT))
    slope[BREAK:] -= 2
    spread = 0.4 * np.exp(0.5 * np.sin(np.arange(COUNT) / 150))
    labels = slope * x + spread * random.normal(size=COUNT)
    conformal, weight, waiting, hits = ScaledConformal(), 0.0, deque(), []
    for at in range(COUNT):
        value = weight * x[at]
        lower, upper = conformal.interval(value)
        hits.append(lower <= labels[at] <= upper)
        waiting.append((at, value, lower, upper))
        if len(waiting) > delay:
            was, *served = waiting.popleft()
            conformal.update(*served, labels[was])
            weight += 0.02 * x[was] * (labels[was] - weight * x[was])
    return np.array(hits), spread


@pytest.mark.parametrize(("delay", "after_break"), [(0, 0.85), (5, 0.85), (25, 0.85)])
def test_coverage_is_nominal_overall_after_a_break_and_in_every_tercile_of_volatility(
    delay: int, after_break: float
) -> None:
    runs = [serve_through_a_break(seed, delay) for seed in range(5)]
    hits = np.stack([hits for hits, _ in runs])
    assert hits[:, WARM:].mean() == pytest.approx(0.9, abs=0.01)
    assert hits[:, BREAK : BREAK + 150].mean() >= after_break
    spread = runs[0][1]
    edges = np.quantile(spread[WARM:], [0, 1 / 3, 2 / 3, 1])
    for low, high in pairwise(edges):
        inside = (spread >= low) & (spread <= high) & (np.arange(COUNT) >= WARM)
        assert hits[:, inside].mean() == pytest.approx(0.9, abs=0.03)


def test_intervals_do_not_depend_on_the_size_of_the_forecast() -> None:
    conformal = ScaledConformal()
    random = np.random.default_rng(1)
    for error in random.normal(size=100):
        conformal.update(0.0, -1.0, 1.0, float(error))
    near, far = conformal.interval(0.0), conformal.interval(1000.0)
    assert far[1] - far[0] == pytest.approx(near[1] - near[0])
    assert near[0] == -near[1]


def test_intervals_scale_with_the_unit() -> None:
    widths = []
    for unit in (1.0, 1e-9):
        conformal = ScaledConformal()
        for error in np.random.default_rng(1).normal(size=100):
            lower, upper = conformal.interval(0.0)
            conformal.update(0.0, lower, upper, unit * float(error))
        widths.append(conformal.interval(0.0)[1] / unit)
    assert widths[0] == pytest.approx(widths[1])


def test_a_forecast_that_was_never_wrong_has_no_width_and_a_first_error_widens_it() -> None:
    conformal = ScaledConformal()
    for _ in range(50):
        conformal.update(1.0, 1.0, 1.0, 1.0)
    assert conformal.interval(1.0) == (1.0, 1.0)
    conformal.update(1.0, 1.0, 1.0, 2.0)
    assert conformal.interval(1.0)[1] > 1.0


def test_a_restored_one_and_a_copy_go_on_identically_and_apart() -> None:
    one = ScaledConformal()
    errors = np.random.default_rng(2).normal(size=900).tolist()

    def serve(conformal: ScaledConformal, some: list[float]) -> list[tuple[float, float]]:
        served = []
        for error in some:
            served.append(conformal.interval(5.0))
            conformal.update(5.0, *served[-1], 5.0 + error)
        return served

    serve(one, errors[:600])
    two, three = ScaledConformal(), one.copy()
    two.restore(one.state())
    assert serve(one, errors[600:]) == serve(two, errors[600:]) == serve(three, errors[600:])
    assert (one.coverage, one.count) == (two.coverage, two.count)


@pytest.mark.parametrize(
    "damage",
    [
        {"hits": None},
        {"errors": [0.1, math.nan]},
        {"errors": [0.1, -0.1]},
        {"level": math.inf},
        {"scale": -1.0},
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(damage: dict[str, object]) -> None:
    conformal = ScaledConformal()
    conformal.update(0.0, 0.0, 0.0, 1.0)
    with pytest.raises(ModelError):
        conformal.restore(conformal.state() | damage)
    assert (conformal.interval(0.0), conformal.count) == ((-1.0, 1.0), 1)
    with pytest.raises(ModelError, match="other parameters"):
        ScaledConformal(0.8).restore(conformal.state())


def test_a_label_that_is_no_number_and_impossible_parameters_are_refused() -> None:
    with pytest.raises(ModelError, match="finite"):
        ScaledConformal().update(0.0, 0.0, 0.0, math.nan)
    with pytest.raises(ModelError):
        ScaledConformal(nominal=1.0)
