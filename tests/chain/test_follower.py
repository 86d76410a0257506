"""The follower against a scripted node: any order of growth, reorganisation, loss and lag."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.blocks import Block
from chain.follower import ChainFollower, HeadVanished
from chain.wire import Head, bloom_mask, head_from_json, log_from_json
from core.errors import FeedError, RpcError
from core.seams import ManualClock

WATCHED = "0x" + "51" * 20


@dataclass
class ScriptedNode:
    """Answers like a node that keeps orphans, as far as the follower asks."""

    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    chain: list[dict[str, Any]] = field(default_factory=list)
    lag: int = 0
    range_limit: int = 10_000
    asked: list[str] = field(default_factory=list)
    before_logs: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.grow(0)

    def grow(self, logs: int, bloom: int | None = None) -> Head:
        name = "0x" + (len(self.known) + 1).to_bytes(32, "big").hex()
        number = len(self.chain)
        header = {
            "number": hex(number),
            "hash": name,
            "parentHash": self.chain[-1]["hash"] if self.chain else "0x" + "00" * 32,
            "timestamp": hex(1_700_000_000 + 12 * number),
            "baseFeePerGas": "0x7",
            "gasUsed": "0x0",
            "gasLimit": "0x1c9c380",
            "miner": "0x" + "AB" * 20,
            "logsBloom": hex((bloom_mask(WATCHED) if logs else 0) if bloom is None else bloom),
        }
        self.known[name] = header
        self.logs[name] = [self.log(header, index) for index in range(logs)]
        self.chain.append(header)
        return head_from_json(header)

    def log(self, header: dict[str, Any], index: int) -> dict[str, Any]:
        return {
            "blockNumber": header["number"],
            "blockHash": header["hash"],
            "logIndex": hex(index),
            "transactionIndex": "0x0",
            "transactionHash": "0x" + "22" * 32,
            "address": WATCHED,
            "topics": ["0x" + "33" * 32],
            "data": header["hash"],
        }

    def reorganise(self, depth: int) -> None:
        del self.chain[max(1, len(self.chain) - depth) :]

    def go_back_to(self, index: int) -> Head:
        """Take up an earlier head again, with the branch it stands on."""
        header = head = list(self.known.values())[index % len(self.known)]
        branch = [header]
        while header["parentHash"] in self.known:
            header = self.known[header["parentHash"]]
            branch.insert(0, header)
        self.chain = branch
        return head_from_json(head)

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        self.asked.append(method)
        await asyncio.sleep(0)
        if method == "eth_getBlockByHash":
            return self.known.get(params[0])
        if method == "eth_getBlockByNumber":
            if params[0] == "latest":
                return self.chain[-1]
            number = int(params[0], 16)
            return self.chain[number] if number < len(self.chain) else None
        assert method == "eth_getLogs"
        self.before_logs()
        criteria = params[0]
        if "blockHash" in criteria:
            self.lag -= 1
            return [] if self.lag >= 0 else self.logs.get(criteria["blockHash"], [])
        first, last = int(criteria["fromBlock"], 16), int(criteria["toBlock"], 16)
        if last - first + 1 > self.range_limit:
            raise RpcError("range too large", method=method, code=-32005, message="", data=None)
        return [log for header in self.chain[first : last + 1] for log in self.logs[header["hash"]]]

    async def batch(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [await self.call(method, params) for method, params in requests]


def follower_of(node: ScriptedNode, **options: Any) -> ChainFollower:
    return ChainFollower(node, [WATCHED], ManualClock(), **options)  # type: ignore[arg-type]


async def deliver(follower: ChainFollower, head: Head, **options: Any) -> list[Block]:
    return [block async for block in follower.advance(head, **options)]


class Replay:
    """What a consumer that undoes and redoes blocks ends up with."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []

    def take(self, block: Block) -> None:
        if self.hashes:
            assert block.header.parent_hash in self.hashes, "a block was lost"
            del self.hashes[self.hashes.index(block.header.parent_hash) + 1 :]
        assert block.header.hash not in self.hashes, "a block was doubled"
        self.hashes.append(block.header.hash)


steps = st.one_of(
    st.tuples(st.just("grow"), st.integers(0, 3)),
    st.tuples(st.just("lose"), st.integers(0, 3)),
    st.tuples(st.just("reorganise"), st.integers(1, 6)),
    st.tuples(st.just("return"), st.integers(0, 50)),
    st.tuples(st.just("repeat"), st.just(0)),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(steps, max_size=40))
def test_whatever_happens_the_consumer_ends_with_the_nodes_chain(script: list[tuple[str, int]]) -> None:
    async def run() -> None:
        node, replay = ScriptedNode(), Replay()
        follower = follower_of(node)
        announced = [head_from_json(node.chain[0])]
        replay.take((await deliver(follower, announced[0]))[0])
        for kind, amount in [*script, ("grow", 1)]:
            if kind == "reorganise":
                node.reorganise(amount)
                continue
            if kind == "repeat":
                announced.append(announced[-1])
            elif kind == "return":
                announced.append(node.go_back_to(amount))
            elif kind == "grow":
                announced.append(node.grow(amount))
            else:
                node.grow(amount)
                continue
            for block in await deliver(follower, announced[-1]):
                replay.take(block)
                name = "0x" + block.header.hash.hex()
                assert block.logs == tuple(log_from_json(log) for log in node.logs[name])
        hashes = [bytes.fromhex(header["hash"][2:]) for header in node.chain]
        assert replay.hashes == hashes

    asyncio.run(run())


