"""Hold the newest blocks back until they are so deep that no reorganisation replaces them."""

from __future__ import annotations

from collections import deque

from chain.blocks import Block, BlockHeader
from core.errors import FeedError

MOST = 64
"""Deepest reorganisation that a feed follows, in blocks."""
LEAST = 2
_SECONDS = 60.0


def usual_confirmations(block_time_seconds: float) -> int:
    """Return the blocks of one minute, within what is sensible for a chain.

    Examples
    --------
    >>> usual_confirmations(12), usual_confirmations(2), usual_confirmations(0.25)
    (5, 30, 64)
    """
    return min(max(round(_SECONDS / block_time_seconds), LEAST), MOST)


class ConfirmedBlocks:
    """Takes blocks as a feed delivers them, and gives those that are deep enough, in order, once.

    Parameters
    ----------
    base
        The block before the first one.
    confirmations
        Blocks that must stand on a block before it is given.

    Examples
    --------
    >>> def block(number: int, name: bytes, parent: bytes) -> Block:
    ...     return Block(BlockHeader(number, name, parent, 0, 0, 0, 1), (), 0)
    >>> held = ConfirmedBlocks(block(0, b"0", b"").header, 1)
    >>> [len(held.take(block(1, b"1", b"0"))), len(held.take(block(1, b"1'", b"0")))]
    [0, 0]
    >>> [given.header.hash for given in held.take(block(2, b"2", b"1'"))]
    [b"1'"]
    """

    def __init__(self, base: BlockHeader, confirmations: int) -> None:
        self._base = base
        self._confirmations = confirmations
        self._pending: deque[Block] = deque()
        self.replaced = 0
        """Times a block that was held back was replaced."""

    @property
    def pending(self) -> tuple[Block, ...]:
        """Blocks that are held back, oldest first."""
        return tuple(self._pending)

    def take(self, block: Block) -> list[Block]:
        """Add the next block of the feed and return what it confirms.

        Raises
        ------
        FeedError
            If a block that was given already is no longer on the chain.
        """
        before = len(self._pending)
        while self._pending and self._pending[-1].header.hash != block.header.parent_hash:
            self._pending.pop()
        self.replaced += len(self._pending) < before
        tip = self._pending[-1].header if self._pending else self._base
        if tip.hash != block.header.parent_hash:
            raise FeedError(
                f"the chain was reorganised below block {self._base.number}, deeper than "
                f"{self._confirmations} confirmations; ask for more of them",
                block=self._base.number,
                confirmations=self._confirmations,
            )
        self._pending.append(block)
        confirmed = []
        while len(self._pending) > self._confirmations:
            confirmed.append(self._pending.popleft())
            self._base = confirmed[-1].header
        return confirmed
