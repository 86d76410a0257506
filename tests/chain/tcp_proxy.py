"""A TCP proxy in front of a real node, so that one chain looks like several nodes that can die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK = 65_536


class Proxy:
    """Passes bytes on until it is told to break its connections, or to swallow everything."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._swallowing = False
        self.port = 0
        self.accepted = 0

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def open(self) -> None:
        self._swallowing = False
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def reset(self) -> None:
        """Die as a killed process does: connections are reset, new ones are refused."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    def swallow(self) -> None:
        """Die as a cut cable does: connections stay, new ones are taken, nothing is answered."""
        self._swallowing = True

    async def close(self) -> None:
        self.reset()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        upstream_reader, upstream = await asyncio.open_connection(*self._target)
        self._writers |= {writer, upstream}
        ways = [
            asyncio.create_task(self._pump(reader, upstream)),
            asyncio.create_task(self._pump(upstream_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            for end in (writer, upstream):
                self._writers.discard(end)
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                if not self._swallowing:
                    writer.write(chunk)
                    await writer.drain()


@asynccontextmanager
async def proxies(url: str, count: int) -> AsyncIterator[list[Proxy]]:
    """Run several proxies in front of one node."""
    host, port = url.removeprefix("http://").split(":")
    opened = [Proxy(host, int(port)) for _ in range(count)]
    for proxy in opened:
        await proxy.open()
    try:
        yield opened
    finally:
        for proxy in opened:
            await proxy.close()
