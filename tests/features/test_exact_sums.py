"""Sums in machine code are those of ``math.fsum``, whatever the values."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.batches.kernels import exact_sums, exact_window_sums

numbers = st.floats(-1e150, 1e150) | st.sampled_from([1.0, 2.0**-53, -(2.0**-53), 1e16, 1.5, 0.0, 2.0**-105])


@settings(max_examples=300, deadline=None)
@given(values=st.lists(numbers, max_size=30), window=st.integers(1, 8))
def test_sums_are_rounded_once(values: list[float], window: int) -> None:
    array = np.array(values, dtype=np.float64)
    ends = np.arange(window, len(values) + 1, window)
    slices = [values[end - window : end] for end in ends]
    assert exact_sums(array, ends).tolist() == list(map(math.fsum, slices))
    windows = [values[max(end - window, 0) : end] for end in range(1, len(values) + 1)]
    assert exact_window_sums(array, window).tolist() == list(map(math.fsum, windows))
