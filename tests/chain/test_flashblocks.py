"""Parts of blocks from a scripted server; receipts and transactions are those of a real node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.flashblocks import FlashblockAssembler, FlashblocksFeed, PartialBlock
from chain.wire import log_from_json
from core.errors import FeedError, InputError
from core.reasons import Reason, Refusal
from core.seams import ManualClock
from tests.chain.scripted_server import first, playing

if TYPE_CHECKING:
    from tests.chain.conftest import Chain


def message(
    number: int, index: int, transactions: Mapping[str, Any] | None = None, **change: Any
) -> dict[str, Any]:
    """Write a part as the sequencer's publisher does; transactions are given with their receipts."""
    made: dict[str, Any] = {
        "payload_id": f"0x{number:016x}",
        "index": index,
        "diff": {"transactions": list(transactions or {}), "gas_used": "0x0"},
        "metadata": {
            "block_number": number,
            "receipts": dict((transactions or {}).values()),
        },
    }
    if index == 0:
        made["base"] = {
            "parent_hash": "0x" + "33" * 32,
            "block_number": hex(number),
            "timestamp": "0x686d6600",
            "base_fee_per_gas": "0x3b9aca00",
            "gas_limit": "0x1c9c380",
            "fee_recipient": "0x4200000000000000000000000000000000000011",
        }
    return made | change


def places(parts: list[PartialBlock]) -> list[tuple[int, int]]:
    return [(part.number, part.index) for part in parts]


async def real_transactions(chain: Chain) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Mine a block with six transactions; return them with their receipts, and the block's logs."""
    await chain.mine(b"a", b"bb", b"ccc", b"d", b"e", b"f")
    block = await chain.provider.call("eth_getBlockByNumber", ["0x1", True])
    raws = await chain.provider.batch(
        [("eth_getRawTransactionByHash", [transaction["hash"]]) for transaction in block["transactions"]]
    )
    receipts = await chain.provider.call("eth_getBlockReceipts", ["0x1"])
    bare = [
        {
            "type": "0x2",
            "status": "0x1",
            "logs": [{key: log[key] for key in ("address", "topics", "data")} for log in receipt["logs"]],
        }
        for receipt in receipts
    ]
    hashes = [receipt["transactionHash"] for receipt in receipts]
    made = [{raw: (hash_, receipt)} for raw, hash_, receipt in zip(raws, hashes, bare, strict=True)]
    return made, [log for receipt in receipts for log in receipt["logs"]]


async def test_the_parts_together_hold_the_logs_that_the_node_gives_the_block(chain: Chain) -> None:
    transactions, logs = await real_transactions(chain)
    scene = [message(1, 0, transactions[0]), message(1, 1, transactions[1] | transactions[2]), message(1, 2)]
    (hash_, receipt), *_ = transactions[3].values()
    older = {next(iter(transactions[3])): (hash_, {"Eip1559": receipt})}
    scene += [message(1, 3, older), message(1, 4, transactions[4] | transactions[5])]
    async with playing(scene) as (url, _):
        feed = FlashblocksFeed([url], ManualClock(7))
        parts = await first(feed.parts(), 5)
    found = [log for part in parts for log in part.logs]
    assert found == [log_from_json(log) for log in logs]
    assert {(part.parent_hash, part.timestamp, part.base_fee, part.known_at_ns) for part in parts} == {
        (b"\x33" * 32, 0x686D6600, 10**9, 7)
    }


async def test_a_broken_connection_is_made_again_and_the_next_block_is_whole() -> None:
    one = [message(5, 0), message(5, 1), None]
    two = [message(5, 3), message(6, 0), message(6, 0), message(6, 1)]
    async with playing(one, two) as (url, _):
        feed = FlashblocksFeed([url], ManualClock())
        parts = await first(feed.parts(), 4)
    assert places(parts) == [(5, 0), (5, 1), (6, 0), (6, 1)]
    assert feed.stream.connections == 2
    assert feed.stream.reasons == {Reason.FLASHBLOCK_MISSING: 1, Reason.FLASHBLOCK_DUPLICATE: 1}


