"""At the end of a run its stored rows are held against what was written, and against the registry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import pipeline.feature_log
from features.feature import FeatureRow
from features.registry import MARKET
from market.context import NO_CONTEXT
from pipeline.feature_log import FeatureLog
from pipeline.loop import BlockWalk
from tests.pipeline.test_live_rows import SOME, blocks_of
from tests.random_blocks import TOKENS, B, RandomChain


def logged(folder: Path, outlier: int = 0) -> FeatureLog:
    """Return the log of nine blocks; the base fee of one may be none."""
    state = RandomChain().state()
    walk = BlockWalk(state, [pool.spec for pool in state.pools.values()], B, features=MARKET)
    made = FeatureLog(folder, "one", TOKENS, walk.specs)
    for block in blocks_of(RandomChain(), SOME[:9]):
        walked = walk.advance(block)
        row: FeatureRow = walk.observe(walked, NO_CONTEXT)
        if row.block_number == outlier:
            row = replace(row, values=(1e155, *row.values[1:]))
        made.add(walk.seen(walked, NO_CONTEXT), {MARKET.name: row})
    return made


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.feature_log, "ROWS_PER_FILE", 3)


def test_rows_that_lie_as_they_were_written_have_no_fault(tmp_path: Path) -> None:
    found = logged(tmp_path).close()
    assert (found.faults, found.online_missed, found.skew) == (0, 0, None)
    assert found.logged["market"] == 9


def test_a_damaged_file_is_a_fault_and_the_others_are_compared(tmp_path: Path) -> None:
    made = logged(tmp_path)
    sorted(tmp_path.rglob("*.parquet"))[0].write_bytes(b"no table")
    found = made.close()
    assert (found.faults, found.compared, found.logged["market"]) == (1, 6, 6)


def test_a_stored_value_out_of_its_range_is_a_fault(tmp_path: Path) -> None:
    found = logged(tmp_path, outlier=104).close()
    assert found.faults == 1
    assert found.skew is not None


def test_the_last_rows_are_at_hand_while_the_run_goes_on(tmp_path: Path) -> None:
    made = logged(tmp_path)
    assert [row.block_number for row in made.online[MARKET.name].rows.latest(2)] == [108, 109]
    made.rollback(105)
    assert [row.block_number for row in made.online[MARKET.name].rows.latest(2)] == [104, 105]
