from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.targets import past
from models.targets.baselines import last_percentile
from models.targets.past import Floats

numbers = st.floats(-1e6, 1e6)
RULES: dict[str, Callable[[Floats], Floats]] = {
    "lag": lambda values: past.lag(values, 3),
    "ew_mean": lambda values: past.ew_mean(values, 4),
    "rolling_mean": lambda values: past.rolling_mean(values, 5),
    "rolling_median": lambda values: past.rolling_median(values, 5),
    "rolling_deviation": lambda values: past.rolling_deviation(values, 5),
    "carried": lambda values: past.carried(values, 0.0),
    "last_percentile": lambda values: last_percentile(values, 90, 5),
}


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=40, deadline=None)
@given(values=arrays(np.float64, 20, elements=numbers), future=arrays(np.float64, 12, elements=numbers))
def test_no_rule_depends_on_what_comes_later(rule: str, values: Floats, future: Floats) -> None:
    told = np.concatenate([values[:8], future])
    np.testing.assert_array_equal(RULES[rule](values)[:8], RULES[rule](told)[:8])


@given(values=arrays(np.float64, 10, elements=numbers), rows=st.integers(0, 15))
def test_ahead_and_lag_are_each_others_inverse(values: Floats, rows: int) -> None:
    later = past.ahead(values, rows)
    assert np.isnan(later).sum() == min(rows, 10)
    np.testing.assert_array_equal(past.lag(later, rows)[rows:], values[rows:])
