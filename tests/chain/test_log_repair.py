"""Whatever order and however often a block's logs come, the block is the same, or it is refused."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.blocks import RawLog
from chain.log_repair import PlacedLog, RepairedLogs, hear, placed_from_json, repair_logs
from core.errors import RpcError
from core.reasons import Reason, Refusal

WATCHED = "0x" + "51" * 20


def log(number: int, index: int, data: bytes = b"") -> RawLog:
    return RawLog(number, index, 0, b"\x22" * 32, WATCHED, (b"\x33" * 32,), data)


def hash_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


positions = st.sets(st.tuples(st.integers(5, 9), st.integers(0, 30)), max_size=25)


@given(positions, st.integers(0, 2**32), st.integers(0, 20))
def test_any_order_and_any_duplicates_give_the_same_logs(
    places: set[tuple[int, int]], seed: int, copies: int
) -> None:
    truth = [PlacedLog(hash_of(number), log(number, index)) for number, index in sorted(places)]
    mix = random.Random(seed)
    arrived = truth + (mix.choices(truth, k=copies) if truth else [])
    mix.shuffle(arrived)
    repaired = repair_logs(arrived, 5, 9, addresses=[WATCHED])
    assert isinstance(repaired, RepairedLogs)
    assert repaired.logs == tuple(item.log for item in truth)
    assert repaired.duplicates == len(arrived) - len(truth)
    untouched = repair_logs(truth, 5, 9)
    assert isinstance(untouched, RepairedLogs)
    assert not untouched.repairs


@given(positions.filter(bool), st.integers(0, 2**32))
def test_a_contradiction_is_refused_wherever_it_stands(places: set[tuple[int, int]], seed: int) -> None:
    arrived = [PlacedLog(hash_of(number), log(number, index)) for number, index in sorted(places)]
    mix = random.Random(seed)
    chosen = mix.choice(arrived)
    arrived.append(replace(chosen, log=replace(chosen.log, data=b"other")))
    mix.shuffle(arrived)
    refused = repair_logs(arrived, 5, 9)
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.CONTRADICTORY_LOG


@pytest.mark.parametrize(
    "stranger",
    [
        PlacedLog(hash_of(4), log(4, 0)),
        PlacedLog(b"\xff" * 32, log(6, 1)),
        PlacedLog(hash_of(6), replace(log(6, 1), address="0x" + "99" * 20)),
    ],
    ids=["another block", "another branch", "another contract"],
)
def test_what_was_not_asked_for_is_refused(stranger: PlacedLog) -> None:
    ours = PlacedLog(hash_of(6), log(6, 0))
    refused = repair_logs([ours, stranger], 5, 9, hashes={6: hash_of(6)}, addresses=[WATCHED])
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.FOREIGN_LOG


def test_announcements_that_contradict_each_other_leave_the_place_open() -> None:
    heard: dict[int, RawLog | None] = {}
    assert hear(heard, log(1, 3)) is None
    assert hear(heard, log(1, 2)) is Reason.REORDERED_LOG
    assert hear(heard, log(1, 3)) is Reason.DUPLICATE_LOG
    assert hear(heard, log(1, 3, b"other")) is Reason.CONTRADICTORY_LOG
    assert heard == {3: None, 2: log(1, 2)}


@pytest.mark.parametrize(
    "change",
    [
        {"data": "0x123"},
        {"data": None},
        {"topics": ["0x33"]},
        {"topics": ["0x" + "33" * 32] * 5},
        {"address": "0x51"},
        {"blockHash": "0x11"},
        {"blockHash": None},
        {"logIndex": "one"},
    ],
)
def test_a_log_that_is_cut_short_is_refused_by_name(change: dict[str, Any]) -> None:
    fields = {
        "blockNumber": "0x1",
        "blockHash": "0x" + "11" * 32,
        "logIndex": "0x0",
        "transactionIndex": "0x0",
        "transactionHash": "0x" + "22" * 32,
        "address": WATCHED,
        "topics": ["0x" + "33" * 32],
        "data": "0x",
    }
    assert placed_from_json(fields).log == replace(log(1, 0))
    with pytest.raises(RpcError) as caught:
        placed_from_json(fields | change)
    assert caught.value.fields["reason"] == Reason.CORRUPT_LOG