async def test_a_bloom_that_excludes_us_saves_the_question() -> None:
    node = ScriptedNode()
    follower = follower_of(node)
    await deliver(follower, head_from_json(node.chain[0]))
    node.asked.clear()
    (block,) = await deliver(follower, node.grow(0))
    assert block.logs == ()
    assert "eth_getLogs" not in node.asked


async def test_a_bloom_that_is_always_empty_is_not_believed_twice() -> None:
    node = ScriptedNode()
    follower = follower_of(node)
    await deliver(follower, head_from_json(node.chain[0]))
    head = node.grow(2, bloom=0)
    logs = {n: log_from_json(log) for n, log in enumerate(node.logs["0x" + head.header.hash.hex()])}
    (block,) = await deliver(follower, head, heard={head.header.hash: logs})
    assert len(block.logs) == 2
    (block,) = await deliver(follower, node.grow(1, bloom=0), heard={})
    assert len(block.logs) == 1


async def test_logs_that_are_announced_but_not_served_yet_are_waited_for() -> None:
    node = ScriptedNode()
    follower = follower_of(node)
    await deliver(follower, head_from_json(node.chain[0]))
    head = node.grow(2)
    first = log_from_json(node.logs["0x" + head.header.hash.hex()][0])
    node.lag = 2
    (block,) = await deliver(follower, head, heard={head.header.hash: {0: first}})
    assert [log.log_index for log in block.logs] == [0, 1]
    assert (follower.counters.late_logs, follower.counters.unserved_logs) == (1, 0)


async def test_a_log_that_is_never_served_is_delivered_all_the_same() -> None:
    node = ScriptedNode()
    follower = follower_of(node)
    await deliver(follower, head_from_json(node.chain[0]))
    head = node.grow(1)
    log = log_from_json(node.logs["0x" + head.header.hash.hex()][0])
    node.lag = 100
    (block,) = await deliver(follower, head, heard={head.header.hash: {0: log}})
    assert block.logs == (log,)
    assert follower.counters.unserved_logs == 1


async def test_a_range_that_is_too_large_for_the_node_is_halved() -> None:
    node = ScriptedNode(range_limit=7)
    follower = follower_of(node)
    await deliver(follower, head_from_json(node.chain[0]))
    for _ in range(100):
        head = node.grow(1)
    blocks = await deliver(follower, head)
    assert [len(block.logs) for block in blocks] == [1] * 100


@pytest.mark.parametrize("logs_of_new_branch", [0, 1])
async def test_a_reorganisation_between_headers_and_logs_is_noticed(logs_of_new_branch: int) -> None:
    node = ScriptedNode()
    follower = follower_of(node)
    await deliver(follower, head_from_json(node.chain[0]))
    for _ in range(5):
        head = node.grow(1)

    def switch() -> None:
        node.reorganise(2)
        node.grow(logs_of_new_branch)
        node.grow(0)

    node.before_logs = switch
    with pytest.raises(HeadVanished):
        await deliver(follower, head)
    node.before_logs = lambda: None
    blocks = await deliver(follower, await follower.latest())
    assert [len(block.logs) for block in blocks] == [1, 1, 1, logs_of_new_branch, 0]


async def test_a_head_that_is_gone_is_told_to_the_feed() -> None:
    node = ScriptedNode()
    follower = follower_of(node)
    await deliver(follower, head_from_json(node.chain[0]))
    head = node.grow(1)
    del node.known["0x" + head.header.hash.hex()]
    with pytest.raises(HeadVanished):
        await deliver(follower, head)


async def test_a_reorganisation_deeper_than_the_limit_is_an_error() -> None:
    node = ScriptedNode()
    follower = follower_of(node, reorg_limit=5)
    for _ in range(20):
        await deliver(follower, node.grow(0))
    node.reorganise(7)
    head = node.grow(0)
    with pytest.raises(HeadVanished):  # a node that lags shows the same
        await deliver(follower, head)
    for _ in range(6):
        longer = node.grow(0)
    for proven in (longer, head):
        with pytest.raises(FeedError, match="load the market state again"):
            await deliver(follower, proven)


async def test_the_clock_stamps_a_block_when_it_is_complete() -> None:
    node = ScriptedNode()
    (block,) = await deliver(ChainFollower(node, [], ManualClock(42)), node.grow(1))  # type: ignore[arg-type]
    assert (block.known_at_ns, block.logs) == (42, ())
    assert block.header.fee_recipient == "0x" + "ab" * 20


@pytest.mark.parametrize("change", [{"number": None}, {"hash": "zz"}, {"miner": None}])
def test_a_header_that_cannot_be_read_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(RpcError, match="cannot be read"):
        head_from_json(ScriptedNode().chain[0] | change)


def test_a_log_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(RpcError, match="cannot be read"):
        log_from_json({"blockNumber": "0x1"})
