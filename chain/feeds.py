"""Feeds: where blocks come from. One protocol, and the implementation that asks in turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar

from chain.blocks import Address, Block, BlockHeader
from chain.feed_counters import FeedCounters
from chain.follower import ChainFollower, HeadVanished
from chain.providers import Node, unreachable
from core.errors import FeedError, RpcError
from core.reasons import Reason
from core.seams import Clock

_UNUSABLE_ANSWERS = 8
"""Answers in a row that cannot be used, after which a feed gives up."""
_T = TypeVar("_T")


class Feed(Protocol):
    """A source of complete blocks, in order, none lost and none doubled.

    After a reorganisation the blocks of the new branch follow; the first one's ``parent_hash``
    is that of an earlier block.
    """

    @property
    def newest(self) -> BlockHeader | None:
        """Newest header heard of, which may be ahead of the blocks delivered; ``None`` before the first."""
        ...

    def blocks(self) -> AsyncIterator[Block]:
        """Deliver blocks until the feed is closed."""
        ...


class Patience:
    """Pauses that grow while a node fails, up to the moment to give up.

    Parameters
    ----------
    give_up_seconds
        Longest time without a success.
    """

    def __init__(self, give_up_seconds: float) -> None:
        self._limit = give_up_seconds
        self._failing_since: float | None = None
        self._pause = 0.05

    def succeeded(self) -> None:
        """Start afresh."""
        self._failing_since, self._pause = None, 0.05

    async def failed(self, error: Exception) -> None:
        """Wait before the next attempt.

        Raises
        ------
        FeedError
            If nothing succeeded for the time given.
        """
        now = asyncio.get_running_loop().time()
        self._failing_since = self._failing_since if self._failing_since is not None else now
        if now - self._failing_since >= self._limit:
            raise FeedError(
                f"the node has not answered for {self._limit:g} s ({error}); check that it runs",
                seconds=self._limit,
            ) from error
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, 2.0)


async def patiently(ask: Callable[[], Awaitable[_T]], give_up_seconds: float = 300.0) -> _T:
    """Return what ``ask`` gives, asking again while the node is away.

    Parameters
    ----------
    ask
        A question that may be asked twice.
    give_up_seconds
        Longest absence.

    Raises
    ------
    FeedError
        If the node stays away.
    RpcError
        If the node answers with an error.
    """
    patience = Patience(give_up_seconds)
    while True:
        try:
            return await ask()
        except RpcError as error:
            if not unreachable(error):
                raise
            await patience.failed(error)


class FollowingFeed:
    """What feeds around a :class:`~chain.follower.ChainFollower` tell about themselves."""

    def __init__(self, follower: ChainFollower) -> None:
        self._follower = follower
        self._newest: BlockHeader | None = None

    @property
    def newest(self) -> BlockHeader | None:
        """Newest header heard of; the blocks delivered may be behind it."""
        return self._newest

    @property
    def counters(self) -> FeedCounters:
        """What had to be repaired so far."""
        return self._follower.counters


class PollingFeed(FollowingFeed):
    """Asks the node for its newest block again and again: for nodes without subscriptions.

    Parameters
    ----------
    provider
        An open provider.
    addresses
        Contracts whose logs are wanted.
    clock
        Stamps blocks with the time they were complete.
    after
        Last block the caller already has; delivery starts with its child. None: with the newest.
    interval_seconds
        Pause between two questions.
    give_up_seconds
        How long the node may be silent before ``FeedError``.
    """

    def __init__(
        self,
        provider: Node,
        addresses: Sequence[Address],
        clock: Clock,
        *,
        after: BlockHeader | None = None,
        interval_seconds: float = 1.0,
        give_up_seconds: float = 300.0,
    ) -> None:
        super().__init__(ChainFollower(provider, addresses, clock, after=after))
        self._interval = interval_seconds
        self._patience = Patience(give_up_seconds)
        self._closed = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()

    async def blocks(self) -> AsyncIterator[Block]:
        """Deliver blocks until the feed is closed.

        Raises
        ------
        FeedError
            If the node stays silent, or the chain was reorganised too deeply.
        """
        while not self._closed.is_set():
            async for block in repaired(self._follower, self._advance, self._patience):
                yield block
            await _first(self._closed.wait(), self._interval)

    async def _advance(self) -> AsyncIterator[Block]:
        head = await self._follower.latest()
        self._newest = head.header
        async for block in self._follower.advance(head):
            yield block


async def repaired(
    follower: ChainFollower, advance: Callable[[], AsyncIterator[Block]], patience: Patience
) -> AsyncIterator[Block]:
    """Run one advance; where the node failed or the head vanished, go on from the newest head.

    Raises
    ------
    FeedError
        If the node stays silent or goes on sending logs that cannot be used, or the chain was
        reorganised too deeply.
    """
    unusable = 0
    while True:
        try:
            async for block in advance():
                unusable = 0
                patience.succeeded()
                yield block
            patience.succeeded()
            return
        except HeadVanished as error:
            follower.counters.vanished += 1
            await patience.failed(error)
        except RpcError as error:
            if reason := error.fields.get("reason"):
                follower.counters.count(Reason(reason))
                unusable += 1
                if unusable >= _UNUSABLE_ANSWERS:
                    raise _useless(error, unusable) from error
            await patience.failed(error)


def _useless(error: RpcError, times: int) -> FeedError:
    return FeedError(
        f"what the node sent could not be used {times} times in a row ({error}); use another node",
        reason=error.fields["reason"],
    )


async def _first(waiting: Awaitable[object], seconds: float) -> None:
    """Wait for something, at most so many seconds."""
    try:
        await asyncio.wait_for(waiting, seconds)
    except TimeoutError:
        return
