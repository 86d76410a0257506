"""Record what a feed delivers to a tape: one branch, deep enough to stay, whole however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from chain.blocks import Address, Block, BlockHeader
from chain.feeds import Feed
from core.errors import FeedError, InputError, OmniArbError, RpcError, TapeError
from market.advance import listens_to
from market.pools.pool import Pool
from market.recorded import Recorded
from market.tape import TapeReader, TapeWriter
from market.tape_manifest import MANIFEST, partial_of
from pipeline.bootstrap import ReadableNode, load_market
from pipeline.confirmations import ConfirmedBlocks
from pipeline.pool_list import PoolList
from pipeline.stopping import StoppedEarly, unless_stopped, until_stopped

OpenFeed = Callable[[BlockHeader, Sequence[Address]], AbstractAsyncContextManager[Feed]]
"""Opens a feed that begins with the child of the header it is given, with the logs of these contracts."""
OnBlock = Callable[[int, Block], None]
"""Told of every block that is written, and how many the tape has."""


class Node(ReadableNode, Protocol):
    """What recording asks of a node; :class:`chain.providers.Provider` has it."""

    async def batch(self, requests: list[tuple[str, list[Any]]]) -> list[Any]:
        """Return the results of several requests, in order."""
        ...


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """What to record.

    Parameters
    ----------
    folder
        The tape; an interrupted recording of it is gone on with.
    pools
        What is followed.
    source
        Where the blocks come from, for people.
    confirmations
        Blocks that must stand on a block before it is written.
    blocks
        How many the tape shall have in all; ``None``: no limit.
    until
        Unix seconds; the first block of this time or later ends the tape and is not in it.
    multicall
        Contract through which the pools are read.
    """

    folder: Path
    pools: PoolList
    source: str
    confirmations: int
    blocks: int | None = None
    until: int | None = None
    multicall: Address | None = None

    def wants(self, written: int, block: Block) -> bool:
        """Tell whether a block still belongs to the tape."""
        if self.blocks is not None and written >= self.blocks:
            return False
        return self.until is None or block.header.timestamp < self.until


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """What a recording gave.

    Parameters
    ----------
    folder
        The tape.
    blocks
        Blocks of it, of which ``resumed`` were there before.
    days
        UTC dates that it has blocks of.
    first_block, last_block
        Heights.
    reorgs
        Times the chain was reorganised above what was written.
    unconfirmed
        Blocks at the end that had fewer confirmations than asked for, since the recording was stopped.
    """

    folder: Path
    blocks: int
    resumed: int
    days: tuple[str, ...]
    first_block: int
    last_block: int
    reorgs: int
    unconfirmed: int


async def record(
    plan: RecordingPlan,
    node: Node,
    open_feed: OpenFeed,
    stopped: asyncio.Event,
    on_block: OnBlock = lambda _count, _block: None,
) -> RecordingResult:
    """Record until the plan is fulfilled or somebody asks to stop; the tape is whole either way.

    Parameters
    ----------
    plan
        What to record.
    node
        Gives the pools before the first block, and says at the end what is still on the chain.
    open_feed
        Gives the blocks.
    stopped
        Set to end the tape where it is.
    on_block
        Told of every block that is written.

    Raises
    ------
    TapeError
        If the folder exists, the interrupted recording is damaged, or a block is none.
    InputError
        If an interrupted recording follows other pools.
    FeedError, RpcError
        If the node stays away, or the chain was reorganised below what was written.
    OSError
        If the system refuses, as on a full disk.
    StoppedEarly
        If somebody asks to stop before the first block can come.

    Whatever it is, what was written is kept: the same call goes on from there.
    """
    while True:
        begun = await unless_stopped(stopped, _begin(plan, node))
        if begun is None:
            raise StoppedEarly("stopped while the pools were being read; nothing was recorded")
        writer, base, addresses = begun
        resumed = writer.blocks
        held = ConfirmedBlocks(base, plan.confirmations)
        try:
            await _follow(plan, writer, held, open_feed(base, addresses), stopped, on_block)
            unconfirmed = await _flush(plan, writer, held, node, on_block) if stopped.is_set() else 0
            break
        except (FeedError, RpcError) as error:
            _keep(writer)
            if writer.blocks or not await _replaced(node, base):
                raise _with_advice(plan, writer, error) from error
            # the block that the pools were read at is gone: read them again
        except (OSError, TapeError) as error:
            _keep(writer)
            raise _with_advice(plan, writer, error) from error
        except BaseException:
            _keep(writer)
            raise
    if not writer.blocks:
        writer.abort()
        raise FeedError("no block came before the recording was stopped; there is no tape")
    try:
        await asyncio.to_thread(writer.close)
    except OSError as error:
        raise _with_advice(plan, writer, error) from error
    first = writer.parts[0].first_block
    return RecordingResult(
        folder=plan.folder,
        blocks=writer.blocks,
        resumed=resumed,
        days=tuple(dict.fromkeys(part.day for part in writer.parts)),
        first_block=first,
        last_block=first + writer.blocks - 1,
        reorgs=held.replaced,
        unconfirmed=unconfirmed,
    )


async def _begin(plan: RecordingPlan, node: Node) -> tuple[TapeWriter, BlockHeader, list[Address]]:
    """Return the tape to write to, the block before its next one, and the contracts to listen to."""
    if plan.folder.exists():
        raise TapeError(f"{plan.folder} exists; choose another folder", file=str(plan.folder))
    partial = partial_of(plan.folder)
    kept = await asyncio.to_thread(_interrupted, partial)
    if kept is not None:
        if kept.specs != plan.pools.specs:
            raise InputError(
                f"{partial} is an interrupted recording of other pools; name the same pools to go on with "
                "it, or remove it"
            )
        writer = await asyncio.to_thread(TapeWriter.resume, plan.folder)
        assert writer.last is not None, "it has blocks"
        return writer, writer.last, _speakers(kept.pools)
    state = await load_market(node, plan.pools.specs, plan.pools.tokens, multicall=plan.multicall)
    assert state.head is not None, "it was read at a block"
    writer = TapeWriter(
        plan.folder,
        specs=plan.pools.specs,
        tokens=plan.pools.tokens,
        pools=state.pools.values(),
        source=plan.source,
    )
    return writer, state.head, _speakers(state.pools.values())


def _speakers(pools: Iterable[Pool]) -> list[Address]:
    return sorted({address for pool in pools for address in listens_to(pool.spec)})


def _interrupted(partial: Path) -> Recorded | None:
    """Return what an earlier recorder left, if there is a block in it."""
    if not (partial / MANIFEST).exists():
        return None
    recorded = TapeReader(partial).recorded()
    return recorded if recorded.block_count else None


async def _follow(
    plan: RecordingPlan,
    writer: TapeWriter,
    held: ConfirmedBlocks,
    opening: AbstractAsyncContextManager[Feed],
    stopped: asyncio.Event,
    on_block: OnBlock,
) -> None:
    """Write confirmed blocks until the plan is fulfilled or somebody asks to stop."""
    if writer.blocks and writer.blocks == plan.blocks:
        return
    async with opening as feed, aclosing(until_stopped(stopped, feed.blocks())) as blocks:
        async for block in blocks:
            for confirmed in held.take(block):
                if not plan.wants(writer.blocks, confirmed):
                    return
                await _write(writer, confirmed, on_block)
            if writer.blocks == plan.blocks:
                return


async def _write(writer: TapeWriter, block: Block, on_block: OnBlock) -> None:
    await asyncio.to_thread(writer.append, block)
    on_block(writer.blocks, block)


async def _flush(
    plan: RecordingPlan, writer: TapeWriter, held: ConfirmedBlocks, node: Node, on_block: OnBlock
) -> int:
    """Write the blocks that were held back and are still on the chain; return how many."""
    pending = held.pending
    requests = [("eth_getBlockByNumber", [hex(block.number), False]) for block in pending]
    try:
        answers = await node.batch(requests)
    except RpcError:
        return 0  # the tape ends with what is confirmed
    written = 0
    for block, answer in zip(pending, answers, strict=True):
        if not (_is_of(answer, block.header) and plan.wants(writer.blocks, block)):
            break
        await _write(writer, block, on_block)
        written += 1
    return written


async def _replaced(node: Node, header: BlockHeader) -> bool:
    """Tell whether the chain has another block at this height, as far as the node answers."""
    try:
        return not _is_of(await node.call("eth_getBlockByNumber", [hex(header.number), False]), header)
    except RpcError:
        return False


def _is_of(answer: Any, header: BlockHeader) -> bool:
    return isinstance(answer, dict) and answer.get("hash") == "0x" + header.hash.hex()


def _keep(writer: TapeWriter) -> None:
    """Leave what was recorded for the next attempt; nothing, if nothing was."""
    if writer.blocks:
        with suppress(OSError):  # on a full disk, the parts that are there are what is kept
            writer.suspend()
    else:
        writer.abort()


def _with_advice(
    plan: RecordingPlan, writer: TapeWriter, error: OmniArbError | OSError
) -> OmniArbError | OSError:
    blocks = sum(part.blocks for part in writer.parts)
    if not blocks:
        return error
    kept = f"{blocks} blocks are kept in {partial_of(plan.folder)}: the same command goes on"
    if isinstance(error, OSError):
        return OSError(error.errno, f"{error.strerror or error}; {kept}", error.filename)
    return type(error)(f"{error.message}; {kept}", **error.fields)
