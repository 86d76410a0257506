"""The live feed against a real node that mines, dies, comes back and reorganises."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from chain.blocks import Block
from chain.providers import Provider
from chain.websocket_feed import WebSocketFeed
from core.errors import FeedError
from core.seams import ManualClock

if TYPE_CHECKING:
    from tests.chain.conftest import Chain


async def take(blocks: AsyncIterator[Block], count: int) -> list[Block]:
    async with asyncio.timeout(30):
        return [await anext(blocks) for _ in range(count)]


async def nothing_more(blocks: AsyncIterator[Block]) -> None:
    waiting = asyncio.ensure_future(anext(blocks))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    waiting.cancel()
    await asyncio.wait([waiting])


def said(block: Block) -> list[bytes]:
    return [log.data for log in block.logs]


def feed_of(chain: Chain, **options: object) -> WebSocketFeed:
    return WebSocketFeed(chain.anvil.ws_url, chain.provider, [chain.speaker], ManualClock(7), **options)  # type: ignore[arg-type]


async def test_thirty_blocks_with_logs_arrive_whole_and_in_order(chain: Chain) -> None:
    async with feed_of(chain) as feed:
        blocks = feed.blocks()
        await take(blocks, 1)
        received = []
        for number in range(1, 31):
            await chain.mine(*[bytes([number, index]) for index in range(number % 4)])
            received += await take(blocks, 1)
        await nothing_more(blocks)
    assert [block.header.hash for block in received] == await chain.hashes(1, 30)
    for block in received:
        assert said(block) == [bytes([block.number, index]) for index in range(block.number % 4)]
        assert block.known_at_ns == 7
        assert block.header.base_fee > 0


async def test_a_burst_of_blocks_loses_none(chain: Chain) -> None:
    async with feed_of(chain) as feed:
        blocks = feed.blocks()
        await take(blocks, 1)
        for number in range(1, 31):
            await chain.mine(bytes([number]))
        received = await take(blocks, 30)
    assert [said(block) for block in received] == [[bytes([number])] for number in range(1, 31)]
    assert feed.counters.backfilled <= 1


async def test_logs_of_other_contracts_are_not_delivered(chain: Chain) -> None:
    async with feed_of(chain) as feed:
        blocks = feed.blocks()
        await take(blocks, 1)
        await chain.mine(b"theirs", to=chain.other)
        (block,) = await take(blocks, 1)
    assert block.logs == ()


async def test_a_late_follower_starts_after_the_block_it_has(chain: Chain) -> None:
    async with feed_of(chain) as feed:
        (start,) = await take(feed.blocks(), 1)
    for number in range(1, 201):
        await chain.mine(*([number.to_bytes(2, "big")] if number % 3 == 0 else []))
    async with feed_of(chain, after=start.header) as feed:
        blocks = feed.blocks()
        received = await take(blocks, 200)
        await nothing_more(blocks)
    assert [block.header.hash for block in received] == await chain.hashes(1, 200)
    assert all(said(b) == ([b.number.to_bytes(2, "big")] if b.number % 3 == 0 else []) for b in received)
    assert feed.counters.backfilled == 200


async def test_a_node_that_dies_and_comes_back_costs_no_block(chain: Chain) -> None:
    async with feed_of(chain) as feed:
        blocks = feed.blocks()
        await take(blocks, 1)
        await chain.mine(b"before")
        received = await take(blocks, 1)
        await chain.mine(b"unseen")
        await chain.anvil.save()
        chain.anvil.stop()
        await asyncio.sleep(0.2)
        await chain.anvil.launch()
        for number in range(5):
            await chain.mine(bytes([number]))
        received += await take(blocks, 6)
        await nothing_more(blocks)
    assert [said(b) for b in received] == [[b"before"], [b"unseen"], *([bytes([n])] for n in range(5))]
    assert [block.header.hash for block in received] == await chain.hashes(1, 7)
    assert feed.counters.reconnects == 1


async def test_a_reorganisation_delivers_the_new_branch(chain: Chain) -> None:
    async with feed_of(chain) as feed:
        blocks = feed.blocks()
        await take(blocks, 1)
        for number in range(1, 7):
            await chain.mine(bytes([number]))
        old = await take(blocks, 6)
        await chain.provider.call("anvil_reorg", [3, []])
        new = await take(blocks, 3)
        await chain.mine()
        new += await take(blocks, 1)
        await nothing_more(blocks)
    assert new[0].header.parent_hash == old[2].header.hash
    assert [block.header.hash for block in new] == await chain.hashes(4, 7)
    assert feed.counters.reorgs == 1


async def test_a_reorganisation_while_away_is_found_on_return(chain: Chain) -> None:
    for number in range(1, 11):
        await chain.mine(bytes([number]))
    async with feed_of(chain) as feed:
        (start,) = await take(feed.blocks(), 1)
    async with feed_of(chain, after=start.header) as feed:
        blocks = feed.blocks()
        await nothing_more(blocks)
        blocks = feed.blocks()
        await chain.provider.call("anvil_reorg", [4, []])
        received = await take(blocks, 4)
    assert received[0].number == 7
    assert [block.header.hash for block in received] == await chain.hashes(7, 10)


async def test_a_chain_without_common_block_is_an_error_that_says_what_to_do(chain: Chain) -> None:
    for _ in range(3):
        await chain.mine()
    async with feed_of(chain) as feed:
        blocks = feed.blocks()
        (start,) = await take(blocks, 1)
    strange = type(start.header)(start.number, b"\x01" * 32, b"\x02" * 32, 0, 1, 0, 30_000_000)
    async with feed_of(chain, after=strange) as feed:
        with pytest.raises(FeedError, match="load the market state again"):
            await take(feed.blocks(), 1)


async def test_a_node_that_stays_away_is_an_error(chain: Chain) -> None:
    chain.anvil.stop()
    async with feed_of(chain, give_up_seconds=0.2) as feed:
        with pytest.raises(FeedError, match="has not answered"):
            await take(feed.blocks(), 1)


async def test_an_address_that_is_no_websocket_is_an_error(chain: Chain) -> None:
    async with WebSocketFeed(chain.anvil.http_url, chain.provider, [], ManualClock()) as feed:
        with pytest.raises(FeedError, match="no WebSocket address"):
            await take(feed.blocks(), 1)


async def test_closing_ends_the_consumer(chain: Chain) -> None:
    feed = feed_of(chain)
    async with feed:
        blocks = feed.blocks()
        await take(blocks, 1)
        waiting = asyncio.ensure_future(anext(blocks))
        await asyncio.sleep(0.05)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, 5)
    assert len(asyncio.all_tasks()) == 1


async def test_a_cancelled_consumer_leaves_nothing_behind(chain: Chain) -> None:
    async def follow() -> None:
        async with feed_of(chain) as feed:
            async for _ in feed.blocks():
                pass

    task = asyncio.create_task(follow())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1


@asynccontextmanager
async def feed_through(chain: Chain, drop: str = "", silence_seconds: float = 30.0) -> AsyncIterator[Any]:
    """Open a feed that reaches its node through a proxy, which keeps the connections it made."""
    async with between(chain.anvil.ws_url, drop) as (url, clients):
        feed = WebSocketFeed(
            url, chain.provider, [chain.speaker], ManualClock(), silence_seconds=silence_seconds
        )
        async with feed:
            yield feed, clients


@asynccontextmanager
async def between(ws_url: str, drop: str = "") -> AsyncIterator[tuple[str, list[ServerConnection]]]:
    """Stand between feed and node: pass messages on, but swallow those that hold ``drop``."""
    clients: list[ServerConnection] = []

    async def handle(client: ServerConnection) -> None:
        clients.append(client)
        async with connect(ws_url, proxy=None) as node:

            async def upward() -> None:
                async for message in client:
                    await node.send(message)

            async def downward() -> None:
                async for message in node:
                    swallow = drop and drop in str(message) and "eth_subscription" in str(message)
                    if not swallow or len(clients) > 1:
                        await client.send(message)

            ways = [asyncio.create_task(upward()), asyncio.create_task(downward())]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)

    async with serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}", clients


async def test_a_cut_connection_is_made_again_and_the_gap_filled(chain: Chain) -> None:
    async with feed_through(chain) as (feed, clients):
        blocks = feed.blocks()
        await take(blocks, 1)
        for number in range(1, 11):
            if number % 4 == 0:
                clients[-1].transport.abort()
            await chain.mine(bytes([number]))
        received = await take(blocks, 10)
        await nothing_more(blocks)
    assert [said(block) for block in received] == [[bytes([number])] for number in range(1, 11)]
    assert feed.counters.reconnects >= 1
    assert feed.counters.backfilled >= 1


async def test_a_subscription_that_fell_silent_is_noticed(chain: Chain) -> None:
    async with feed_through(chain, drop="parentHash", silence_seconds=0.3) as (feed, _):
        blocks = feed.blocks()
        await take(blocks, 1)
        for number in range(1, 4):
            await chain.mine(bytes([number]))
        received = await take(blocks, 3)
    assert [said(block) for block in received] == [[b"\x01"], [b"\x02"], [b"\x03"]]
    assert feed.counters.silent >= 1


async def test_logs_that_were_never_announced_are_fetched_and_counted(chain: Chain) -> None:
    async with feed_through(chain, drop="topics") as (feed, _):
        blocks = feed.blocks()
        await take(blocks, 1)
        await chain.mine(b"a", b"b")
        (block,) = await take(blocks, 1)
    assert said(block) == [b"a", b"b"]
    assert feed.counters.late_logs == 2


async def test_a_quiet_chain_is_not_taken_for_a_dead_subscription(chain: Chain) -> None:
    async with feed_of(chain, silence_seconds=0.1) as feed:
        blocks = feed.blocks()
        await take(blocks, 1)
        await nothing_more(blocks)
    assert feed.counters.silent == 0
    assert feed.counters.reconnects == 0


async def test_a_node_that_refuses_subscriptions_is_named_in_the_error(chain: Chain) -> None:
    async def refuse(client: ServerConnection) -> None:
        async for message in client:
            error = {"code": -32601, "message": "no subscriptions here"}
            await client.send(json.dumps({"jsonrpc": "2.0", "id": json.loads(message)["id"], "error": error}))

    async with serve(refuse, "127.0.0.1", 0) as server, Provider(chain.anvil.http_url) as provider:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"ws://127.0.0.1:{port}"
        async with WebSocketFeed(url, provider, [], ManualClock(), give_up_seconds=0.1) as feed:
            with pytest.raises(FeedError, match="no subscriptions here"):
                await take(feed.blocks(), 1)
