"""The sequencer's order from a scripted server; transactions are signed, the format is the documented one."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from eth_account.typed_transactions import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from hypothesis import given
from hypothesis import strategies as st

from chain.sequencer_feed import SequenceReader, SequencerFeed, signed_transactions
from chain.signers import Wallet
from core.reasons import Reason
from core.seams import ManualClock
from tests.chain.scripted_server import first, playing

WORDS = [bytes.fromhex(text) for text in ("bb1108aad51d556202f7fe85e0bc3f76d61611c8", "01", "0a")]
# the message in the example of Arbitrum's documentation on how to read the feed
DOCUMENTED = (
    bytes.fromhex("0402f8d282a4b148849502f90084a0eebb008316faa394996d8368205d834e2c6ca83a43db1208f4624b1b80")
    + bytes.fromhex("b8640861e8dd")
    + b"".join(word.rjust(32, b"\0") for word in WORDS)
    + bytes.fromhex("c001a02479bb849d2014beb5950464f103b5be64c367e6ec8b95b387ecdaecd1b60ebf")
    + bytes.fromhex("a00ec503ea028d9407467bbea96e8239fe05497476b0dc59e8c17c388f102ea340")
)


def signed(nonce: int) -> tuple[bytes, bytes]:
    return Wallet.from_key(b"\x11" * 32).sign_transaction(
        {
            "chainId": 42161,
            "nonce": nonce,
            "maxPriorityFeePerGas": 1,
            "maxFeePerGas": 10**9,
            "gas": 21_000,
            "to": "0x" + "51" * 20,
        }
    )


def one(raw: bytes) -> bytes:
    return b"\x04" + raw


def batch(*messages: bytes) -> bytes:
    return b"\x03" + b"".join(len(part).to_bytes(8, "big") + part for part in messages)


def item(number: int, payload: bytes | str, kind: int = 3) -> dict[str, Any]:
    text = payload if isinstance(payload, str) else base64.b64encode(payload).decode()
    header = {
        "kind": kind,
        "sender": "0xa4b000000000000000000073657175656e636572",
        "blockNumber": 16_238_523,
        "timestamp": 1_671_691_403,
        "requestId": None,
        "baseFeeL1": None,
    }
    message = {"message": {"header": header, "l2Msg": text}, "delayedMessagesRead": 354_560}
    return {"sequenceNumber": number, "message": message, "signature": None}


def broadcast(*items: dict[str, Any], version: int = 1) -> dict[str, Any]:
    return {"version": version, "messages": list(items)}


async def test_the_documented_example_is_a_transaction_that_another_library_reads() -> None:
    async with playing([broadcast(item(25_757_171, DOCUMENTED))]) as (url, _):
        feed = SequencerFeed([url], ManualClock(9))
        (found,) = await first(feed.transactions(), 1)
    assert (found.sequence_number, found.index, found.known_at_ns) == (25_757_171, 0, 9)
    assert (found.l1_block_number, found.timestamp) == (16_238_523, 1_671_691_403)
    read = TypedTransaction.from_bytes(HexBytes(found.raw))
    assert read.as_dict()["chainId"] == 42161
    assert found.hash == keccak(DOCUMENTED[1:])


async def test_transactions_alone_and_in_nested_batches_come_in_order() -> None:
    made = [signed(nonce) for nonce in range(6)]
    raws = [raw for raw, _ in made]
    nested = batch(one(raws[1]), batch(one(raws[2]), b"\x00unsigned", one(raws[3])), one(raws[4]))
    confirmed = {"version": 1, "confirmedSequenceNumberMessage": {"sequenceNumber": 3}}
    scene = [broadcast(item(7, one(raws[0])), item(8, nested)), confirmed, broadcast(item(9, one(raws[5])))]
    async with playing(scene) as (url, _):
        found = await first(SequencerFeed([url], ManualClock()).transactions(), 6)
    assert [(t.raw, t.hash) for t in found] == made
    assert [(t.sequence_number, t.index) for t in found] == [(7, 0), (8, 0), (8, 1), (8, 2), (8, 3), (9, 0)]


async def test_a_cut_connection_doubles_nothing_and_a_gap_is_counted_by_name() -> None:
    raws = [one(signed(nonce)[0]) for nonce in range(8)]
    before = [broadcast(item(0, raws[0]), item(1, raws[1])), None]
    after = [broadcast(item(0, raws[0]), item(1, raws[1]), item(2, raws[2])), broadcast(item(5, raws[5]))]
    async with playing(before, after) as (url, _):
        feed = SequencerFeed([url], ManualClock())
        found = await first(feed.transactions(), 4)
    assert [t.sequence_number for t in found] == [0, 1, 2, 5]
    assert feed.stream.connections == 2
    assert feed.stream.reasons == {Reason.SEQUENCE_DUPLICATE: 2, Reason.SEQUENCE_GAP: 1}
    assert feed.reader.missed == 2


async def test_a_silent_relay_is_left_for_the_next_one() -> None:
    raws = [one(signed(nonce)[0]) for nonce in range(2)]
    one_each = [[broadcast(item(number, raw))] for number, raw in enumerate(raws)]
    async with playing(one_each[0]) as (silent, _), playing(one_each[1]) as (well, _):
        feed = SequencerFeed([silent, well], ManualClock(), silence_seconds=0.2)
        assert [t.sequence_number for t in await first(feed.transactions(), 2)] == [0, 1]


@pytest.mark.parametrize(
    "broken",
    [
        item(1, "no base64!"),
        item(1, b""),
        item(1, b"\x07compressed"),
        item(1, b"\x04\x03blob"),
        item(1, batch(batch(b""))),
        item(1, b"\x04" + b"a" * 300_000),
        item(2**70, b"\x04a"),
        item(1, b"\x04a") | {"message": None},
        {"sequenceNumber": "x"},
        7,
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_and_the_rest_is_kept(broken: Any) -> None:
    reader = SequenceReader()
    found, problems = reader.take(broadcast(item(0, b"\x04a"), broken, item(2, b"\x04b")), 0)
    assert [t.raw for t in found] == [b"a", b"b"]
    assert Reason.MESSAGE_CORRUPT in {problem.reason for problem in problems}


def test_a_batch_that_is_cut_short_keeps_its_whole_messages() -> None:
    assert list(signed_transactions(batch(one(b"a"), one(b"b"))[:-1])) == [b"a"]
    assert list(signed_transactions(b"\x03" * 20)) == []


def test_messages_of_the_chain_below_hold_no_signed_transactions() -> None:
    reader = SequenceReader()
    assert reader.take(broadcast(item(0, b"deposit", kind=12)), 0) == ([], [])
    assert reader.unread == 1


def test_another_version_is_refused_by_name() -> None:
    _, (problem,) = SequenceReader().take(broadcast(version=2), 0)
    assert problem.reason is Reason.MESSAGE_CORRUPT


trees = st.recursive(
    st.binary(min_size=1, max_size=8).filter(lambda raw: raw[0] != 3),
    lambda children: st.lists(children, max_size=4),
    max_leaves=20,
)


@given(trees)
def test_any_nesting_gives_the_transactions_from_left_to_right(tree: Any) -> None:
    def written(node: Any) -> bytes:
        return one(node) if isinstance(node, bytes) else batch(*map(written, node))

    def leaves(node: Any) -> list[bytes]:
        return [node] if isinstance(node, bytes) else [leaf for child in node for leaf in leaves(child)]

    assert list(signed_transactions(written(tree))) == leaves(tree)


@given(st.binary(max_size=60))
def test_no_bytes_do_worse_than_being_refused(payload: bytes) -> None:
    try:
        assert all(signed_transactions(payload))
    except ValueError:
        return
