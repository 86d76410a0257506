"""JSON messages of a WebSocket that is kept open: reconnects, moves on, and notices silence."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidURI, WebSocketException

from chain.feeds import Patience
from chain.freshness import FreshnessGauge, FreshnessSnapshot
from chain.websocket_address import require_websocket
from core.errors import FeedError, InputError
from core.reasons import Reason
from core.redaction import redact_text
from core.seams import Clock

_MESSAGE_LIMIT = 64 * 2**20
_OPEN_SECONDS = 5.0


class MessageStream:
    """Delivers the JSON objects that a server sends.

    Parameters
    ----------
    urls
        ``ws://`` or ``wss://`` addresses of servers that send the same; when one breaks or stays
        silent, the next one takes over.
    expected_seconds
        Usual time between two messages, for the gauge.
    clock
        Source of the gauge's time.
    greeting
        A message to send after connecting, or None.
    silence_seconds
        Time without a message that can be read after which the connection is given up.
    give_up_seconds
        How long there may be no connection before ``FeedError``.

    Raises
    ------
    InputError
        If there is no address.
    """

    def __init__(
        self,
        urls: Sequence[str],
        expected_seconds: float,
        clock: Clock,
        *,
        greeting: Mapping[str, Any] | None = None,
        silence_seconds: float = 10.0,
        give_up_seconds: float = 300.0,
    ) -> None:
        if not urls:
            raise InputError("a feed needs the WebSocket address of at least one server")
        self._urls = deque(urls)
        self._gauge = FreshnessGauge(expected_seconds, clock)
        self._greeting = greeting
        self._silence = silence_seconds
        self._give_up = give_up_seconds
        self.connections = 0
        """Connections made so far."""
        self.reasons: Counter[Reason] = Counter()
        """What was wrong with messages, by reason."""

    @property
    def freshness(self) -> FreshnessSnapshot:
        """Age of the last message, and how often one should come."""
        return self._gauge.snapshot()

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Deliver messages for as long as the consumer wants them.

        Raises
        ------
        FeedError
            If there is no server for too long, or an address is none.
        """
        patience, loop = Patience(self._give_up), asyncio.get_running_loop()
        while True:
            try:
                async with self._connect() as socket:
                    self.connections += 1
                    if self._greeting is not None:
                        await socket.send(json.dumps(self._greeting))
                    heard = loop.time()
                    while True:
                        async with asyncio.timeout_at(heard + self._silence):
                            message = self._read(await socket.recv())
                        if message is not None:
                            patience.succeeded()
                            yield message
                            heard = loop.time()
            except InvalidURI as error:
                raise FeedError(f"{redact_text(self._urls[0])} is no WebSocket address") from error
            except (OSError, TimeoutError, WebSocketException) as error:
                await patience.failed(error)
            self._urls.rotate(-1)

    def _connect(self) -> connect:
        return connect(
            require_websocket(self._urls[0]),
            max_size=_MESSAGE_LIMIT,
            open_timeout=_OPEN_SECONDS,
            close_timeout=1,
            proxy=None,
        )

    def _read(self, text: str | bytes) -> dict[str, Any] | None:
        self._gauge.touch()
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict):
            return message
        self.reasons[Reason.MESSAGE_CORRUPT] += 1
        return None
