"""A feed over a node that spoils logs: each fault is repaired or asked for again, counted, nothing lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.blocks import Block
from chain.feeds import Patience, repaired
from chain.follower import ChainFollower
from chain.log_repair import hear
from chain.wire import Head, head_from_json, log_from_json
from core.errors import FeedError
from core.seams import ManualClock
from tests.chain.test_follower import WATCHED, ScriptedNode

Fault = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]

FAULTS: dict[str, Fault] = {
    "duplicate_logs": lambda logs: [*logs, logs[0]],
    "reordered_logs": lambda logs: logs[::-1],
    "contradictory_logs": lambda logs: [*logs, logs[0] | {"data": "0x00"}],
    "foreign_logs": lambda logs: [*logs, logs[0] | {"blockHash": "0x" + "ff" * 32}],
    "corrupt_logs": lambda logs: [logs[0] | {"data": "0x0"}, *logs[1:]],
}


@dataclass
class SpoilingNode(ScriptedNode):
    """Spoils its answers in the ways given, one after the other."""

    faults: list[Fault] = field(default_factory=list)

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        answer = await super().call(method, params)
        if method == "eth_getLogs" and answer and self.faults:
            return self.faults.pop(0)(answer)
        return answer


def follower_of(node: ScriptedNode) -> ChainFollower:
    return ChainFollower(node, [WATCHED], ManualClock())  # type: ignore[arg-type]


class Hasty(Patience):
    """Asks again at once, for a node whose faults do not pass with time."""

    async def failed(self, error: Exception) -> None:
        return


async def feed(follower: ChainFollower, head: Head, **options: Any) -> list[Block]:
    """Advance as the feeds do."""

    def advance() -> AsyncIterator[Block]:
        return follower.advance(head, **options)

    return [block async for block in repaired(follower, advance, Hasty(5))]


@pytest.mark.parametrize("blocks", [1, 5])
@pytest.mark.parametrize("name", FAULTS)
async def test_each_fault_is_counted_by_name_and_no_log_is_lost(name: str, blocks: int) -> None:
    node = SpoilingNode(faults=[FAULTS[name]])
    follower = follower_of(node)
    await feed(follower, head_from_json(node.chain[0]))
    for _ in range(blocks):
        head = node.grow(3)
    delivered = await feed(follower, head)
    truth = [log_from_json(log) for header in node.chain[1:] for log in node.logs[header["hash"]]]
    assert [log for block in delivered for log in block.logs] == truth
    counted = {key: count for key, count in follower.counters.snapshot().items() if key in FAULTS and count}
    assert counted.keys() == {name}


@pytest.mark.parametrize("name", ["contradictory_logs", "foreign_logs", "corrupt_logs"])
async def test_a_node_that_never_mends_its_answer_ends_the_feed(name: str) -> None:
    node = SpoilingNode(faults=[FAULTS[name]] * 50)
    follower = follower_of(node)
    await feed(follower, head_from_json(node.chain[0]))
    with pytest.raises(FeedError, match="use another node") as caught:
        await feed(follower, node.grow(3))
    assert caught.value.fields["reason"] == name.removesuffix("s")


async def test_the_answer_to_a_direct_question_settles_what_announcements_contradict() -> None:
    node = SpoilingNode()
    follower = follower_of(node)
    await feed(follower, head_from_json(node.chain[0]))
    head = node.grow(2)
    truth = [log_from_json(log) for log in node.logs["0x" + head.header.hash.hex()]]
    wrong = log_from_json(node.logs["0x" + head.header.hash.hex()][0] | {"data": "0x00"})
    (block,) = await feed(follower, head, heard={head.header.hash: {0: wrong, 1: truth[1]}})
    assert list(block.logs) == truth
    assert follower.counters.contradictory_logs == 1
    head = node.grow(1)
    open_place: dict[bytes, Any] = {head.header.hash: {0: None, 7: None}}
    with pytest.raises(FeedError, match="two forms"):
        await feed(follower, head, heard=open_place)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 8), st.integers(0, 10), st.integers(0, 2**32))
def test_any_order_and_duplication_of_announcements_and_answers_gives_the_same_block(
    logs: int, copies: int, seed: int
) -> None:
    mix = random.Random(seed)

    def shuffled(answer: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answer = answer + mix.choices(answer, k=copies)
        mix.shuffle(answer)
        return answer

    async def run() -> None:
        node = SpoilingNode(faults=[shuffled])
        follower = follower_of(node)
        await feed(follower, head_from_json(node.chain[0]))
        head = node.grow(logs)
        truth = [log_from_json(log) for log in node.logs["0x" + head.header.hash.hex()]]
        heard: dict[int, Any] = {}
        for log in mix.sample(truth, mix.randint(0, len(truth))):
            hear(heard, log)
        (block,) = await feed(follower, head, heard={head.header.hash: heard})
        assert list(block.logs) == truth

    asyncio.run(run())
