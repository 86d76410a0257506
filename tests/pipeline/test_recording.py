"""Recording a real node: one branch, complete, and nothing lost by stops, crashes and reorganisations."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.blocks import Block, BlockHeader
from chain.devnet.flow import swap_v2, swap_v3
from chain.feeds import PollingFeed
from chain.providers import Provider
from chain.websocket_feed import WebSocketFeed
from core.errors import FeedError, InputError, RpcError, TapeError
from core.seams import ManualClock
from market import tape_writer
from market.tape import TapeReader, TapeWriter
from market.tape_manifest import Part
from market.tape_parts import write_part
from pipeline.bootstrap import load_market
from pipeline.confirmations import ConfirmedBlocks
from pipeline.pool_list import PoolList
from pipeline.recording import RecordingPlan, RecordingResult, record
from pipeline.stopping import StoppedEarly
from tests.devnet_fixtures import Devnet
from tests.pyrevm_node import specs_of, tokens_of
from tests.small_tapes import POOLS, TOKENS, V2, V3, WEIGHTED, straight


@dataclass
class Recorder:
    """A recording of the local chain, and the means to make something happen on it."""

    devnet: Devnet
    provider: Provider
    plan: RecordingPlan
    websocket: bool = False
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    written: list[Block] = field(default_factory=list)
    swaps: int = 0

    def open_feed(self, after: BlockHeader, addresses: Sequence[str]) -> WebSocketFeed | PollingFeed:
        clock = ManualClock()
        if self.websocket:
            return WebSocketFeed(self.devnet.anvil.ws_url, self.provider, addresses, clock, after=after)
        return PollingFeed(self.provider, addresses, clock, after=after, interval_seconds=0.01)

    async def run(self) -> RecordingResult:
        def on_block(_count: int, block: Block) -> None:
            self.written.append(block)

        async with asyncio.timeout(30):
            return await record(self.plan, self.provider, self.open_feed, self.stopped, on_block)  # type: ignore[arg-type]

    async def started(self) -> asyncio.Task[RecordingResult]:
        """Begin, and return when the pools have been read."""
        task = asyncio.create_task(self.run())
        partial = self.plan.folder.with_name(self.plan.folder.name + ".partial")
        await eventually(lambda: (partial / "manifest.json").exists() or task.done())
        return task

    def swap(self) -> None:
        """Mine a block with a swap on one of two pools."""
        world = self.devnet.world
        pair, pool = world.pool("uniswap_v2", "WETH", "USDC"), world.pool("uniswap_v3", "WETH", "USDC", 500)
        self.swaps += 1
        amount = 10**9 + self.swaps
        call = (
            swap_v2(world.flow_trader, pair.address, True, amount)
            if self.swaps % 2
            else swap_v3(world.flow_trader, pool.address, True, amount)
        )
        assert self.devnet.backend.send(world.accounts["trader-0"].address, call.to, call.data).ok

    async def hashes(self, first: int, last: int) -> list[bytes]:
        requests = [("eth_getBlockByNumber", [hex(number), False]) for number in range(first, last + 1)]
        return [bytes.fromhex(block["hash"][2:]) for block in await self.provider.batch(requests)]


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (a file or a list cannot say that it has changed)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def recorder_of(devnet: Devnet, folder: Path, **options: Any) -> AsyncIterator[Recorder]:
    pools = PoolList(specs_of(devnet.world), tokens_of(devnet.world))
    plan = RecordingPlan(folder, pools, "a test", **{"confirmations": 2, **options})
    async with Provider(devnet.anvil.http_url) as provider:
        yield Recorder(devnet, provider, plan)


@pytest.mark.parametrize("websocket", [True, False])
async def test_a_tape_of_a_node_replays_to_the_nodes_own_state(
    devnet: Devnet, tmp_path: Path, websocket: bool
) -> None:
    async with recorder_of(devnet, tmp_path / "tape", blocks=6) as recorder:
        recorder.websocket = websocket
        recording = await recorder.started()
        for _ in range(8):
            recorder.swap()
        result = await recording
        recorded = TapeReader(tmp_path / "tape").recorded()
        blocks = [block for block, _ in recorded.blocks()]
        assert blocks == recorder.written
        assert [len(block.logs) for block in blocks] == [2, 1] * 3
        assert [block.header.hash for block in blocks] == await recorder.hashes(
            result.first_block, result.last_block
        )
        state = recorded.initial_state()
        for block in blocks:
            state.apply(block)
        there = await load_market(recorder.provider, recorded.specs, recorded.tokens, result.last_block)
    assert dict(state.pools) == dict(there.pools)
    assert (result.blocks, result.resumed, result.reorgs, result.unconfirmed) == (6, 0, 0, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["tape"]


async def test_a_stop_writes_what_is_still_on_the_chain(devnet: Devnet, tmp_path: Path) -> None:
    async with recorder_of(devnet, tmp_path / "tape") as recorder:
        recording = await recorder.started()
        for _ in range(5):
            recorder.swap()
        await eventually(lambda: len(recorder.written) == 3)
        recorder.stopped.set()
        result = await recording
    assert (result.blocks, result.unconfirmed) == (5, 2)
    blocks = [block for block, _ in TapeReader(tmp_path / "tape").recorded().blocks()]
    assert blocks == recorder.written


async def test_a_branch_that_was_left_is_not_on_the_tape(devnet: Devnet, tmp_path: Path) -> None:
    async with recorder_of(devnet, tmp_path / "tape", confirmations=3, blocks=4) as recorder:
        recording = await recorder.started()
        for _ in range(2):
            recorder.swap()
        mark = devnet.backend.snapshot()
        recorder.swap()
        recorder.swap()
        await eventually(lambda: len(recorder.written) == 1)
        orphan = devnet.backend.head()
        devnet.backend.revert(mark)
        for _ in range(5):
            recorder.swap()
        result = await recording
        assert result.reorgs == 1
        hashes = await recorder.hashes(result.first_block, result.last_block)
    blocks = [block for block, _ in TapeReader(tmp_path / "tape").recorded().blocks()]
    assert [block.header.hash for block in blocks] == hashes
    assert orphan.number == result.last_block
    assert orphan.hash not in hashes


async def test_pools_that_were_read_on_a_lost_branch_are_read_again(devnet: Devnet, tmp_path: Path) -> None:
    async with recorder_of(devnet, tmp_path / "tape", blocks=2) as recorder:
        mark = devnet.backend.snapshot()
        recorder.swap()
        recorder.swap()
        lost = devnet.backend.head()
        recording = await recorder.started()
        devnet.backend.revert(mark)
        recorder.swap()
        recorder.swap()
        assert devnet.backend.head().number == lost.number
        manifest = tmp_path / "tape.partial" / "manifest.json"
        before = manifest.read_text()
        recorder.swap()
        await eventually(lambda: manifest.exists() and manifest.read_text() != before)
        for _ in range(4):
            recorder.swap()
        result = await recording
        recorded = TapeReader(tmp_path / "tape").recorded()
        there = await load_market(recorder.provider, recorded.specs, recorded.tokens, result.first_block - 1)
        assert list(recorded.pools) == list(there.pools.values())


async def test_a_reorganisation_below_what_was_written_keeps_it_and_says_so(
    devnet: Devnet, tmp_path: Path
) -> None:
    async with recorder_of(devnet, tmp_path / "tape", confirmations=0) as recorder:
        recording = await recorder.started()
        recorder.swap()
        mark = devnet.backend.snapshot()
        recorder.swap()
        await eventually(lambda: len(recorder.written) == 2)
        devnet.backend.revert(mark)
        for _ in range(3):
            recorder.swap()
        with pytest.raises(FeedError, match=r"deeper than 0 confirmations.*2 blocks are kept in"):
            await recording
        kept = TapeReader(tmp_path / "tape.partial").recorded()
        assert [block for block, _ in kept.blocks()] == recorder.written
        with pytest.raises(FeedError, match="2 blocks are kept"):
            await recorder.run()


async def test_an_interrupted_recording_goes_on_where_it_was(devnet: Devnet, tmp_path: Path) -> None:
    async with recorder_of(devnet, tmp_path / "tape", confirmations=1, blocks=7) as recorder:
        recording = await recorder.started()
        for _ in range(4):
            recorder.swap()
        await eventually(lambda: len(recorder.written) == 3)
        recording.cancel()
        with pytest.raises(asyncio.CancelledError):
            await recording
        for _ in range(4):
            recorder.swap()
        other = replace(recorder.plan.pools, specs=recorder.plan.pools.specs[:1])
        with pytest.raises(InputError, match="interrupted recording of other pools"):
            await replace(recorder, plan=replace(recorder.plan, pools=other)).run()
        result = await recorder.run()
        assert (result.resumed, result.blocks) == (3, 7)
        with pytest.raises(TapeError, match="exists"):
            await recorder.run()
    blocks = [block for block, _ in TapeReader(tmp_path / "tape").recorded().blocks()]
    assert blocks == recorder.written
    assert len(blocks) == 7


async def test_a_recording_ends_before_a_moment(devnet: Devnet, tmp_path: Path) -> None:
    end = devnet.backend.head().timestamp + 12 * 3
    async with recorder_of(devnet, tmp_path / "tape", confirmations=1, until=end) as recorder:
        recording = await recorder.started()
        for _ in range(5):
            recorder.swap()
        result = await recording
    assert result.blocks == 2
    assert max(block.header.timestamp for block in recorder.written) == end - 12


async def test_a_recording_without_a_block_leaves_nothing(devnet: Devnet, tmp_path: Path) -> None:
    async with recorder_of(devnet, tmp_path / "tape") as recorder:
        recording = await recorder.started()
        recorder.stopped.set()
        with pytest.raises(FeedError, match="no block came"):
            await recording
    assert list(tmp_path.iterdir()) == []


class TapeFeed:
    """A tape as a feed; the boundary that stands in for a node has nothing to say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.newest: BlockHeader | None = None

    async def blocks(self) -> AsyncIterator[Block]:
        for block, _ in TapeReader(self.folder).recorded().blocks():
            yield block

    async def call(self, method: str, params: list[Any]) -> Any:
        raise RpcError("nobody is here", method=method, code=None)

    async def batch(self, requests: list[Any]) -> list[Any]:
        raise RpcError("nobody is here", method="batch", code=None)


