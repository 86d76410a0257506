"""Series for pictures: they reach over a whole run and have room for so many points."""

from __future__ import annotations

import pytest

from pipeline import series as series_module
from pipeline.series import SeriesRecorder
from tests.small_market import WETH, Market


@pytest.fixture(autouse=True)
def short_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_module, "POINTS", 16)


def recorder() -> SeriesRecorder:
    return SeriesRecorder(Market(pools=2).state, WETH.address)


def blocks(recorded: SeriesRecorder) -> set[tuple[int, ...]]:
    (lines,) = recorded.prices().values()
    return {one.blocks for one in (*lines, *recorded.gaps())}


def test_a_run_that_fits_has_every_block() -> None:
    recorded = recorder()
    for number in range(5, 21):
        recorded.record(number)
    assert blocks(recorded) == {tuple(range(5, 21))}


def test_a_longer_one_has_every_second_fourth_or_eighth_block_from_beginning_to_end() -> None:
    recorded = recorder()
    for number in range(5, 105):
        recorded.record(number)
    assert blocks(recorded) == {tuple(range(8, 105, 8))}


def test_orphans_are_recorded_anew() -> None:
    recorded = recorder()
    for number in range(40):
        recorded.record(number)
    recorded.rollback(29)
    for number in range(30, 44):
        recorded.record(number)
    assert blocks(recorded) == {tuple(range(0, 44, 4))}
