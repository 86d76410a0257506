"""Live rows: the store tells the canonical chain, bad rows reach nobody, and models forecast on."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipeline.feature_log
from chain.blocks import Block
from core.reasons import Reason, Refusal
from features.feature import FeatureRow
from features.registry import BLOCK, MARKET, SCHEMA
from features.store import FeatureStore
from market.context import BlockContext
from models.baselines import ExactFormula, Persistence
from models.evaluation import Study
from models.forecaster import Forecast, Forecaster, Window
from models.learner import PrequentialLearner
from models.river_models import RiverResidual
from pipeline.feature_log import FeatureLog
from pipeline.live_findings import FeatureFindings, LearningFindings
from pipeline.live_learning import LiveLearning
from pipeline.live_rows import LiveRows
from pipeline.loop import BlockWalk, Walked
from pipeline.outlook import Outlook
from tests.random_blocks import TOKENS, B, RandomChain, moves

WINDOW = 3
Change = Callable[[FeatureRow], FeatureRow]


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.feature_log, "ROWS_PER_FILE", 3)


class Follower:
    """What a live loop does about rows, on blocks that a test makes."""

    def __init__(self, folder: Path, changes: dict[int, Change] | None = None) -> None:
        state = RandomChain().state()
        specs = [pool.spec for pool in state.pools.values()]
        self.walk = BlockWalk(state, specs, B, features=MARKET)
        self.changes = changes or {}
        observe = self.walk.observe

        def changed(walked: Walked, context: BlockContext) -> FeatureRow:
            row = observe(walked, context)
            change = self.changes.get(row.block_number)
            return change(row) if change else row

        self.walk.observe = changed  # type: ignore[method-assign]
        self.folder = folder
        self.asked: list[Window] = []
        self.outlook = Outlook(self.answer, WINDOW)
        baselines: list[Forecaster] = [ExactFormula(), Persistence()]
        learner = PrequentialLearner([RiverResidual(SCHEMA)], baselines, SCHEMA, window=WINDOW)
        self.rows = LiveRows(
            self.walk, FeatureLog(folder, "one", TOKENS, self.walk.specs), LiveLearning(learner)
        )

    async def answer(self, window: Window) -> Forecast | Refusal:
        self.asked.append(window)
        last = window[-1]
        fee = last["base_fee_gwei"]
        return Forecast("base_fee_gwei", last.block_number, 2, fee, 0, 9, 0.9, "1", "persistence", fee)

    def see(self, block: Block) -> FeatureRow | Refusal:
        head = self.walk.state.head
        assert head is not None
        if block.number <= head.number:
            self.rows.rollback(block.number - 1)
            self.outlook.rollback(block.number - 1)
        row = self.rows.observe(self.walk.advance(block))
        asyncio.run(self.outlook.look(row if isinstance(row, FeatureRow) else None, block.header))
        return row

    def see_all(self, blocks: Iterable[Block]) -> list[FeatureRow | Refusal]:
        return [self.see(block) for block in blocks]

    def close(self) -> tuple[FeatureFindings, LearningFindings]:
        return self.rows.close()

    def stored(self, name: str = "block") -> tuple[FeatureRow, ...]:
        found = FeatureStore(self.folder, BLOCK if name == "block" else MARKET).read()
        assert found.refusals == ()
        return found.rows

    def numbers(self, name: str = "block") -> list[int]:
        return [row.block_number for row in self.stored(name)]


def blocks_of(chain: RandomChain, chosen: Iterable[Any], branch: int = 0) -> list[Block]:
    """Return the next blocks of a chain, whose base fee goes up and down."""
    made = [chain.block(each, branch) for each in chosen]
    return [
        replace(block, header=replace(block.header, base_fee=10**9 + (block.number * 7 + branch) % 5 * 10**8))
        for block in made
    ]


SOME = [[(place % 4, 0, 0.02, place % 3 == 0)] for place in range(30)]


def judged(study: Study | None) -> dict[str, list[list[float]]]:
    assert study is not None
    return {
        name: [column.tolist() for column in (one.blocks, one.truth, one.prediction, one.lower, one.upper)]
        for name, one in study.series.items()
    }


branches = st.lists(moves, min_size=1, max_size=8)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(past=branches, orphans=branches, kept=branches)
def test_orphans_leave_no_trace_in_the_store_nor_in_what_was_learned(
    tmp_path_factory: pytest.TempPathFactory, past: list[Any], orphans: list[Any], kept: list[Any]
) -> None:
    chain = RandomChain()
    folder = tmp_path_factory.mktemp("store")
    straight, reorged = Follower(folder / "straight"), Follower(folder / "reorged")
    before = blocks_of(chain, past)
    fork = chain.fork()
    straight.see_all(before)
    reorged.see_all([*before, *blocks_of(fork, orphans, 1)])
    rest = blocks_of(chain, kept, 2)
    assert reorged.see_all(rest) == straight.see_all(rest)
    (expected, learned), (found, relearned) = straight.close(), reorged.close()
    assert found == expected
    assert found.skew is None
    assert found.compared == 2 * (len(past) + len(kept))
    assert judged(relearned.study) == judged(learned.study)
    assert relearned.reorganisations == 1
    for name in ("block", "market"):
        assert reorged.stored(name) == straight.stored(name)
        assert reorged.numbers(name) == list(range(101, 101 + len(past) + len(kept)))


def test_rows_on_disk_are_those_that_models_got_with_both_times(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    rows = follower.see_all(blocks_of(RandomChain(), SOME[:10]))
    follower.close()
    assert list(follower.stored()) == rows
    assert all(row.known_at_ns == 10**9 * row.event_time for row in follower.stored())
    assert follower.asked[-1] == tuple(rows[-WINDOW:])
    assert [row.names for row in follower.stored("market")] == [MARKET.names] * 10


def nan(row: FeatureRow) -> FeatureRow:
    return replace(row, values=(math.nan, *row.values[1:]))


BAD: dict[Reason, Change] = {
    Reason.FEATURE_NOT_FINITE: nan,
    Reason.FEATURE_OUT_OF_RANGE: lambda row: replace(row, values=(-1e30, *row.values[1:])),
    Reason.FEATURE_SET_DIFFERS: lambda row: replace(row, names=row.names[1:], values=row.values[1:]),
    Reason.TIME_WENT_BACK: lambda row: replace(row, event_time=row.event_time - 1000),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_burst_of_bad_rows_is_refused_and_the_old_forecast_stays(tmp_path: Path, reason: Reason) -> None:
    follower = Follower(tmp_path, dict.fromkeys((109, 110, 111), BAD[reason]))
    blocks = blocks_of(RandomChain(), SOME[:20])
    follower.see_all(blocks[:8])
    old = follower.outlook.latest
    found = follower.see_all(blocks[8:11])
    assert [one.reason for one in found if isinstance(one, Refusal)] == [reason] * 3
    assert follower.outlook.latest is old is not None
    follower.see_all(blocks[11:])
    assert isinstance(follower.outlook.latest, Forecast)
    assert follower.outlook.latest.issued_block == 120
    features, learning = follower.close()
    assert features.refused == {"block": {reason: 3}, "market": {reason: 3}}
    assert (features.skew, features.compared) == (None, 34)
    assert follower.numbers() == [*range(101, 109), *range(112, 121)]
    # no window reaches over the hole
    assert {tuple(row.block_number for row in window) for window in follower.asked} == {
        (n - 2, n - 1, n) for n in (*range(103, 109), *range(114, 121))
    }
    assert learning.refused == {}
    assert judged(learning.study)["persistence"][0] == [*range(105, 111), *range(116, 121)]


def test_a_bad_number_of_the_market_keeps_no_row_from_models_that_do_not_read_it(tmp_path: Path) -> None:
    def bad_depth(row: FeatureRow) -> FeatureRow:
        place = row.names.index("depth_log")
        return replace(row, values=(*row.values[:place], math.inf, *row.values[place + 1 :]))

    follower = Follower(tmp_path, {105: bad_depth})
    rows = follower.see_all(blocks_of(RandomChain(), SOME[:8]))
    assert all(isinstance(row, FeatureRow) for row in rows)
    features, _ = follower.close()
    assert features.refused == {"market": {Reason.FEATURE_NOT_FINITE: 1}}
    assert features.logged == {"block": 8, "market": 7}
    assert features.skew is None


def older(block: Block) -> Block:
    return replace(block, header=replace(block.header, timestamp=block.header.timestamp - 600))


def test_a_block_whose_time_goes_back_is_refused_and_features_begin_anew_after_it(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    blocks = blocks_of(RandomChain(), SOME[:16])
    blocks[7] = older(blocks[7])
    found = follower.see_all(blocks)
    refusals = {place: one for place, one in enumerate(found) if isinstance(one, Refusal)}
    assert {place: refusal.reason for place, refusal in refusals.items()} == {7: Reason.TIME_WENT_BACK}
    assert isinstance(follower.outlook.latest, Forecast)
    assert follower.outlook.latest.issued_block == 116
    features, learning = follower.close()
    assert features.refused["block"] == {Reason.TIME_WENT_BACK: 1}
    assert (features.logged["market"], features.compared, features.skew) == (15, 30, None)
    # the label of that block is a fact all the same
    assert judged(learning.study)["persistence"][0] == [*range(105, 110), *range(113, 117)]


def test_a_block_from_the_far_future_is_refused_and_those_after_it_are_not(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    blocks = blocks_of(RandomChain(), SOME[:16])
    header = replace(blocks[7].header, timestamp=blocks[7].header.timestamp + 10**9)
    blocks[7] = replace(blocks[7], header=header)
    found = follower.see_all(blocks)
    refusals = {place: one.reason for place, one in enumerate(found) if isinstance(one, Refusal)}
    assert refusals == {7: Reason.TIME_RAN_AHEAD}
    assert isinstance(follower.outlook.latest, Forecast)
    assert follower.outlook.latest.issued_block == 116
    features, _ = follower.close()
    assert features.refused == {name: {Reason.TIME_RAN_AHEAD: 1} for name in ("block", "market")}
    assert (features.logged["market"], features.compared, features.skew) == (15, 30, None)


@pytest.mark.parametrize("depth", [2, 6, 9])
def test_a_reorganisation_reaches_back_through_a_refused_block(tmp_path: Path, depth: int) -> None:
    chain = RandomChain()
    blocks = blocks_of(chain, SOME[:8])
    fork = chain.fork()
    bad = older(blocks_of(chain, SOME[8:9])[0])
    good = blocks_of(fork, SOME[8:9], 1)
    after = blocks_of(chain, SOME[9:12])
    fork_after = blocks_of(fork, SOME[9:12], 1)
    reorged, straight = Follower(tmp_path / "reorged"), Follower(tmp_path / "straight")
    reorged.see_all([*blocks, bad, *after])
    again = [*blocks, *good, *fork_after][12 - depth :] if depth > 3 else None
    if again is None:
        # the bad block stays, and what came after it is replaced by itself
        reorged.see_all(after[-depth:])
        straight.see_all([*blocks, bad, *after])
    else:
        reorged.see_all(again)
        straight.see_all([*blocks, *good, *fork_after])
    features, _ = reorged.close()
    straight.close()
    assert features.skew is None
    assert reorged.stored("market") == straight.stored("market")


def test_the_first_bit_that_was_served_otherwise_is_found_with_its_distance(tmp_path: Path) -> None:
    def moved(row: FeatureRow) -> FeatureRow:
        place = row.names.index("trend")
        value = float(np.nextafter(row.values[place], 1))
        return replace(row, values=(*row.values[:place], value, *row.values[place + 1 :]))

    follower = Follower(tmp_path, {106: moved, 108: moved})
    follower.see_all(blocks_of(RandomChain(), SOME[:10]))
    features, _ = follower.close()
    assert features.skew is not None
    skew = features.skew
    assert (skew.block_number, skew.feature, skew.ulps) == (106, "trend", 1)


def test_a_run_longer_than_the_journal_checks_itself_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.feature_log, "CHECK_EVERY", 8)
    monkeypatch.setattr(pipeline.feature_log, "JOURNAL_DEPTH", 4)
    monkeypatch.setattr("features.skew.WATCHED_BLOCKS", 20)
    follower = Follower(tmp_path)
    follower.see_all(blocks_of(RandomChain(), SOME))
    features, _ = follower.close()
    assert features.logged == {"block": 30, "market": 30}
    assert (features.compared, features.skew) == (40, None)


def test_a_disk_that_is_full_ends_the_log_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(FeatureStore, "append", full)
    follower = Follower(tmp_path)
    rows = follower.see_all(blocks_of(RandomChain(), SOME[:12]))
    features, learning = follower.close()
    assert features.ended == "OSError: no space left"
    assert features.logged == {}
    assert all(isinstance(row, FeatureRow) for row in rows)
    assert len(judged(learning.study)["persistence"][0]) == 8
    assert learning.ended is None


def test_learning_that_fails_is_told_and_trading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(RiverResidual, "learn_one", fail)
    follower = Follower(tmp_path)
    follower.see_all(blocks_of(RandomChain(), SOME[:12]))
    features, learning = follower.close()
    assert learning.ended == "RuntimeError: out of memory"
    assert learning.study is None
    assert (features.logged["block"], features.ended) == (12, None)
    assert isinstance(follower.outlook.latest, Forecast)
