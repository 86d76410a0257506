"""Ranges of logs: from a real node, and from one with limits that words its refusals as nodes do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chain.log_ranges
from chain.log_limits import Limit, limit_of, suggested_blocks
from chain.log_ranges import LogRange, logs_between
from core.errors import RpcError
from core.reasons import Reason

if TYPE_CHECKING:
    from tests.chain.conftest import Chain

WATCHED = "0x" + "51" * 20


def refusal(code: int | None, message: str, **fields: Any) -> RpcError:
    return RpcError(message, method="eth_getLogs", code=code, message=message, **{"data": None, **fields})


@dataclass
class LimitedNode:
    """Stands in for a hosted node, whose limits a local one does not have."""

    per_block: Sequence[int]
    most_blocks: int = 10**9
    most_logs: int = 10**9
    head: int = 10**9
    word: Callable[[int, int], RpcError] = lambda first, last: refusal(-32005, "query returned too much")
    spoil: list[Callable[[list[dict[str, Any]]], None]] = field(default_factory=list)
    asked: list[tuple[int, int]] = field(default_factory=list)

    async def batch(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [self.answer(method, params) for method, params in requests]

    def answer(self, method: str, params: Sequence[Any]) -> Any:
        if method == "eth_getBlockByNumber":
            number = int(params[0], 16)
            return {"hash": self.hash(number)} if number <= self.head else None
        first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        self.asked.append((first, last))
        logs = [self.log(n, i) for n in range(first, last + 1) for i in range(self.per_block[n])]
        if last - first + 1 > self.most_blocks or len(logs) > self.most_logs:
            raise self.word(first, last)
        if self.spoil:
            self.spoil.pop(0)(logs)
        return logs

    @staticmethod
    def hash(number: int) -> str:
        return "0x" + number.to_bytes(32, "big").hex()

    def log(self, number: int, index: int) -> dict[str, Any]:
        return {
            "blockNumber": hex(number),
            "blockHash": self.hash(number),
            "logIndex": hex(index),
            "transactionIndex": "0x0",
            "transactionHash": "0x" + "22" * 32,
            "address": WATCHED,
            "topics": [],
            "data": "0x",
        }


async def collect(node: Any, first: int, last: int, **options: Any) -> list[LogRange]:
    return [found async for found in logs_between(node, first, last, addresses=[WATCHED], **options)]


def whole(ranges: Sequence[LogRange], first: int, last: int) -> list[tuple[int, int]]:
    """Check that the ranges join without hole or overlap; return the places of their logs."""
    upcoming = first
    for found in ranges:
        assert found.first == upcoming <= found.last
        upcoming = found.last + 1
    assert upcoming == last + 1
    return [(log.block_number, log.log_index) for found in ranges for log in found.logs]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=80),
    st.integers(1, 100),
    st.integers(1, 100),
    st.integers(4, 30),
)
def test_whatever_the_limits_every_log_comes_once_and_in_order(
    per_block: list[int], span: int, most_blocks: int, most_logs: int
) -> None:
    node = LimitedNode(per_block, most_blocks, most_logs)
    last = len(per_block) - 1
    ranges = asyncio.run(collect(node, 0, last, span=span))
    assert whole(ranges, 0, last) == [(n, i) for n, count in enumerate(per_block) for i in range(count)]


async def test_a_real_node_gives_the_same_logs_in_any_ranges(chain: Chain) -> None:
    for number in range(1, 21):
        await chain.mine(*[bytes([number, index]) for index in range(number % 3)])
    everything = await chain.provider.call("eth_getLogs", [{"fromBlock": "0x0", "address": chain.speaker}])
    truth = [(int(log["blockNumber"], 16), int(log["logIndex"], 16)) for log in everything]
    for span in (1, 3, 7, 2_000):
        ranges = [r async for r in logs_between(chain.provider, 0, 20, addresses=[chain.speaker], span=span)]
        assert whole(ranges, 0, 20) == truth
    topic = (1).to_bytes(32, "big")
    ranges = [r async for r in logs_between(chain.provider, 0, 20, topics=[[topic], None])]
    assert whole(ranges, 0, 20) == truth
    assert [r async for r in logs_between(chain.provider, 5, 4)] == []


async def test_the_range_that_a_refusal_suggests_is_used_at_once() -> None:
    node = LimitedNode(
        [1] * 100,
        most_blocks=10,
        word=lambda first, _: refusal(
            -32600, f"this block range should work: [{hex(first)}, {hex(first + 9)}]"
        ),
    )
    await collect(node, 0, 99)
    assert node.asked[:2] == [(0, 99), (0, 9)]
    assert len(node.asked) <= 15


async def test_after_successes_the_range_grows_again() -> None:
    node = LimitedNode([0] * 50 + [9] + [0] * 400, most_logs=8)
    with pytest.raises(RpcError, match="the logs of block 50 alone"):
        await collect(node, 0, 450, span=100)
    node = LimitedNode([3] * 4 + [0] * 400, most_logs=8)
    whole(await collect(node, 0, 403, span=200), 0, 403)
    sizes = [last - first + 1 for first, last in node.asked]
    assert min(sizes[:12]) <= 2
    assert sizes[-2] > 10


async def test_a_node_that_lacks_the_last_block_is_no_node_without_logs() -> None:
    node = LimitedNode([0] * 10, head=7)
    with pytest.raises(RpcError, match="does not have block 9") as caught:
        await collect(node, 0, 9)
    assert caught.value.fields["reason"] == Reason.NODE_BEHIND


def cut(logs: list[dict[str, Any]]) -> None:
    logs[0] = logs[0] | {"data": "0x1"}


def contradict(logs: list[dict[str, Any]]) -> None:
    logs.append(logs[0] | {"data": "0x01"})


def stray(logs: list[dict[str, Any]]) -> None:
    logs.append(logs[0] | {"blockNumber": "0x63"})


async def test_answers_that_cannot_be_used_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain.log_ranges, "_WRONG_WAITS", (0, 0, 0))
    node = LimitedNode([2, 2], spoil=[cut, contradict, stray])
    assert len(whole(await collect(node, 0, 1), 0, 1)) == 4
    assert node.asked == [(0, 1)] * 4
    node = LimitedNode([2, 2], spoil=[contradict] * 9)
    with pytest.raises(RpcError, match="contradicts itself") as caught:
        await collect(node, 0, 1)
    assert caught.value.fields["reason"] == Reason.CONTRADICTORY_LOG


async def test_repairs_are_told_by_name() -> None:
    def shuffle(logs: list[dict[str, Any]]) -> None:
        logs.reverse()
        logs.append(logs[0])

    (found,) = await collect(LimitedNode([2], spoil=[shuffle]), 0, 0)
    assert found.repairs == {Reason.DUPLICATE_LOG: 1, Reason.REORDERED_LOG: 1}
    assert [log.log_index for log in found.logs] == [0, 1]


async def test_a_busy_node_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain.log_ranges, "_BUSY_WAITS", (0, 0))
    waiting = [
        refusal(None, "HTTP 429 Too Many Requests", status=429),
        refusal(-32005, "rate limit exceeded"),
    ]

    def busy(logs: list[dict[str, Any]]) -> None:
        raise waiting.pop()

    node = LimitedNode([1] * 4, spoil=[busy, busy])
    assert len(whole(await collect(node, 0, 3), 0, 3)) == 4
    assert node.asked == [(0, 3)] * 3


SIZES = {
    "query returned more than 10000 results. Try with this block range [0x64, 0xc7].": 100,
    "up to a 500 block range. Based on your parameters, this block range should work: [0x64, 0x257]": 500,
    "query exceeds max results 20000, retry with the range 100-149": 50,
    "eth_getLogs is limited to a 10,000 range": 10_000,
    "exceed maximum block range: 5000": 5_000,
    "block range is larger than max block range, block range = 5120, max block range = 5000": 5_000,
    "range 1000000 exceeds limit of 10000": 10_000,
    "Please limit the query to at most 1000 blocks": 1_000,
    "ranges over 10000 blocks are not supported on freetier": 10_000,
    "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range": 2_000,
    "Response is too big": None,
    "query timeout exceeded": None,
    "query returned more than 10000 results": None,
}


@pytest.mark.parametrize(("message", "blocks"), SIZES.items())
def test_a_refusal_for_size_and_what_it_suggests_are_understood(message: str, blocks: int | None) -> None:
    for code in (-32000, -32005, -32600, -32602):
        assert limit_of(refusal(code, message)) is Limit.SMALLER
    assert suggested_blocks(refusal(-32005, message), 100) == blocks


def test_a_range_in_the_errors_data_is_understood() -> None:
    error = refusal(-32005, "too much", data={"from": "0x64", "to": "0x6d", "limit": 10_000})
    assert suggested_blocks(error, 100) == 10
    assert suggested_blocks(error, 101) is None


@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (refusal(None, "no answer within 10 s", timed_out=True), Limit.SMALLER),
        (refusal(None, "HTTP 413 Payload Too Large", status=413), Limit.SMALLER),
        (refusal(None, "HTTP 429 Too Many Requests", status=429), Limit.SLOWER),
        (refusal(-32029, "Too Many Requests"), Limit.SLOWER),
        (refusal(None, "cannot reach the node"), Limit.NEVER),
        (refusal(-32601, "the method eth_getLogs does not exist"), Limit.NEVER),
        (refusal(-32000, "block range extends beyond current head block"), Limit.NEVER),
    ],
)
def test_a_refusal_for_another_cause_is_not_taken_for_size(error: RpcError, limit: Limit) -> None:
    assert limit_of(error) is limit
