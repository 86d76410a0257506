"""The public mempool: pending transactions heard over a WebSocket, completed and retired over HTTP.

One task listens, another asks the node: for the bodies of transactions that were announced by hash
only, and for the blocks that take transactions away.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidURI, WebSocketException

from chain.capabilities import Capability, require
from chain.feeds import Patience
from chain.networks import Network
from chain.pending_transactions import (
    Dropped,
    MempoolCounters,
    News,
    PendingSet,
    PendingTransaction,
    slots_of_block,
    transaction_from_json,
)
from chain.providers import Provider, Request
from chain.websocket_address import require_websocket
from chain.wire import head_from_json
from core.errors import FeedError, RpcError
from core.redaction import redact_text
from core.seams import Clock

_HASHES_PER_BATCH = 100
_BLOCKS_AT_ONCE = 16
_MESSAGE_LIMIT = 16 * 2**20
_OPEN_SECONDS = 10.0


class Mempool:
    """Follows a node's ``newPendingTransactions`` and forgets what is not pending any more.

    Use it in ``async with``. One consumer at a time.

    Parameters
    ----------
    ws_url
        ``ws://`` or ``wss://`` address of the node.
    provider
        An open provider of the same node.
    network
        The chain; it must have a public mempool.
    clock
        Stamps transactions with the time we had all of them.
    capacity
        Most transactions kept.
    longest_seconds
        Longest a transaction is kept.
    silence_seconds
        Time without any announcement, blocks included, after which the connection is made anew.
    give_up_seconds
        How long the node may be away before ``FeedError``.

    Raises
    ------
    ConfigError
        If transactions of this chain cannot be seen before they are ordered.
    """

    def __init__(
        self,
        ws_url: str,
        provider: Provider,
        network: Network,
        clock: Clock,
        *,
        capacity: int = 8_192,
        longest_seconds: float = 300.0,
        silence_seconds: float = 60.0,
        give_up_seconds: float = 300.0,
    ) -> None:
        require(network, [Capability.PUBLIC_MEMPOOL])
        self._url, self._provider, self._clock = ws_url, provider, clock
        self._silence, self._give_up = silence_seconds, give_up_seconds
        self._waiting = PendingSet(capacity, longest_seconds)
        self._hashes: deque[str] = deque(maxlen=capacity)
        self._height: int | None = None  # newest block heard of
        self._looked_at: int | None = None  # newest block whose transactions were taken away
        self._to_ask, self._told = asyncio.Event(), asyncio.Event()
        self._news: OrderedDict[bytes, News] = OrderedDict()
        self._tasks: list[asyncio.Task[None]] = []
        self.counters = MempoolCounters(dropped=self._waiting.dropped)
        self.connected = False
        """Whether the node announces transactions to us at present."""
        self.last_heard_ns = 0
        """Wall-clock nanoseconds of the last transaction taken; 0 before the first."""

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(work()) for work in (self._keep_connected, self._keep_asking)]
        for task in self._tasks:
            task.add_done_callback(lambda _: self._told.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def pending(self) -> tuple[PendingTransaction, ...]:
        """What waits now, the longest waiting first."""
        return tuple(self._waiting)

    async def news(self) -> AsyncIterator[News]:
        """Deliver each transaction once when it is complete, and once more when it waits no longer.

        What came and went before the consumer asked is not told at all, so a slow consumer never
        has more to read than twice ``capacity``.

        Raises
        ------
        FeedError
            If the mempool is not open, or the node stays away or announces no transactions.
        """
        self._check_open()
        while self._tasks:
            if self._news:
                yield self._news.popitem(last=False)[1]
            else:
                await self._change()

    async def listening(self) -> None:
        """Wait until the node announces transactions to us; what it heard before is not told.

        Raises
        ------
        FeedError
            If the mempool is not open, or the node stays away or announces no transactions.
        """
        self._check_open()
        while not self.connected:
            await self._change()

    def _check_open(self) -> None:
        if not self._tasks:
            raise FeedError("the mempool is not open; use it in `async with`")

    async def _change(self) -> None:
        """Wait for something to tell, or for a task that cannot go on."""
        self._told.clear()
        for task in self._tasks:
            if task.done():
                task.result()
        await self._told.wait()

    # --- listening

    async def _keep_connected(self) -> None:
        patience = Patience(self._give_up)
        connected_before = False
        while True:
            try:
                async with self._connect() as socket:
                    await self._subscribe(socket)
                    self.counters.reconnects += connected_before
                    connected_before = True
                    patience.succeeded()
                    self.connected = True
                    self._told.set()
                    while True:
                        self._sort(await _received(socket, self._silence))
            except InvalidURI as error:
                raise FeedError(f"{redact_text(self._url)} is no WebSocket address") from error
            except (OSError, TimeoutError, WebSocketException, RpcError) as error:
                self.connected = False
                await patience.failed(error)

    def _connect(self) -> connect:
        return connect(
            require_websocket(self._url),
            max_size=_MESSAGE_LIMIT,
            open_timeout=_OPEN_SECONDS,
            close_timeout=1,
            proxy=None,
        )

    async def _subscribe(self, socket: ClientConnection) -> None:
        """Subscribe to heads, and to whole transactions or, where these are not to be had, hashes."""
        if not await self._agreed(socket, ["newHeads"]):
            raise FeedError("the node announces no blocks; use another node")
        for params in (["newPendingTransactions", True], ["newPendingTransactions"]):
            if await self._agreed(socket, params):
                return
        raise FeedError("the node announces no pending transactions; use another node")

    async def _agreed(self, socket: ClientConnection, params: list[Any]) -> bool:
        request = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": params}
        await socket.send(json.dumps(request))
        while True:
            message = await _received(socket, _OPEN_SECONDS)
            if "id" in message:
                return "error" not in message
            self._sort(message)

    def _sort(self, message: dict[str, Any]) -> None:
        """Put a notification where it belongs."""
        params = message.get("params")
        result = params.get("result") if isinstance(params, dict) else None
        if isinstance(result, str):
            self._hashes.append(result)
        elif isinstance(result, dict) and "parentHash" in result:
            self._height = head_from_json(result).header.number
        elif isinstance(result, dict):
            self._take(result)
            return
        self._to_ask.set()

    # --- asking

    async def _keep_asking(self) -> None:
        patience = Patience(self._give_up)
        while True:
            await self._to_ask.wait()
            self._to_ask.clear()
            try:
                await self._ask_for_bodies()
                await self._ask_for_blocks()
                patience.succeeded()
            except RpcError as error:
                await patience.failed(error)
                self._to_ask.set()

    async def _ask_for_bodies(self) -> None:
        while self._hashes:
            batch = [self._hashes[at] for at in range(min(len(self._hashes), _HASHES_PER_BATCH))]
            requests: list[Request] = [("eth_getTransactionByHash", [each]) for each in batch]
            bodies = await self._provider.attempt(requests)
            for announced, body in zip(batch, bodies, strict=True):
                with suppress(ValueError):  # pushed out by newer ones meanwhile
                    self._hashes.remove(announced)
                if isinstance(body, dict) and body.get("blockNumber") is None:
                    self._take(body)
                else:
                    self.counters.vanished += 1

    async def _ask_for_blocks(self) -> None:
        """Take away what the blocks since the last look hold; after a long absence, age does that."""
        height = self._height
        if height is None:
            return
        first = height if self._looked_at is None else min(self._looked_at + 1, height)
        first = max(first, height - _BLOCKS_AT_ONCE + 1)
        requests: list[Request] = [
            ("eth_getBlockByNumber", [hex(number), True]) for number in range(first, height + 1)
        ]
        for block in await self._provider.batch(requests):
            if isinstance(block, dict):
                slots, unreadable = slots_of_block(block)
                self.counters.unreadable += unreadable
                self._retire(self._waiting.include(slots))
        self._looked_at = height
        self._retire(self._waiting.expire(self._clock.now_ns()))

    # --- what waits, and what is told about it

    def _take(self, fields: dict[str, Any]) -> None:
        try:
            transaction = transaction_from_json(fields, self._clock.now_ns())
        except RpcError:
            self.counters.unreadable += 1
            return
        if transaction.hash in self._waiting:
            return
        dropped = self._waiting.add(transaction)
        self.counters.heard += 1
        self.last_heard_ns = transaction.known_at_ns
        self._tell(transaction.hash, transaction)
        self._retire(dropped)

    def _retire(self, dropped: Iterable[Dropped]) -> None:
        for each in dropped:
            self._tell(each.transaction.hash, each)

    def _tell(self, transaction_hash: bytes, news: News) -> None:
        """Keep what is new for the consumer; coming and going unread cancel each other out."""
        if self._news.pop(transaction_hash, None) is None:
            self._news[transaction_hash] = news
        self._told.set()


async def _received(socket: ClientConnection, seconds: float) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        text = await socket.recv()
    with suppress(ValueError, RecursionError):
        message = json.loads(text)
        if isinstance(message, dict):
            return message
    raise RpcError(
        "the node sent a message that is no JSON-RPC object; is it a node's WebSocket address?",
        method="eth_subscription",
        code=0,
    )
