"""A node that dies under the live loop, wherever the loop is, and comes back with its chain."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from functools import partial

import pytest

import pipeline.live_session
from chain.providers import Provider
from chain.websocket_feed import WebSocketFeed
from core.database import open_database
from core.errors import FeedError
from core.reasons import Reason
from core.seams import SystemClock
from execution.journal import Journal
from pipeline.bootstrap import load_market
from pipeline.live_config import LiveResult
from pipeline.summary import execute_part
from tests.mining_stage import Stage, finish, running
from tests.pyrevm_node import specs_of, tokens_of


async def check(stage: Stage, result: LiveResult) -> None:
    """Nothing lost, nothing doubled, and every wei accounted for."""
    assert result.last_block == stage.head
    heights = tuple(range(result.first_block, result.last_block + 1))
    assert all(series.blocks == heights for series in result.gaps)
    async with Provider(stage.anvil.http_url) as provider:
        fresh = await load_market(provider, specs_of(stage.world), tokens_of(stage.world))
    state = stage.session[0].walk.state
    assert fresh.head == state.head
    assert dict(fresh.pools) == dict(state.pools)
    assert result.feed["reconnects"] >= stage.crashes > 0
    assert execute_part(result)["profit_wei"] == result.balance_after - result.balance_before > 0
    assert Journal(open_database(stage.config.journal_url), SystemClock()).unsettled() == ()


async def test_a_node_that_dies_between_blocks_costs_nothing(stage: Stage) -> None:
    async with running(stage) as task:
        for _ in range(2):
            await stage.step()
        await stage.die()
        await stage.come_back()
        for _ in range(2):
            await stage.step()
        result = await finish(stage, task)
    await check(stage, result)
    assert result.refusals[Reason.NODE_UNREACHABLE] == 0
    assert {bid.settlement.verdict for bid in result.bids} == {Reason.LANDED}
    assert len(result.bids) >= 4


@pytest.mark.parametrize(
    ("method", "trades_lost"),
    [
        # on the event path there is no time to wait
        ("debug_traceCall", 1),
        ("eth_getTransactionCount", 1),
        # everything else is asked again
        ("eth_call", 0),
        ("eth_getBlockByNumber", 0),
        ("eth_getLogs", 0),
        ("eth_getTransactionReceipt", 0),
    ],
)
async def test_a_node_that_dies_in_the_middle_of_a_block_costs_that_blocks_trade_at_most(
    stage: Stage, method: str, trades_lost: int
) -> None:
    async with running(stage) as task:
        await stage.step()
        stage.crash_at = method
        await stage.step()
        assert stage.crashes == 1
        for _ in range(2):
            await stage.step()
        result = await finish(stage, task)
    await check(stage, result)
    assert result.refusals[Reason.NODE_UNREACHABLE] == trades_lost
    verdicts = Counter(bid.settlement.verdict for bid in result.bids)
    assert verdicts.keys() == {Reason.LANDED}
    assert verdicts[Reason.LANDED] >= 3


async def test_blocks_that_a_node_lost_in_its_crash_are_taken_back(stage: Stage) -> None:
    async with running(stage) as task:
        await stage.step()
        await stage.anvil.save()
        kept, stage.takes = stage.head, False
        for _ in range(3):
            await stage.step()
        os.kill(stage.anvil.pid, signal.SIGKILL)
        while stage.anvil.alive:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        stage.crashes, stage.head, stage.takes = 1, kept, True
        await stage.come_back()
        for _ in range(3):
            await stage.step()
        result = await finish(stage, task)
    assert result.feed["reorgs"] == 1
    state = stage.session[0].walk.state
    async with Provider(stage.anvil.http_url) as provider:
        fresh = await load_market(provider, specs_of(stage.world), tokens_of(stage.world))
    assert fresh.head == state.head
    assert dict(fresh.pools) == dict(state.pools)
    assert execute_part(result)["profit_wei"] == result.balance_after - result.balance_before > 0


async def test_a_node_that_stays_away_ends_the_run_with_an_error_that_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = partial(WebSocketFeed, give_up_seconds=0.5)
    monkeypatch.setattr(pipeline.live_session, "WebSocketFeed", impatient)
    task = asyncio.create_task(stage.loop.run())
    while not stage.session:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await stage.step()
    await stage.die()
    with pytest.raises(FeedError, match="check that it runs"):
        await asyncio.wait_for(task, 30)
    assert stage.loop.status()["head"] == stage.head
