"""Drift monitors are quiet while nothing changes and speak soon after something has."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.reasons import Reason
from features.drift import DriftMonitor
from features.feature import FeatureRow


def rows(values: np.ndarray, missing: tuple[str, ...] = ()) -> list[FeatureRow]:
    return [FeatureRow(n, n, n, ("a",), (float(value),), missing) for n, value in enumerate(values)]


def alarms(values: np.ndarray, missing: tuple[str, ...] = ()) -> list[tuple[int, str]]:
    monitor = DriftMonitor(("a",))
    return [(d.block_number, d.detector) for row in rows(values, missing) for d in monitor.update(row)]


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_a_shift_is_told_whatever_the_unit_and_quiet_before(scale: float) -> None:
    source = np.random.default_rng(1)
    values = np.concatenate((source.normal(5, 1, 1500), source.normal(8, 1, 500))) * scale
    found = alarms(values)
    assert 1500 <= found[0][0] < 1600
    assert {detector for _, detector in found} == {"adwin", "page_hinkley"}


def test_noise_without_a_change_seldom_alarms() -> None:
    assert sum(len(alarms(np.random.default_rng(seed).normal(0, 1, 2000))) for seed in range(5)) <= 1


def test_unknown_and_bad_values_are_passed_over() -> None:
    source = np.random.default_rng(1)
    shifted = np.concatenate((source.normal(0, 1, 1000), source.normal(9, 1, 200)))
    assert alarms(shifted, missing=("a",)) == []
    assert alarms(np.full(500, math.nan)) == []


def test_a_constant_feature_never_alarms() -> None:
    assert alarms(np.full(1000, 3.0)) == []


def test_an_alarm_says_how_far_the_value_lies() -> None:
    source = np.random.default_rng(1)
    monitor = DriftMonitor(("a",))
    found = [
        d for row in rows(np.append(source.normal(0, 1, 300), np.full(99, 4.0))) for d in monitor.update(row)
    ]
    assert found[0].refusal.reason is Reason.FEATURE_DRIFT
    assert found[0].refusal.detail.startswith("a is 4, +")
