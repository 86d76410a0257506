"""A recording as a feed: whatever follows a node can follow a tape."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import dropwhile, islice
from types import TracebackType
from typing import Self

from chain.blocks import Block, BlockHeader
from core.errors import FeedError, OmniArbError
from market.context import BlockContext
from market.recorded import Recorded

_BLOCKS_AT_ONCE = 64
"""Blocks read by one visit to a thread: few enough for the memory, and to stop soon."""

_Unread = Iterator[tuple[Block, BlockContext]]


class TapeFeed:
    """Delivers the blocks of a recording as fast as they are taken, then ends.

    Blocks are those of the recording, with ``known_at_ns`` as recorded; a feed has no place for their
    context. Files are read in a thread. Leaving the context manager ends the delivery.

    Parameters
    ----------
    recorded
        A tape or a recorded day.
    after
        Last block the caller already has; delivery starts with its child. None: with the first block.

    Examples
    --------
    >>> header = BlockHeader(7, b"7", b"6", 0, 0, 0, 1)
    >>> block, context = Block(header, (), 5), BlockContext()
    >>> recorded = Recorded((), {}, (), 1, lambda: iter([(block, context)]), "an example")
    >>> async def numbers() -> list[int]:
    ...     async with TapeFeed(recorded) as feed:
    ...         return [block.number async for block in feed.blocks()]
    >>> asyncio.run(numbers())
    [7]
    """

    def __init__(self, recorded: Recorded, *, after: BlockHeader | None = None) -> None:
        self._recorded = recorded
        self._newest = after
        self._closed = False

    @property
    def newest(self) -> BlockHeader | None:
        """Header of the block delivered last: at that time there was no newer one."""
        return self._newest

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True

    async def blocks(self) -> AsyncIterator[Block]:
        """Deliver blocks until the recording ends or the feed is closed; a second call goes on.

        Raises
        ------
        TapeError
            If a row cannot be used; the blocks before it have been delivered.
        FeedError
            If the recording does not go on from the block that the caller has.
        """
        unread = await asyncio.to_thread(_begin, self._recorded, self._newest)
        joined = self._newest is None
        while not self._closed:
            blocks, error = await asyncio.to_thread(_read, unread)
            for block in blocks:
                if self._closed:
                    return
                if not joined:
                    self._join(block)
                    joined = True
                self._newest = block.header
                yield block
            if error is not None:
                raise error
            if len(blocks) < _BLOCKS_AT_ONCE:
                return

    def _join(self, first: Block) -> None:
        """Check that a block is the child of the one that the caller has."""
        assert self._newest is not None, "there is a block to go on from"
        if first.header.parent_hash != self._newest.hash:
            raise FeedError(
                f"{self._recorded.source} has no child of block {self._newest.number} "
                f"(0x{self._newest.hash.hex()}); its next block is {first.number}: use the recording of that "
                "chain, or begin at its first block",
                block=self._newest.number,
            )


def _begin(recorded: Recorded, after: BlockHeader | None) -> _Unread:
    if after is None:
        return recorded.blocks()
    return dropwhile(lambda each: each[0].number <= after.number, recorded.blocks())


def _read(unread: _Unread) -> tuple[list[Block], OmniArbError | None]:
    """Return the next blocks, and what is wrong with the one after them."""
    blocks: list[Block] = []
    try:
        for block, _ in islice(unread, _BLOCKS_AT_ONCE):
            blocks.append(block)
    except OmniArbError as error:
        return blocks, error
    return blocks, None