async def test_after_a_missing_part_the_rest_of_its_block_is_left_out() -> None:
    scene = [message(5, 0), message(5, 2), message(5, 3), message(6, 0), message(7, 4), message(8, 0)]
    async with playing(scene) as (url, _):
        feed = FlashblocksFeed([url], ManualClock())
        parts = await first(feed.parts(), 3)
    assert places(parts) == [(5, 0), (6, 0), (8, 0)]
    assert feed.stream.reasons == {Reason.FLASHBLOCK_MISSING: 3}


async def test_a_silent_server_is_left_for_the_next_one() -> None:
    async with playing([message(1, 0)]) as (silent, _), playing([message(2, 0), message(2, 1)]) as (well, _):
        feed = FlashblocksFeed([silent, well], ManualClock(), silence_seconds=0.2)
        assert places(await first(feed.parts(), 3)) == [(1, 0), (2, 0), (2, 1)]


async def test_a_node_is_asked_and_its_notifications_are_read() -> None:
    taken = {"jsonrpc": "2.0", "id": 1, "result": "0x1"}
    note = {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"result": message(3, 0)}}
    empty = {"jsonrpc": "2.0", "method": "eth_subscription", "params": {}}
    async with playing([taken, empty, note]) as (url, heard):
        feed = FlashblocksFeed([url], ManualClock(), subscribe=True)
        assert places(await first(feed.parts(), 1)) == [(3, 0)]
    assert [said["params"] for said in heard] == [["newFlashblocks"]]


async def test_the_gauge_tells_how_old_the_last_message_is() -> None:
    clock = ManualClock()
    async with playing([message(1, 0), message(1, 1)]) as (url, _):
        feed = FlashblocksFeed([url], clock)
        assert not feed.freshness.fresh
        await first(feed.parts(), 2)
    assert feed.freshness.fresh
    clock.advance(1_300_000_000)
    assert (feed.freshness.age_seconds, feed.freshness.expected_seconds) == (1.3, 0.2)
    assert not feed.freshness.fresh


async def test_what_is_no_message_is_counted_and_hurts_nothing() -> None:
    broken = [b"\x1b\x03\xff", "[1]", "{", {}, message(1, 0, base=None), message(1, 0, diff={})]
    broken += [{"params": [1]}, message(1, 0) | {"index": "x"}, message(1, 0, metadata=[1])]
    async with playing([*broken, message(1, 0)]) as (url, _):
        feed = FlashblocksFeed([url], ManualClock())
        assert places(await first(feed.parts(), 1)) == [(1, 0)]
    assert feed.stream.reasons == {Reason.MESSAGE_CORRUPT: len(broken)}


async def test_without_a_server_the_feed_gives_up() -> None:
    feed = FlashblocksFeed(["ws://127.0.0.1:1"], ManualClock(), give_up_seconds=0)
    with pytest.raises(FeedError, match="has not answered"):
        await first(feed.parts(), 1)
    with pytest.raises(FeedError, match="no WebSocket address"):
        await first(FlashblocksFeed(["http://127.0.0.1:1"], ManualClock()).parts(), 1)
    with pytest.raises(InputError, match="at least one"):
        FlashblocksFeed([], ManualClock())


def test_a_transaction_without_receipt_leaves_the_logs_after_it_unknown() -> None:
    assembler = FlashblockAssembler()
    known = message(1, 0)
    unknown = message(1, 1, diff={"transactions": ["0x02ff"]})
    logs = [assembler.take(each, 0) for each in (known, unknown, message(1, 2), message(2, 0))]
    assert [part.logs for part in logs if isinstance(part, PartialBlock)] == [(), None, None, ()]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), max_size=30))
def test_whatever_arrives_the_parts_of_a_block_come_in_order_and_once(
    arriving: list[tuple[int, int]],
) -> None:
    assembler = FlashblockAssembler()
    taken = [assembler.take(message(number, index), 0) for number, index in arriving]
    last: tuple[int, int] | None = None
    for part in taken:
        if isinstance(part, Refusal):
            continue
        assert part.index == 0 or last == (part.number, part.index - 1)
        last = (part.number, part.index)
