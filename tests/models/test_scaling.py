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
