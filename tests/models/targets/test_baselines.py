from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chain.blocks import BlockHeader, next_base_fee
from models.targets.baselines import (
    SURE,
    always,
    exact_next_base_fee,
    hardest,
    is_degenerate,
    last_outcome,
    last_percentile,
    losses,
    rate_so_far,
    recent_rate,
)
from models.targets.table import Kind, TargetTable

blocks = st.tuples(st.integers(1, 10**13), st.integers(0, 60_000_000), st.integers(10_000, 60_000_000))


def table(label: list[float], kind: Kind = Kind.NUMBER, **baselines: list[float]) -> TargetTable:
    count = len(label)
    issued = np.arange(count)
    forecasts = {name: np.array(forecast) for name, forecast in baselines.items()}
    return TargetTable(
        "t", "u", "1", kind, (), np.zeros((count, 0)), np.array(label), issued, issued + 1, forecasts, 1, "s"
    )


@given(st.lists(blocks, min_size=1, max_size=20))
def test_the_next_base_fee_is_the_chains(rows: list[tuple[int, int, int]]) -> None:
    fee, used, limit = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    used = np.minimum(used, limit)
    got = exact_next_base_fee(fee, used, limit)
    for place in range(len(rows)):
        header = BlockHeader(
            number=1,
            hash=b"",
            parent_hash=b"",
            timestamp=0,
            base_fee=int(fee[place]),
            gas_used=int(used[place]),
            gas_limit=int(limit[place]),
        )
        assert int(got[place]) == next_base_fee(header)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=30), st.integers(1, 5))
def test_rates_count_labels_that_were_known_and_no_others(rows: list[tuple[bool, int]], horizon: int) -> None:
    label = np.array([float(one) for one, _ in rows])
    issued = np.cumsum([step for _, step in rows])
    known = issued + horizon
    rate, last, recent = (rule(label, known, issued) for rule in (rate_so_far, last_outcome, recent_rate))
    for row in range(len(rows)):
        seen = label[known <= issued[row]]
        assert rate[row] == (seen.sum() + 1) / (len(seen) + 2)
        assert last[row] == (0.5 if not len(seen) else SURE if seen[-1] else 1 - SURE)
        assert 0 <= recent[row] <= 1


def test_a_label_that_never_comes_is_never_counted() -> None:
    label, times = np.array([1.0, np.nan, 1.0]), np.array([0, 1, 2])
    assert rate_so_far(label, times + 1, times).tolist() == [1 / 2, 2 / 3, 2 / 3]


def test_the_last_percentile_is_numpys_over_a_full_window() -> None:
    values = np.array([4.0, 1.0, 3.0, 2.0, 8.0])
    for percent in (10.0, 50.0, 90.0):
        assert last_percentile(values, percent, 3)[-1] == np.percentile(values[-3:], percent)


def test_who_always_says_ninety_says_ninety() -> None:
    assert always(2).tolist() == [0.9, 0.9]


def test_the_hardest_baseline_has_the_smallest_loss_over_judged_rows() -> None:
    # the first row is not judged, and the third never got its label
    one = table([9.0, 1.0, np.nan, 2.0], near=[0.0, 1.0, 9.0, 1.5], far=[9.0, 0.0, 0.0, 0.0])
    assert hardest(one) == "near"
    assert np.isnan(losses(one, one.baselines["near"])[2])


def test_probabilities_lose_by_brier_score() -> None:
    one = table([1.0, 0.0], Kind.PROBABILITY, half=[0.5, 0.5])
    assert losses(one, one.baselines["half"]).tolist() == [0.25, 0.25]


def test_a_target_whose_labels_are_all_the_same_is_degenerate() -> None:
    assert is_degenerate(table([0.0, np.nan, 0.0], zero=[0.0] * 3))
    assert is_degenerate(table([np.nan], zero=[0.0]))
    assert not is_degenerate(table([0.0, 1.0], zero=[0.0] * 2))
