from __future__ import annotations

import numpy as np
import pytest

from core.errors import ModelError
from models.intervals import bernstein_interval, ratio_interval


def test_a_mean_that_does_not_vary_has_no_width() -> None:
    interval = ratio_interval(np.full(40, 0.25), np.ones(40), np.random.default_rng(1), length=4)
    assert (interval.lower, interval.value, interval.upper) == (0.25, 0.25, 0.25)


def test_intervals_of_independent_rows_hold_the_mean_as_often_as_they_say() -> None:
    random = np.random.default_rng(2)
    held = [
        ratio_interval(random.exponential(1.0, 150), np.ones(150), random, level=0.9).holds(1.0)
        for _ in range(250)
    ]
    assert np.mean(held) == pytest.approx(0.9, abs=0.05)


def test_rows_that_hang_together_need_blocks() -> None:
    random = np.random.default_rng(3)
    rows = np.repeat(random.normal(0, 1, 60), 10)
    alone, together = (
        ratio_interval(rows, np.ones(600), np.random.default_rng(4), length=length) for length in (1, 20)
    )
    assert together.upper - together.lower > 2 * (alone.upper - alone.lower)


def test_the_guaranteed_interval_holds_where_the_bootstrap_sees_nothing_rare() -> None:
    random = np.random.default_rng(5)
    held = [bernstein_interval(50.0 * (random.random(300) < 0.01), 50.0).holds(0.5) for _ in range(200)]
    assert np.mean(held) == 1.0


def test_one_row_says_nothing_for_sure() -> None:
    assert bernstein_interval(np.array([0.5]), 3.0).upper == 3.0


@pytest.mark.parametrize(("count", "length"), [(0, 1), (3, 4), (3, 0)])
def test_blocks_that_do_not_fit_are_refused(count: int, length: int) -> None:
    with pytest.raises(ModelError):
        ratio_interval(np.ones(count), np.ones(count), np.random.default_rng(1), length=length)
