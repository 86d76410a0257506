"""The live loop when blocks are replaced in which its bundles had landed."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from chain.providers import Provider
from core.database import open_database
from core.errors import MarketError
from core.reasons import Reason
from core.seams import SystemClock
from execution.journal import Journal
from features.registry import MARKET
from features.store import FeatureStore
from pipeline.bootstrap import load_market
from pipeline.live import LiveLoop
from pipeline.summary import execute_part
from tests.mining_stage import Stage, finish, running
from tests.pyrevm_node import specs_of, tokens_of


@pytest.mark.parametrize("depth", [1, 2, 4])
async def test_a_landing_in_an_orphaned_block_is_taken_back(stage: Stage, tmp_path: Path, depth: int) -> None:
    stage.loop = LiveLoop(replace(stage.config, features=tmp_path / "features", run="reorged"))
    async with running(stage) as task:
        for _ in range(3):
            await stage.step()
        landed = stage.loop.status()["verdicts"]["landed"]
        learned = stage.session[0].book.bids
        await stage.reorganise(depth)
        for _ in range(2):
            await stage.step()
        result = await finish(stage, task)
    assert result.feed["reorgs"] == 1
    assert landed >= 3
    assert [bid.settlement.block_number for bid in result.bids] == sorted(
        bid.settlement.block_number for bid in result.bids
    )
    kept = [bid for bid in learned if bid.settlement.block_number <= learned[-1].settlement.block_number - 4]
    assert list(result.bids[: len(kept)]) == kept
    state = stage.session[0].walk.state
    async with Provider(stage.anvil.http_url) as provider:
        fresh = await load_market(provider, specs_of(stage.world), tokens_of(stage.world))
    assert fresh.head == state.head
    assert dict(fresh.pools) == dict(state.pools)
    heights = tuple(range(result.first_block, result.last_block + 1))
    assert all(series.blocks == heights for series in result.gaps)
    stored = FeatureStore(tmp_path / "features", MARKET).read(run="reorged").rows
    assert tuple(row.block_number for row in stored) == heights
    assert (result.features.skew, result.features.compared) == (None, 2 * len(heights))
    assert execute_part(result)["profit_wei"] == result.balance_after - result.balance_before > 0
    journal = Journal(open_database(stage.config.journal_url), SystemClock())
    assert journal.unsettled() == ()
    counted = {bid.settlement.bundle_id: bid.settlement for bid in result.bids}
    assert {settlement.bundle_id: settlement for settlement in journal.settlements()} == counted
    verdicts = Counter(bid.settlement.verdict for bid in result.bids)
    assert verdicts[Reason.LANDED] >= 3
    assert verdicts.total() > verdicts[Reason.LANDED]


async def test_a_reorganisation_below_the_first_block_says_what_to_do(stage: Stage) -> None:
    task = asyncio.create_task(stage.loop.run())
    while not stage.session:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    loaded_at = stage.head
    await stage.step()
    await stage.reorganise(stage.head - loaded_at + 1)
    with pytest.raises(MarketError, match="load the market from a node again"):
        await asyncio.wait_for(task, 30)
