from __future__ import annotations

import numpy as np
import pytest

from core.errors import ModelError
from models.scaling import CLIP, OnlineScaler


def test_early_on_it_is_the_plain_mean_and_variance() -> None:
    rows = np.random.default_rng(1).normal(5, 3, (50, 2))
    scaler = OnlineScaler(2)
    for row in rows:
        scaler.update(row)
    expected = np.clip((rows - rows.mean(axis=0)) / rows.std(axis=0), -CLIP, CLIP)
    assert scaler.transform(rows) == pytest.approx(expected)


def test_later_it_follows_the_stream() -> None:
    scaler = OnlineScaler(1, half_life=20)
    for value in [0.0, 1.0] * 200 + [100.0, 101.0] * 200:
        scaler.update(np.array([value]))
    assert scaler.transform(np.array([100.5])) == pytest.approx([0], abs=0.1)


def test_a_column_that_never_moved_is_zero_and_one_that_starts_to_move_is_clipped() -> None:
    scaler = OnlineScaler(1)
    for _ in range(1000):
        scaler.update(np.array([0.1]))
    assert scaler.transform(np.array([5.0])).tolist() == [0.0]
    scaler.update(np.array([5.0]))
    assert scaler.transform(np.array([5.0])).tolist() == [CLIP]


def test_a_state_of_another_width_is_refused() -> None:
    with pytest.raises(ModelError, match="columns"):
        OnlineScaler(2).restore(OnlineScaler(3).state())


def test_no_finite_row_makes_it_lose_its_numbers() -> None:
    random = np.random.default_rng(4)
    outliers = np.array([0.0, -0.0, 1.0, 1e150, 1e155, -1e155, 1e300, -1.7e308, 1.7e308])
    scaler = OnlineScaler(8, half_life=20)
    with np.errstate(over="raise", invalid="raise"):
        for place in range(400):
            row = random.choice(outliers, 8) if place % 3 else random.normal(size=8)
            scaler.update(row)
            mean, scale = scaler.parameters()
            assert np.isfinite([mean, scale, scaler.transform(row), scaler.transform(-row)]).all()
    OnlineScaler(8).restore(scaler.state())


def test_bits_of_usual_rows_are_those_of_the_plain_recurrence() -> None:
    rows = np.random.default_rng(5).normal(0, 1e12, (60, 3))
    scaler, step = OnlineScaler(3), 1 - 0.5 ** (1 / 2000.0)
    mean, variance = np.zeros(3), np.zeros(3)
    for place, row in enumerate(rows):
        scaler.update(row)
        share = max(1 / (place + 1), step)
        delta = row - mean
        mean = mean + share * delta
        variance = (1 - share) * (variance + share * delta * delta)
    state = scaler.state()
    assert state["mean"].tobytes() == mean.tobytes()
    assert state["variance"].tobytes() == variance.tobytes()


@pytest.mark.parametrize(("key", "bad"), [("variance", np.array([1.0, -1.0])), ("count", -1)])
def test_a_negative_state_is_refused(key: str, bad: object) -> None:
    with pytest.raises(ModelError, match="negative"):
        OnlineScaler(2).restore({**OnlineScaler(2).state(), key: bad})