async def test_any_feed_can_be_recorded_and_a_tape_of_a_tape_is_the_same(tmp_path: Path) -> None:
    chain = straight(30, seconds=9_000)
    terms: dict[str, Any] = {
        "specs": (V2, V3, WEIGHTED),
        "tokens": TOKENS,
        "pools": POOLS,
        "source": "a test",
    }
    with TapeWriter(tmp_path / "first", **terms) as first:
        for block, _ in chain:
            first.append(block)
    second = TapeWriter(tmp_path / "second", **terms)
    second.append(chain[0][0])
    second.suspend()
    feed = TapeFeed(tmp_path / "first")

    async def rest() -> AsyncIterator[Block]:
        for block, _ in chain[1:]:
            yield block

    feed.blocks = rest  # type: ignore[method-assign]
    plan = RecordingPlan(tmp_path / "second", PoolList((V2, V3, WEIGHTED), TOKENS), "a test", 0)
    result = await record(plan, feed, lambda _after, _addresses: nullcontext(feed), asyncio.Event())
    assert result.days == TapeReader(tmp_path / "first").days
    assert list(TapeReader(tmp_path / "second").recorded().blocks()) == list(
        TapeReader(tmp_path / "first").recorded().blocks()
    )


def block_at(number: int, name: int, parent: bytes) -> Block:
    return Block(BlockHeader(number, name.to_bytes(4, "big"), parent, number, 0, 0, 1), (), 0)


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(0, 4))
def test_what_is_given_as_confirmed_is_never_replaced(depths: list[int], confirmations: int) -> None:
    base = block_at(0, 0, b"")
    held, given_out, chain = ConfirmedBlocks(base.header, confirmations), [], [base]
    for name, depth in enumerate(depths, 1):
        del chain[max(len(chain) - depth, 1) :]
        chain.append(block_at(len(chain), name, chain[-1].header.hash))
        too_deep = len(given_out) >= len(chain) - 1 and given_out[len(chain) - 2 :] != []
        try:
            given_out += held.take(chain[-1])
        except FeedError:
            assert too_deep
            return
        assert not too_deep
        assert given_out == chain[1 : max(len(given_out), len(chain) - 1 - confirmations) + 1]
        assert [*given_out, *held.pending] == chain[1:]


