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


@pytest.mark.parametrize("name", BLOCK.names)
@pytest.mark.parametrize("sign", [1, -1])
def test_an_outlier_is_refused_itself_and_not_the_rows_after_it(name: str, sign: int) -> None:
    bad = row(7)
    place = bad.names.index(name)
    bad = replace(bad, values=(*bad.values[:place], sign * 1e155, *bad.values[place + 1 :]))
    assert reasons(row(6), bad, row(8), row(9)) == [None, Reason.FEATURE_OUT_OF_RANGE, None, None]


def test_a_time_far_ahead_is_refused_itself_and_not_the_rows_after_it() -> None:
    found = reasons(row(6), row(7, 10**12), row(8), row(9))
    assert found == [None, Reason.TIME_RAN_AHEAD, None, None]


def known(one: FeatureRow, seconds: int) -> FeatureRow:
    return replace(one, known_at_ns=seconds * 10**9)


def test_the_first_row_is_held_against_the_clock() -> None:
    found = reasons(known(row(6, 10**12), 72), known(row(7), 85), known(row(8), 96))
    assert found == [Reason.TIME_RAN_AHEAD, None, None]


def test_a_chain_that_stood_still_for_days_goes_on() -> None:
    later = 72 + 5 * 86_400
    assert (
        reasons(row(6), known(row(7, later), later + 1), known(row(8, later + 12), later + 13)) == [None] * 3
    )


def test_a_chain_whose_time_runs_ahead_of_the_clock_is_believed() -> None:
    assert reasons(*(known(row(number), 72) for number in range(6, 60))) == [None] * 54


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
