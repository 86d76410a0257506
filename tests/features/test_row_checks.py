"""The gate before models: what passes is good, in order of time, and what does not is counted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from core.reasons import Reason
from features.feature import FeatureRow
from features.registry import BLOCK
from features.row_checks import RowGate, check_row


def row(number: int, seconds: int | None = None) -> FeatureRow:
    values = tuple(min(max(feature.null, feature.low), feature.high) for feature in BLOCK.features)
    return FeatureRow(number, 12 * number if seconds is None else seconds, 0, BLOCK.names, values)


def reasons(*rows: FeatureRow) -> list[Reason | None]:
    gate = RowGate(BLOCK)
    return [None if refusal is None else refusal.reason for refusal in map(gate.check, rows)]


@pytest.mark.parametrize(
    "late", [row(5), row(6), row(7, 60)], ids=["lower height", "same height", "older than its parent"]
)
def test_time_goes_forward_in_height_and_in_seconds(late: FeatureRow) -> None:
    assert reasons(row(6), late) == [None, Reason.TIME_WENT_BACK]
    refusal = check_row(late, BLOCK, row(6))
    assert refusal is not None
    assert str(late.block_number) in refusal.detail


def test_blocks_of_one_second_are_in_order() -> None:
    assert reasons(row(6), row(7, 72), row(8, 72)) == [None, None, None]


def test_a_row_is_compared_with_the_last_good_one_and_after_a_rollback_with_the_one_before() -> None:
    gate = RowGate(BLOCK)
    bad = replace(row(7), values=(math.nan, *row(7).values[1:]))
    assert gate.check(row(6)) is None
    assert gate.check(bad) is not None
    assert gate.check(row(8)) is None
    assert gate.check(row(7)) is not None
    gate.rollback(6)
    assert gate.check(row(7)) is None
    assert gate.refused == {Reason.FEATURE_NOT_FINITE: 1, Reason.TIME_WENT_BACK: 1}