class Silent(TapeFeed):
    """A node that never answers."""

    async def call(self, method: str, params: list[Any]) -> Any:
        await asyncio.Event().wait()


async def test_a_stop_while_the_pools_are_read_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    stopped = asyncio.Event()
    node = Silent(tmp_path)
    plan = RecordingPlan(tmp_path / "tape", PoolList((V2,), TOKENS), "a test", 0)
    recording = asyncio.create_task(record(plan, node, lambda _after, _addresses: nullcontext(node), stopped))
    await asyncio.sleep(0)
    stopped.set()
    async with asyncio.timeout(5):
        with pytest.raises(StoppedEarly, match="nothing was recorded"):
            await recording
    assert list(tmp_path.iterdir()) == []


def begun(folder: Path) -> list[Block]:
    """Leave an interrupted recording of one block, and return a chain that goes on from it."""
    chain = [block for block, _ in straight(4, seconds=4_000)]
    writer = TapeWriter(folder, specs=(V2,), tokens=TOKENS, pools=POOLS[:1], source="a test")
    writer.append(chain[0])
    writer.suspend()
    return chain


async def recorded_until_it_fails(folder: Path, rest: list[Block]) -> None:
    feed = TapeFeed(folder)

    async def blocks() -> AsyncIterator[Block]:
        for block in rest:
            yield block

    feed.blocks = blocks  # type: ignore[method-assign]
    plan = RecordingPlan(folder, PoolList((V2,), TOKENS), "a test", 0)
    await record(plan, feed, lambda _after, _addresses: nullcontext(feed), asyncio.Event())


