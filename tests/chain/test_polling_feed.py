"""The polling feed against a real node."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from chain.feeds import PollingFeed
from core.errors import FeedError
from core.seams import ManualClock

if TYPE_CHECKING:
    from tests.chain.conftest import Chain


async def test_polling_delivers_every_block_and_the_new_branch(chain: Chain) -> None:
    feed = PollingFeed(chain.provider, [chain.speaker], ManualClock(), interval_seconds=0.01)
    async with feed, asyncio.timeout(20):
        blocks = feed.blocks()
        await anext(blocks)
        for number in range(1, 31):
            await chain.mine(bytes([number]))
        received = [await anext(blocks) for _ in range(30)]
        await chain.provider.call("anvil_reorg", [2, []])
        branch = [await anext(blocks) for _ in range(2)]
    assert [block.header.hash for block in received[:28]] == await chain.hashes(1, 28)
    assert [log.data for block in received for log in block.logs] == [bytes([n]) for n in range(1, 31)]
    assert [block.header.hash for block in branch] == await chain.hashes(29, 30)
    assert feed.counters.reorgs == 1


async def test_polling_survives_a_restart_of_the_node(chain: Chain) -> None:
    feed = PollingFeed(chain.provider, [chain.speaker], ManualClock(), interval_seconds=0.01)
    async with feed, asyncio.timeout(20):
        blocks = feed.blocks()
        await anext(blocks)
        await chain.mine(b"a")
        await chain.anvil.save()
        chain.anvil.stop()
        waiting = asyncio.ensure_future(anext(blocks))
        await asyncio.sleep(1)
        await chain.anvil.launch()
        await chain.mine(b"b")
        received = [await waiting, await anext(blocks)]
    assert [block.logs[0].data for block in received] == [b"a", b"b"]


async def test_polling_gives_up_on_a_node_that_stays_away(chain: Chain) -> None:
    chain.anvil.stop()
    feed = PollingFeed(chain.provider, [], ManualClock(), give_up_seconds=0)
    with pytest.raises(FeedError, match="has not answered"):
        await anext(feed.blocks())


async def test_closing_ends_the_iteration(chain: Chain) -> None:
    feed = PollingFeed(chain.provider, [], ManualClock(), interval_seconds=30)
    async with asyncio.timeout(5):
        async with feed:
            blocks = feed.blocks()
            await anext(blocks)
            waiting = asyncio.ensure_future(anext(blocks))
            await asyncio.sleep(0.05)
        with pytest.raises(StopAsyncIteration):
            await waiting
