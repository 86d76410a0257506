"""The live feed: new heads and logs over one WebSocket, repaired over HTTP where it has holes.

One task keeps the connection: it subscribes, sorts what arrives, notices silence and connects
again, at another node where several are named. The consumer takes heads from it at its own pace; a
head that was missed for whatever reason is found again by the follower, because the next head names
its parent.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidURI, WebSocketException

from chain.blocks import Address, Block, BlockHeader, RawLog
from chain.feeds import FollowingFeed, Patience, repaired
from chain.follower import ChainFollower
from chain.log_repair import hear, placed_from_json
from chain.providers import Node
from chain.websocket_address import require_websocket
from chain.wire import Head, head_from_json
from core.errors import FeedError, InputError, RpcError
from core.reasons import Reason
from core.redaction import redact_text
from core.seams import Clock

_LOGS_OVERHEARD = 4_096
_HEADS_KEPT = 1_024
_BLOCKS_HEARD = 256
_MESSAGE_LIMIT = 64 * 2**20
_OPEN_SECONDS = 10.0
_PING_SECONDS = 20.0
_MOVE_SECONDS = 1.5
"""With another node to move to: time to connect, between two pings, and for the answer to one."""


class WebSocketFeed(FollowingFeed):
    """Follows a node's ``newHeads`` and ``logs`` subscriptions.

    Use it in ``async with``; leaving closes the connection, and cancelling the consumer is safe.
    One consumer at a time.

    Parameters
    ----------
    ws_url
        ``ws://`` or ``wss://`` address of the node, or of several nodes of one chain: when one breaks,
        stays silent or leaves a ping unanswered, the next one takes over.
    provider
        An open provider of the same node, or a pool of the same nodes, for what the subscription lacks.
    addresses
        Contracts whose logs are wanted; none means no logs.
    clock
        Stamps blocks with the time they were complete.
    after
        Last block the caller already has; delivery starts with its child, however long ago it was.
        None: start with the node's newest block.
    silence_seconds
        Time without a head after which the node is asked whether the chain went on without us.
    give_up_seconds
        How long the node may be away before ``FeedError``.

    Raises
    ------
    InputError
        If there is no address.
    """

    def __init__(
        self,
        ws_url: str | Sequence[str],
        provider: Node,
        addresses: Sequence[Address],
        clock: Clock,
        *,
        after: BlockHeader | None = None,
        silence_seconds: float = 30.0,
        give_up_seconds: float = 300.0,
    ) -> None:
        super().__init__(ChainFollower(provider, addresses, clock, after=after))
        self._urls = deque([ws_url] if isinstance(ws_url, str) else ws_url)
        if not self._urls:
            raise InputError("a feed needs the WebSocket address of at least one node")
        self._addresses = [address.lower() for address in addresses]
        self._silence = silence_seconds
        self._give_up = give_up_seconds
        self._heads: deque[Head | None] = deque(maxlen=_HEADS_KEPT)  # None: ask for the newest
        self._heard: OrderedDict[bytes, dict[int, RawLog | None]] = OrderedDict()
        self._overheard: deque[RawLog] = deque(maxlen=_LOGS_OVERHEARD)
        self._head: Head | None = None
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_connected())
        self._task.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # delivered to the consumer, or of no interest any more

    async def blocks(self) -> AsyncIterator[Block]:
        """Deliver blocks until the feed is closed.

        Raises
        ------
        FeedError
            If the feed is not open, the node stays away, or the chain was reorganised too deeply.
        """
        if self._task is None:
            raise FeedError("the feed is not open; use it in `async with`")
        patience = Patience(self._give_up)
        while self._task is not None:
            if not self._heads:
                self._news.clear()
                if self._task.done():
                    self._task.result()
                await self._news.wait()
                continue
            self._head = self._heads.popleft()
            async for block in repaired(self._follower, self._advance, patience):
                yield block

    def overheard(self) -> tuple[RawLog, ...]:
        """Return logs announced since the last call whose block had been delivered by then.

        Most of them were delivered with it; one that was not is late.
        """
        heard = tuple(self._overheard)
        self._overheard.clear()
        return heard

    async def _advance(self) -> AsyncIterator[Block]:
        """Advance to the head at hand; if that fails, the next attempt starts from the newest one."""
        head, self._head = self._head, None
        announced = head is not None
        if head is None:
            head = await self._follower.latest()
        async for block in self._follower.advance(head, self._heard, announced=announced):
            yield block

    async def _keep_connected(self) -> None:
        patience = Patience(self._give_up)
        connected_before = False
        while True:
            try:
                async with self._connect() as socket:
                    self._newest = (await self._follower.latest()).header
                    await self._subscribe(socket)
                    self.counters.reconnects += connected_before
                    connected_before = True
                    self._announce(None)
                    await self._listen(socket, patience)
            except InvalidURI as error:
                raise FeedError(f"{redact_text(self._urls[0])} is no WebSocket address") from error
            except (OSError, TimeoutError, WebSocketException, RpcError) as error:
                if isinstance(error, RpcError) and (reason := error.fields.get("reason")):
                    self.counters.count(Reason(reason))
                await patience.failed(error)
            self._urls.rotate(-1)

    def _connect(self) -> connect:
        alone = len(self._urls) == 1
        return connect(
            require_websocket(self._urls[0]),
            max_size=_MESSAGE_LIMIT,
            open_timeout=_OPEN_SECONDS if alone else _MOVE_SECONDS,
            ping_interval=_PING_SECONDS if alone else _MOVE_SECONDS,
            ping_timeout=_PING_SECONDS if alone else _MOVE_SECONDS,
            close_timeout=1,
            proxy=None,
        )

    async def _subscribe(self, socket: ClientConnection) -> None:
        """Subscribe to heads and logs, and wait until the node agreed to both."""
        wanted: list[list[Any]] = [["newHeads"]]
        if self._addresses:
            wanted.append(["logs", {"address": self._addresses}])
        for number, params in enumerate(wanted):
            request = {"jsonrpc": "2.0", "id": number, "method": "eth_subscribe", "params": params}
            await socket.send(json.dumps(request))
        agreed = 0
        while agreed < len(wanted):
            async with asyncio.timeout(_OPEN_SECONDS):
                message = _parsed(await socket.recv())
            if "error" in message:
                text = str(message["error"])
                raise RpcError(f"the node refused a subscription: {text}", method="eth_subscribe", code=0)
            agreed += "id" in message
            self._sort(message)

    async def _listen(self, socket: ClientConnection, patience: Patience) -> None:
        """Sort messages until the connection breaks, or turns out to be deaf."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._silence
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    message = _parsed(await socket.recv())
            except TimeoutError:
                latest = (await self._follower.latest()).header
                patience.succeeded()
                if self._newest is None or latest.hash != self._newest.hash:
                    self.counters.silent += 1
                    return
                deadline = loop.time() + self._silence
                continue
            if self._sort(message):
                patience.succeeded()
                deadline = loop.time() + self._silence

    def _sort(self, message: dict[str, Any]) -> bool:
        """Put a notification where it belongs; tell whether it was a head."""
        params = message.get("params")
        result = params.get("result") if isinstance(params, dict) else None
        if not isinstance(result, dict):
            return False
        if "topics" in result:
            self._hear(result)
            return False
        head = head_from_json(result)
        self._newest = head.header
        self._announce(head)
        return True

    def _hear(self, fields: dict[str, Any]) -> None:
        if fields.get("removed") or not fields.get("blockHash"):
            return  # the heads of the new branch tell the same
        placed = placed_from_json(fields)
        if self._follower.delivered(placed.block_hash):
            self._overheard.append(placed.log)
            return
        reason = hear(self._heard.setdefault(placed.block_hash, {}), placed.log)
        if reason is not None:
            self.counters.count(reason)
        while len(self._heard) > _BLOCKS_HEARD:
            self._heard.popitem(last=False)

    def _announce(self, head: Head | None) -> None:
        self._heads.append(head)
        self._news.set()


def _parsed(text: str | bytes) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        message = json.loads(text)
        if isinstance(message, dict):
            return message
    raise RpcError(
        "the node sent a message that is no JSON-RPC object; is it a node's WebSocket address?",
        method="eth_subscription",
        code=0,
    )