async def test_a_full_disk_is_told_with_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = begun(tmp_path / "tape")
    kept: list[Part] = []

    def full(*arguments: Any) -> Part:
        if kept:
            raise OSError(errno.ENOSPC, "No space left on device")
        kept.append(write_part(*arguments))
        return kept[0]

    monkeypatch.setattr(tape_writer, "write_part", full)
    with pytest.raises(OSError, match=r"No space left on device; 2 blocks are kept in .*tape\.partial"):
        await recorded_until_it_fails(tmp_path / "tape", chain[1:])
    monkeypatch.undo()
    await recorded_until_it_fails(tmp_path / "tape", chain[2:])
    assert [block for block, _ in TapeReader(tmp_path / "tape").recorded().blocks()] == chain


async def test_a_block_that_is_none_ends_it_and_what_was_written_is_kept(tmp_path: Path) -> None:
    chain = begun(tmp_path / "tape")
    bad = replace(chain[2], header=replace(chain[2].header, gas_used=2**64 - 1))
    with pytest.raises(TapeError, match=r"block 3 could not be read back .*; 2 blocks are kept in"):
        await recorded_until_it_fails(tmp_path / "tape", [chain[1], bad])
    kept = TapeReader(tmp_path / "tape.partial").recorded()
    assert [block for block, _ in kept.blocks()] == chain[:2]
