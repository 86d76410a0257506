"""Readings carried out against a node: rounds together, each reading by itself, all of one block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chain.asking import QUESTIONS_PER_BATCH, ask, ask_all, at_hash
from chain.questions import Answer, ContractCall, Question, Reading, StorageSlot
from chain.wire import head_from_json
from core.errors import MarketError, RpcError
from tests.chain.conftest import Chain

COUNTER = "0x" + "00" * 18 + "c007"
COUNTER_CODE = "0x36600c575f545f5260205ff35b5f355f5500"
"""Returns its first storage slot, or stores there what it is sent."""
REVERTER = "0x" + "00" * 18 + "dead"


async def prepare(chain: Chain, value: int = 5) -> None:
    await chain.provider.call("anvil_setCode", [COUNTER, COUNTER_CODE])
    await chain.provider.call("anvil_setCode", [REVERTER, "0x5f5ffd"])
    await set_counter(chain, value)


async def set_counter(chain: Chain, value: int) -> None:
    await chain.mine(value.to_bytes(32, "big"), to=COUNTER)


def rounds(count: int, question: Question) -> Reading[list[Answer]]:
    """Ask one question again and again, and return all answers."""
    found: list[Answer] = []
    for _ in range(count):
        found += yield [question]
    return found


def refusing(question: Question) -> Reading[list[Answer]]:
    yield [question]
    raise MarketError("the answer makes no sense", address=COUNTER)


def without_questions() -> Reading[list[Answer]]:
    return [b"nothing to ask"]
    yield []


class Listening:
    """The node, and how many requests went out in each exchange."""

    def __init__(self, chain: Chain) -> None:
        self.node = chain.provider
        self.exchanges: list[int] = []

    async def attempt(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any | RpcError]:
        self.exchanges.append(len(requests))
        return await self.node.attempt(requests)


READ = ContractCall(COUNTER, b"")
FIVE = (5).to_bytes(32, "big")


async def test_readings_share_their_rounds_and_end_when_each_is_done(chain: Chain) -> None:
    await prepare(chain)
    node = Listening(chain)
    readings = [rounds(1, READ), rounds(3, StorageSlot(COUNTER, 0)), without_questions(), rounds(2, READ)]
    found = await ask_all(node, readings, "latest")
    assert found == [[FIVE], [FIVE] * 3, [b"nothing to ask"], [FIVE] * 2]
    assert node.exchanges == [3, 2, 1]


async def test_a_round_of_many_questions_goes_out_in_parts_and_keeps_its_order(chain: Chain) -> None:
    await prepare(chain)
    node = Listening(chain)
    slots = [StorageSlot(COUNTER, place % 2) for place in range(QUESTIONS_PER_BATCH + 7)]
    found = await ask_all(node, [rounds(1, slot) for slot in slots], "latest")
    assert found == [[FIVE] if slot.slot == 0 else [bytes(32)] for slot in slots]
    assert node.exchanges == [QUESTIONS_PER_BATCH, 7]


async def test_a_reading_that_cannot_go_on_does_not_disturb_the_others(chain: Chain) -> None:
    await prepare(chain)
    lost = ContractCall("0x12", b"")  # no address: the node refuses the question itself
    first, second, third = await ask_all(
        chain.provider, [refusing(READ), rounds(2, lost), rounds(2, READ)], "latest"
    )
    assert isinstance(first, MarketError)
    assert isinstance(second, RpcError)
    assert third == [FIVE, FIVE]
    with pytest.raises(MarketError, match="no sense"):
        await ask(chain.provider, refusing(READ), "latest")


async def test_a_call_that_reverts_has_no_answer_and_an_address_without_code_an_empty_one(
    chain: Chain,
) -> None:
    await prepare(chain)
    calls = [ContractCall(REVERTER, b""), ContractCall("0x" + "99" * 20, b"")]
    assert await ask_all(chain.provider, [rounds(1, call) for call in calls], "latest") == [[None], [b""]]


async def test_a_block_is_named_by_height_or_by_hash(chain: Chain) -> None:
    await prepare(chain)
    block = await chain.provider.call("eth_getBlockByNumber", ["latest", False])
    header = head_from_json(block).header
    await set_counter(chain, 6)
    for question in (READ, StorageSlot(COUNTER, 0)):
        assert await ask(chain.provider, rounds(1, question), at_hash(header)) == [FIVE]
        assert await ask(chain.provider, rounds(1, question), hex(header.number)) == [FIVE]
        assert await ask(chain.provider, rounds(1, question), "latest") == [(6).to_bytes(32, "big")]


async def test_a_block_that_was_replaced_between_two_rounds_is_an_error(chain: Chain) -> None:
    await prepare(chain)
    await set_counter(chain, 6)
    header = head_from_json(await chain.provider.call("eth_getBlockByNumber", ["latest", False])).header

    class Reorganising(Listening):
        async def attempt(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any | RpcError]:
            answers = await super().attempt(requests)
            if len(self.exchanges) == 1:
                await chain.provider.call("anvil_rollback", [1])
                chain.nonce -= 1
                await set_counter(chain, 7)
            return answers

    with pytest.raises(RpcError):
        await ask(Reorganising(chain), rounds(2, READ), at_hash(header))
