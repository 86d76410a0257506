"""Forecasts as served, and a chain that takes blocks back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

import pipeline.outlook
from chain.blocks import BlockHeader
from features.feature import FeatureRow
from models.forecaster import Forecast, Window
from models.judged_rows import JudgedRows
from pipeline.outlook import ENOUGH, WEI_PER_GWEI, Outlook

Fees = Sequence[tuple[int, int]]
"""Height and base fee in gwei."""


async def source(window: Window) -> Forecast:
    last = window[-1]
    fee = last["base_fee_gwei"]
    return Forecast(
        "base_fee_gwei", last.block_number, 2, fee, fee - 1, fee + 1, 0.9, "1", "persistence", fee
    )


def look(outlook: Outlook, fees: Fees) -> None:
    for number, fee in fees:
        row = FeatureRow(number, number * 12, 0, ("base_fee_gwei",), (float(fee),), ())
        header = BlockHeader(number, b"", b"", number * 12, fee * WEI_PER_GWEI, 0, 30_000_000)
        asyncio.run(outlook.look(row, header))


def told(number: int, seed: int) -> tuple[int, int]:
    return number, 20 + number * seed % 7


@pytest.mark.parametrize("depth", [1, 2, 3, 12])
def test_orphaned_blocks_leave_no_trace(depth: int) -> None:
    """Long enough that intervals come from errors of this chain, so the orphans would show."""
    head = ENOUGH * 2
    stays = [told(number, 3) for number in range(1, head - depth + 1)]
    orphans = [told(number, 5) for number in range(head - depth + 1, head + 1)]
    branch = [told(number, 4) for number in range(head - depth + 1, head + 9)]
    met, never = Outlook(source, 4), Outlook(source, 4)
    look(met, [*stays, *orphans])
    met.rollback(head - depth)
    look(met, branch)
    look(never, [*stays, *branch])
    assert met.latest == never.latest
    assert met.calibration() == never.calibration() is not None


def test_a_forecast_about_a_block_that_never_comes_is_never_scored() -> None:
    outlook = Outlook(source, 1)
    look(outlook, [told(number, 3) for number in (1, 2, 3, 6, 7, 8)])
    found = outlook.calibration()
    assert found is not None
    # 4 and 5 were spoken about and never came
    assert found.blocks == (3, 8)


def test_of_a_long_run_the_last_forecasts_are_told_and_the_coverage_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Outlook(source, 1)
    look(whole, [told(number, 3) for number in range(1, 201)])
    monkeypatch.setattr(pipeline.outlook, "JudgedRows", partial(JudgedRows, 10))
    short = Outlook(source, 1)
    look(short, [told(number, 3) for number in range(1, 201)])
    expected, found = whole.calibration(), short.calibration()
    assert expected is not None
    assert found is not None
    assert len(expected.blocks) == 198
    assert (found.blocks, found.value) == (expected.blocks[-10:], expected.value[-10:])
    assert found.empirical == expected.empirical


def test_without_a_row_the_old_forecast_stays_and_no_window_reaches_over_the_gap() -> None:
    asked: list[tuple[int, ...]] = []

    async def listening(window: Window) -> Forecast:
        asked.append(tuple(row.block_number for row in window))
        return await source(window)

    outlook = Outlook(listening, 3)
    look(outlook, [told(number, 3) for number in range(1, 6)])
    old = outlook.latest
    for number, fee in (told(6, 3), told(7, 3)):
        header = BlockHeader(number, b"", b"", number * 12, fee * WEI_PER_GWEI, 0, 30_000_000)
        asyncio.run(outlook.look(None, header))
    assert outlook.latest is old is not None
    look(outlook, [told(number, 3) for number in range(8, 12)])
    assert asked == [(1, 2, 3), (2, 3, 4), (3, 4, 5), (8, 9, 10), (9, 10, 11)]
    found = outlook.calibration()
    assert found is not None
    assert found.blocks == (5, 6, 7)
