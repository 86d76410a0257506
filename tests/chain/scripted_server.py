"""A real WebSocket server that plays scripted messages: it stands where a sequencer's service would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

Scene = Sequence[Any]
"""Messages of one connection; a str or bytes is sent as it is, None cuts the connection."""


@asynccontextmanager
async def playing(*scenes: Scene) -> AsyncIterator[tuple[str, list[Any]]]:
    """Play one scene for each connection, the last one again and again; keep what clients said."""
    heard: list[Any] = []
    left = list(scenes)

    async def play(client: ServerConnection) -> None:
        scene = left.pop(0) if len(left) > 1 else left[0]
        for message in scene:
            if message is None:
                client.transport.abort()
                return
            await client.send(message if isinstance(message, str | bytes) else json.dumps(message))
        async for text in client:
            heard.append(json.loads(text))

    async with serve(play, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", heard


async def first(stream: AsyncIterator[Any], count: int) -> list[Any]:
    async with asyncio.timeout(10):
        return [await anext(stream) for _ in range(count)]
