"""Rows that a replay streamed are held against the batch path, history before included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.reasons import Reason
from market.recorded import Recorded
from pipeline.batch_rows import batch_rows, skew_check
from pipeline.replay import replay
from tests.pipeline.test_replay import WETH, cut, read, tail


def test_rows_of_a_replay_that_was_warmed_up_are_the_batch_paths_and_computed_once(tape: Path) -> None:
    before, recorded = cut(read(tape), 30), tail(read(tape), 30)
    rows = replay(recorded, WETH, before=before).rows
    opened: list[int] = []

    def reopen() -> tuple[Recorded, Recorded | None]:
        opened.append(1)
        return recorded, before

    check = skew_check(reopen, lambda: None)
    assert opened == []
    assert check(rows) is None
    assert check(rows) is None
    assert opened == [1]
    changed = replace(rows[3], values=(rows[3].values[0] + 1e-9, *rows[3].values[1:]))
    refusal = check([*rows[:3], changed, *rows[4:]])
    assert refusal is not None
    assert refusal.reason is Reason.FEATURE_SKEW


def test_whoever_computes_them_can_be_stopped(tape: Path) -> None:
    told: list[int] = []

    def rest() -> None:
        told.append(1)
        if len(told) == 7:
            raise SystemExit

    with pytest.raises(SystemExit):
        batch_rows(read(tape), rest=rest)
    assert len(told) == 7
