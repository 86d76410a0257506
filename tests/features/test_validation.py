"""Rows that are not what the registry says are refused, each with its reason."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from core.reasons import Reason
from features.feature import FeatureRow
from features.frames import to_frame
from features.registry import BLOCK, MARKET
from features.validation import check_frame, check_row
from market.context import NO_CONTEXT, BlockContext, Candle
from tests.features.watched import watch
from tests.small_market import Market


@pytest.fixture(scope="module")
def rows() -> list[FeatureRow]:
    contexts = [NO_CONTEXT, BlockContext(Candle("ETHUSDT", 1200, 1, 2, 1, 1, 5), 10**17, "a")] * 6
    return watch([([(0, 0, 0.02, True)], context, None) for context in contexts]).rows


@pytest.fixture
def frame(rows: list[FeatureRow]) -> pd.DataFrame:
    return to_frame(rows, MARKET)


def changed(row: FeatureRow, name: str, value: float) -> FeatureRow:
    values = list(row.values)
    values[row.names.index(name)] = value
    return replace(row, values=tuple(values))


def test_rows_of_the_stream_pass_both_checks(rows: list[FeatureRow], frame: pd.DataFrame) -> None:
    assert check_frame(frame, MARKET) == ()
    assert [check_row(row, MARKET, before) for before, row in pairwise(rows)] == [None] * 11


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_burst_of_numbers_that_are_none_is_named_row_by_row(
    rows: list[FeatureRow], frame: pd.DataFrame, bad: float
) -> None:
    frame.loc[3:7, "trend"] = bad
    found = check_frame(frame, MARKET)
    assert [(finding.block_number, finding.name) for finding in found] == [
        (n, "trend") for n in range(104, 109)
    ]
    assert {finding.refusal.reason for finding in found} == {Reason.FEATURE_NOT_FINITE}
    refusal = check_row(changed(rows[0], "trend", bad), MARKET)
    assert refusal is not None
    assert refusal.reason is Reason.FEATURE_NOT_FINITE


def test_a_value_out_of_its_range_is_refused_with_the_range(
    rows: list[FeatureRow], frame: pd.DataFrame
) -> None:
    frame.loc[2, "gas_used_ratio"] = 1.5
    (found,) = check_frame(frame, MARKET)
    assert (found.block_number, found.name) == (103, "gas_used_ratio")
    assert str(found.refusal) == "feature_out_of_range: gas_used_ratio is 1.5 ratio, its range is 0 to 1"
    assert check_row(changed(rows[2], "gas_used_ratio", 1.5), MARKET) == found.refusal


def test_an_unknown_value_is_held_against_no_range_but_a_known_one_is(frame: pd.DataFrame) -> None:
    assert "builder_count" in frame["missing"][0]
    frame.at[1, "builder_count"] = 0.0
    (found,) = check_frame(frame, MARKET)
    assert (found.block_number, found.name) == (102, "builder_count")


def test_a_missing_column_and_one_of_another_type_are_named(frame: pd.DataFrame) -> None:
    other = frame.drop(columns="trend").astype({"swap_count": "int64"})
    found = check_frame(other, MARKET)
    assert [(finding.name, finding.refusal.detail) for finding in found] == [
        ("swap_count", "the column is int64, not float64"),
        ("trend", "the column is missing"),
    ]
    assert {finding.refusal.reason for finding in found} == {Reason.FEATURE_SET_DIFFERS}


def test_a_table_without_blocks_is_refused(frame: pd.DataFrame) -> None:
    (found,) = check_frame(frame.drop(columns="block_number"), MARKET)
    assert found.refusal.reason is Reason.FEATURE_SET_DIFFERS


def test_time_that_goes_back_is_refused(rows: list[FeatureRow], frame: pd.DataFrame) -> None:
    frame.loc[5, "event_time"] = 0
    assert [(f.block_number, f.refusal.reason) for f in check_frame(frame, MARKET)] == [
        (106, Reason.TIME_WENT_BACK)
    ]
    refusal = check_row(rows[3], MARKET, rows[4])
    assert refusal is not None
    assert refusal.reason is Reason.TIME_WENT_BACK


def test_a_row_of_another_set_is_refused_with_what_is_missing() -> None:
    refusal = check_row(Market().step(1), MARKET)
    assert refusal is not None
    assert refusal.reason is Reason.FEATURE_SET_DIFFERS
    assert f"{len(MARKET.names) - len(BLOCK.names)} features missing" in refusal.detail
    shuffled = FeatureRow(1, 1, 1, BLOCK.names[::-1], (0.0,) * len(BLOCK.names))
    refusal = check_row(shuffled, BLOCK)
    assert refusal is not None
    assert "another order" in refusal.detail
