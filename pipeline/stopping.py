"""Work and blocks that end when somebody asks to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any, TypeVar

from chain.blocks import Block
from core.errors import OmniArbError

T = TypeVar("T")


class StoppedEarly(OmniArbError):
    """A recording was asked to stop before the first block could come."""

    code = "STOPPED"
    exit_code = 130


async def unless_stopped(stopped: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what comes of some work, ``None`` if somebody asks to stop first."""
    asked, working = asyncio.create_task(stopped.wait()), asyncio.create_task(work)
    try:
        await asyncio.wait({asked, working}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (asked, working):
            task.cancel()
        await asyncio.gather(asked, working, return_exceptions=True)


async def until_stopped(stopped: asyncio.Event, blocks: AsyncIterator[Block]) -> AsyncGenerator[Block, None]:
    """Yield blocks until somebody asks to stop."""
    asked = asyncio.create_task(stopped.wait())
    upcoming = asyncio.create_task(_next(blocks))
    try:
        while True:
            await asyncio.wait({asked, upcoming}, return_when=asyncio.FIRST_COMPLETED)
            block = None if asked.done() else upcoming.result()
            if block is None:
                return
            yield block
            upcoming = asyncio.create_task(_next(blocks))
    finally:
        for task in (asked, upcoming):
            task.cancel()
        await asyncio.gather(asked, upcoming, return_exceptions=True)


async def _next(blocks: AsyncIterator[Block]) -> Block | None:
    return await anext(blocks, None)
