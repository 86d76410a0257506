"""Nodes and relays that lag, leave fields empty or send nonsense: nothing is lost, nothing crashes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from chain.feeds import Patience, repaired
from chain.flashblocks import FlashblockAssembler
from chain.follower import HeadVanished
from chain.mempool import Mempool
from chain.message_stream import MessageStream
from chain.networks import load_network
from chain.provider_health import HeadWatch
from chain.providers import Provider
from chain.sequencer_feed import SequenceReader
from chain.websocket_feed import WebSocketFeed
from chain.wire import head_from_json, log_from_json
from core.errors import FeedError, RpcError
from core.reasons import Reason, Refusal
from core.seams import ManualClock
from tests.chain.scripted_server import first, playing
from tests.chain.test_follower import WATCHED, ScriptedNode, deliver, follower_of
from tests.chain.test_providers import server
from tests.chain.test_sequencer_feed import broadcast, item
from tests.chain.test_spoiled_logs import feed

if TYPE_CHECKING:
    from chain.blocks import Block
    from chain.follower import ChainFollower

SECOND = 10**9
DEEP = "[" * 200_000
NO_ADDRESSES = ["ws://127.0.0.1:99999999", "ws://[::1", "ws://" + "a" * 70 + ".example", "http://127.0.0.1"]


@asynccontextmanager
async def subscribable(*messages: Any) -> AsyncIterator[str]:
    """Agree to two subscriptions, then send what is given and close."""

    async def play(client: ServerConnection) -> None:
        for _ in range(2):
            asked = json.loads(await client.recv())
            await client.send(json.dumps({"id": asked["id"], "result": "0x1"}))
        for message in messages:
            await client.send(message if isinstance(message, str) else json.dumps(message))
        await client.close()

    async with serve(play, "127.0.0.1", 0) as listener:
        yield f"ws://127.0.0.1:{next(iter(listener.sockets)).getsockname()[1]}"


# --- following


async def grown(node: ScriptedNode, blocks: int, **options: Any) -> ChainFollower:
    """Follow the node from its first block up to the last of so many."""
    follower = follower_of(node, **options)
    for _ in range(blocks):
        await deliver(follower, node.grow(0))
    return follower


async def test_a_delivered_block_shows_that_the_node_is_there() -> None:
    class Impatient(Patience):
        """Gives up at the second failure without a success in between."""

        failures = 0

        def succeeded(self) -> None:
            self.failures = 0

        async def failed(self, error: Exception) -> None:
            self.failures += 1
            assert self.failures < 2

    node = ScriptedNode()
    follower = follower_of(node)
    await deliver(follower, head_from_json(node.chain[0]))
    for _ in range(6):
        node.grow(0)
    numbers: list[int] = []

    async def advance() -> AsyncIterator[Block]:
        """Deliver one block in each attempt; every attempt but the last ends with a hiccup."""
        async for block in follower.advance(head_from_json(node.chain[len(numbers) + 1])):
            yield block
        if len(numbers) < 6:
            raise RpcError("hiccup", method="eth_getLogs", code=None, message="hiccup")

    async for block in repaired(follower, advance, Impatient(1)):
        numbers.append(block.number)
    assert numbers == [1, 2, 3, 4, 5, 6]


async def test_a_node_far_behind_on_our_branch_is_no_reorganisation() -> None:
    node = ScriptedNode()
    follower = await grown(node, 20, reorg_limit=5)
    with pytest.raises(HeadVanished):
        await deliver(follower, head_from_json(node.chain[3]))
    ahead, node.chain = node.chain, node.chain[:4]
    with pytest.raises(HeadVanished):
        await deliver(follower, await follower.latest())
    node.chain = ahead
    (block,) = await deliver(follower, node.grow(1))
    assert (block.number, len(block.logs)) == (21, 1)


async def test_an_empty_bloom_of_a_block_that_used_gas_proves_nothing() -> None:
    class Bloomless(ScriptedNode):
        def grow(self, logs: int, bloom: int | None = None) -> Any:
            super().grow(logs, 0)
            self.chain[-1]["gasUsed"] = "0x64" if logs else "0x0"
            return head_from_json(self.chain[-1])

    node = Bloomless()
    follower = await grown(node, 1)
    (block,) = await deliver(follower, node.grow(2))
    assert len(block.logs) == 2
    for _ in range(3):
        head = node.grow(1)
    assert [len(block.logs) for block in await deliver(follower, head)] == [1, 1, 1]
    node.asked.clear()
    await deliver(follower, node.grow(0))
    assert "eth_getLogs" not in node.asked


@pytest.mark.parametrize("answer", [None, {}, "0x", 5])
async def test_an_answer_that_is_no_list_of_logs_is_asked_for_again(answer: Any) -> None:
    class Refusing(ScriptedNode):
        nonsense = 2

        async def call(self, method: str, params: Sequence[Any]) -> Any:
            self.nonsense -= method == "eth_getLogs"
            if method == "eth_getLogs" and self.nonsense >= 0:
                return answer
            return await super().call(method, params)

    node = Refusing()
    follower = await grown(node, 1)
    (block,) = await feed(follower, node.grow(1))
    assert len(block.logs) == 1
    assert follower.counters.snapshot()["corrupt_logs"] == 2


# --- several nodes


def test_a_node_that_falls_back_takes_its_wrong_head_along() -> None:
    watch = HeadWatch(3.0)
    watch.saw("liar", 10**12, 0)
    watch.saw("good", 100, 0)
    assert watch.due(3 * SECOND) == 10**12
    watch.saw("liar", 90, 4 * SECOND)
    watch.saw("good", 101, 5 * SECOND)
    assert watch.due(5 * SECOND) == 100
    assert watch.due(8 * SECOND) == 101


def test_a_node_that_is_gone_asks_nothing_of_the_others() -> None:
    watch = HeadWatch(3.0)
    watch.saw("liar", 10**12, 0)
    watch.saw("good", 100, 0)
    watch.forget("liar")
    assert watch.due(9 * SECOND) == 100
    watch.forget("good")
    assert watch.due(9 * SECOND) == -1


# --- what stands in answers


@pytest.mark.parametrize(
    "body", ["5", "true", "null", '"x"', '[{"id":[1],"result":1}]', '[{"id":{}}]', '[{"id":true}]', DEEP]
)
async def test_an_answer_of_any_shape_is_a_typed_error(body: str) -> None:
    reply = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    async with server(lambda _: reply) as (url, _), Provider(url, attempts=1) as provider:
        with pytest.raises(RpcError):
            await provider.attempt([("eth_chainId", [])])
        with pytest.raises(RpcError):
            await provider.call("eth_chainId", [])


@pytest.mark.parametrize(
    "change",
    [
        {"hash": "0x" + "11" * 31},
        {"parentHash": "0x"},
        {"miner": "0x11"},
        {"miner": "0x" + "zz" * 20},
        {"number": "-0x1"},
        {"number": hex(2**63)},
        {"timestamp": hex(2**63)},
        {"gasUsed": hex(2**70)},
        {"gasLimit": "0x0"},
        {"baseFeePerGas": "-0x1"},
    ],
)  # fmt: skip
def test_a_header_that_no_tape_can_hold_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(RpcError, match="cannot be read"):
        head_from_json(ScriptedNode().chain[0] | change)


@pytest.mark.parametrize(
    "change",
    [
        {"transactionHash": "0x" + "22" * 31},
        {"topics": ["0x" + "33" * 33]},
        {"address": WATCHED[:-2]},
        {"logIndex": hex(2**64)},
        {"transactionIndex": "-0x1"},
    ],
)  # fmt: skip
def test_a_log_that_no_tape_can_hold_is_refused(change: dict[str, Any]) -> None:
    node = ScriptedNode()
    with pytest.raises(RpcError, match="cannot be read"):
        log_from_json(node.log(node.chain[0], 0) | change)


# --- the mempool


class BlocksOf(Provider):
    """Stands where a node would that gives every block the same transactions."""

    def __init__(self, transactions: Any) -> None:
        super().__init__("http://127.0.0.1:1")
        self.transactions = transactions
        self.batches = 0

    async def batch(self, requests: Sequence[Any]) -> list[Any]:
        self.batches += 1
        return [{"transactions": self.transactions} for _ in requests]


async def listen(provider: BlocksOf, **options: Any) -> Mempool:
    """Hear of one block and see the mempool end, which it does when the node stays away."""
    head = {"method": "eth_subscription", "params": {"result": ScriptedNode().chain[0]}}
    async with subscribable(head) as url:
        mempool = Mempool(url, provider, load_network("ethereum"), ManualClock(), **options)
        async with mempool, asyncio.timeout(5):
            while not provider.batches:  # noqa: ASYNC110 (the stand-in tells nobody)
                await asyncio.sleep(0.01)
            if options:
                await anext(mempool.news())
    return mempool


async def test_transactions_of_a_block_that_cannot_be_read_are_counted_and_passed_over() -> None:
    mempool = await listen(BlocksOf([7, None, {"hash": "zz"}, "0x" + "22" * 32]))
    assert mempool.counters.unreadable == 4


async def test_a_block_without_a_list_of_transactions_is_a_refused_answer() -> None:
    with pytest.raises(FeedError, match="without a list"):
        await listen(BlocksOf(None), give_up_seconds=0.2)


# --- sequenced messages


def test_one_absurd_sequence_number_does_not_stop_the_feed() -> None:
    reader = SequenceReader()
    for absurd, start in ((2**64 - 1, 5), (2**63, 20)):
        reader.take(broadcast(item(start, b"\x04a")), 0)
        _, (problem,) = reader.take(broadcast(item(absurd, b"\x04x")), 0)
        assert problem.reason is Reason.MESSAGE_CORRUPT
        found, problems = reader.take(broadcast(item(start + 1, b"\x04b")), 0)
        assert ([t.raw for t in found], problems) == ([b"b"], [])


def test_after_an_absurd_first_number_two_in_order_are_believed() -> None:
    reader = SequenceReader()
    reader.take(broadcast(item(2**64 - 1, b"\x04x")), 0)
    found, problems = reader.take(broadcast(*[item(number, b"\x04a") for number in (7, 8, 9)]), 0)
    assert [t.sequence_number for t in found] == [8, 9]
    assert [problem.reason for problem in problems] == [Reason.MESSAGE_CORRUPT, Reason.SEQUENCE_GAP]
    assert reader.missed == 0


def test_infinite_numbers_are_corrupt_messages() -> None:
    endless = json.loads("Infinity")
    _, (problem,) = SequenceReader().take(broadcast(item(endless, b"\x04a")), 0)
    assert problem.reason is Reason.MESSAGE_CORRUPT
    part = FlashblockAssembler().take({"payload_id": "1", "index": endless}, 0)
    assert isinstance(part, Refusal)
    assert part.reason is Reason.MESSAGE_CORRUPT


# --- connections


async def test_a_websocket_that_only_sends_garbage_is_given_up() -> None:
    async with subscribable("garbage") as url, asyncio.timeout(5):
        live = WebSocketFeed(url, ScriptedNode(), [WATCHED], ManualClock(), give_up_seconds=0.2)  # type: ignore[arg-type]
        async with live:
            with pytest.raises(FeedError, match="has not answered"):
                await first(live.blocks(), 5)


async def test_a_stream_of_nothing_but_garbage_is_given_up() -> None:
    async with playing(["garbage", DEEP, None]) as (url, _), asyncio.timeout(5):
        stream = MessageStream([url], 1.0, ManualClock(), give_up_seconds=0.2)
        with pytest.raises(FeedError, match="has not answered"):
            await anext(stream.messages())
    assert stream.reasons[Reason.MESSAGE_CORRUPT] >= 2


@pytest.mark.parametrize("url", NO_ADDRESSES)
async def test_what_is_no_websocket_address_is_said(url: str) -> None:
    clock, node = ManualClock(), ScriptedNode()
    with pytest.raises(FeedError, match="no WebSocket address"):
        await anext(MessageStream([url], 1.0, clock).messages())
    async with asyncio.timeout(5):
        async with WebSocketFeed(url, node, [], clock) as live:  # type: ignore[arg-type]
            with pytest.raises(FeedError, match="no WebSocket address"):
                await anext(live.blocks())
        async with Mempool(url, BlocksOf([]), load_network("ethereum"), clock) as mempool:
            with pytest.raises(FeedError, match="no WebSocket address"):
                await mempool.listening()
