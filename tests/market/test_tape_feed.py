"""A feed of a recording delivers what was recorded, and recording it again gives the same tape."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.blocks import Block
from chain.feeds import Feed
from core.errors import FeedError, TapeError
from market.context import NO_CONTEXT, BlockContext
from market.history import load_day
from market.recorded import Recorded
from market.tape import TapeReader, TapeWriter
from market.tape_feed import TapeFeed
from pipeline.pool_list import PoolList
from pipeline.recording import RecordingPlan, record
from tests.market.test_tape_damage import BLOCKS, LOGS, rewrite
from tests.small_tapes import POOLS, TOKENS, V2, V3, WEIGHTED, straight
from tests.small_tapes import record as record_tape

CHUNK = 64


@dataclass
class WatchedRecording:
    """Made-up blocks that tell how many of them were read, and where."""

    count: int
    read: int = 0
    threads: set[int] = field(default_factory=set)
    may_read: threading.Event = field(default_factory=threading.Event)

    def recorded(self) -> Recorded:
        self.may_read.set()
        return Recorded((), {}, (), self.count, self.open, "a watched recording")

    def open(self) -> Iterator[tuple[Block, BlockContext]]:
        for each in straight(self.count):
            assert self.may_read.wait(10)
            self.threads.add(threading.get_ident())
            self.read += 1
            yield each


async def delivered(feed: Feed) -> list[Block]:
    return [block async for block in feed.blocks()]


@given(st.integers(0, 3 * CHUNK + 1), st.integers(0, 4 * CHUNK))
@settings(max_examples=40, deadline=None)
def test_the_recorded_blocks_come_in_order_after_the_one_at_hand(count: int, known: int) -> None:
    chain = straight(max(count, known))
    recorded = Recorded((), {}, (), count, lambda: iter(chain[:count]), "made up")
    feed = TapeFeed(recorded, after=chain[known - 1][0].header if known else None)
    assert asyncio.run(delivered(feed)) == [block for block, _ in chain[known:count]]
    if max(count, known):
        assert feed.newest == chain[max(count, known) - 1][0].header


@pytest.mark.data
async def test_a_recorded_day_comes_as_it_was(data_root: Path) -> None:
    day = load_day(data_root)
    async with TapeFeed(day) as feed:
        assert await delivered(feed) == [block for block, _ in day.blocks()]


async def test_the_newest_block_is_the_one_delivered_and_a_second_call_goes_on(tmp_path: Path) -> None:
    feed = TapeFeed(record_tape(tmp_path / "tape", straight(5)))
    assert feed.newest is None
    async for block in feed.blocks():
        assert feed.newest == block.header
        if block.number == 3:
            break
    assert [block.number for block in await delivered(feed)] == [4, 5]
    assert await delivered(feed) == []


async def test_a_recording_of_another_chain_is_no_continuation() -> None:
    chain = straight(3)
    elsewhere = replace(chain[0][0].header, hash=b"\x09" * 32)
    feed = TapeFeed(Recorded((), {}, (), 3, lambda: iter(chain), "made up"), after=elsewhere)
    with pytest.raises(FeedError, match=r"no child of block 1 .* its next block is 2"):
        await delivered(feed)


async def test_a_tape_that_is_recorded_again_is_the_same_to_the_byte(tmp_path: Path) -> None:
    original = record_tape(tmp_path / "tape", [(block, NO_CONTEXT) for block, _ in straight(700)])
    async with TapeFeed(original) as feed:
        with TapeWriter(
            tmp_path / "again", specs=(V2, V3, WEIGHTED), tokens=TOKENS, pools=POOLS, source="a test"
        ) as writer:
            async for block in feed.blocks():
                writer.append(block)
    assert files(tmp_path / "again") == files(tmp_path / "tape")
    assert len(files(tmp_path / "tape")) > 3


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class NobodyAsked:
    """A node that must not be needed."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the node was asked: {name}")


async def test_an_interrupted_recording_is_gone_on_with_from_a_tape(tmp_path: Path) -> None:
    chain = [(block, NO_CONTEXT) for block, _ in straight(150)]
    original = record_tape(tmp_path / "tape", chain)
    started = TapeWriter(
        tmp_path / "again", specs=original.specs, tokens=TOKENS, pools=POOLS, source="a test"
    )
    for block, _ in chain[:70]:
        started.append(block)
    started.suspend()
    pools = PoolList(original.specs, TOKENS)
    plan = RecordingPlan(tmp_path / "again", pools, "a test", confirmations=0)
    result = await record(
        plan, NobodyAsked(), lambda base, _addresses: TapeFeed(original, after=base), stopped=asyncio.Event()
    )
    assert (result.blocks, result.resumed, result.reorgs) == (150, 70, 0)
    again = TapeReader(tmp_path / "again").recorded()
    assert list(again.blocks()) == chain
    assert (again.specs, again.pools) == (original.specs, original.pools)


async def test_closing_ends_the_delivery_and_the_reading() -> None:
    watched = WatchedRecording(1_000)
    numbers = []
    async with TapeFeed(watched.recorded()) as feed:
        blocks = feed.blocks()
        numbers = [(await anext(blocks)).number for _ in range(CHUNK + 6)]
    assert [block async for block in blocks] == []
    assert numbers == list(range(1, CHUNK + 7))
    assert watched.read == 2 * CHUNK


async def test_files_are_read_beside_the_event_loop_and_a_reader_can_be_cancelled() -> None:
    watched = WatchedRecording(200)
    feed = TapeFeed(watched.recorded())
    watched.may_read.clear()
    reading = asyncio.create_task(delivered(feed))
    await asyncio.sleep(0.02)  # the loop runs although no block can be read
    assert watched.read == 0
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    watched.may_read.set()
    assert len(await delivered(feed)) == 200
    assert threading.get_ident() not in watched.threads


@pytest.mark.parametrize(
    ("part", "row", "column", "value", "sound"),
    [(BLOCKS, 79, "gas_used", -5, 79), (LOGS, 2 * 79 + 1, "address", "0x1", 79)],
)
async def test_a_corrupt_row_is_named_after_the_blocks_before_it(
    tmp_path: Path, part: str, row: int, column: str, value: object, sound: int
) -> None:
    record_tape(tmp_path / "tape", straight(100))
    damaged = rewrite(tmp_path / "tape", part, lambda rows: rows[row].update({column: value}))
    numbers = []

    async def follow() -> None:
        async for block in TapeFeed(damaged).blocks():
            numbers.append(block.number)

    with pytest.raises(TapeError) as refused:
        await follow()
    assert refused.value.fields["file"] == str(tmp_path / "tape" / part)
    assert (refused.value.fields["row"], refused.value.fields["block"]) == (row, sound + 1)
    assert numbers == list(range(1, sound + 1))
