"""Record what happens on the local chain to a tape, as any live feed would be recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from chain.providers import Provider
from chain.websocket_feed import WebSocketFeed
from core.errors import OmniArbError
from core.seams import Clock
from market.tape import TapeWriter
from pipeline.bootstrap import load_market
from pipeline.devnet.service import DevnetService


async def record_tape(
    service: DevnetService,
    blocks: int,
    folder: Path,
    clock: Clock,
    advance: Callable[[int], None] = lambda _done: None,
) -> int:
    """Mine blocks and write them to a new tape; return how many.

    Parameters
    ----------
    service
        A running local chain on which nobody mines yet.
    blocks
        How many to mine.
    folder
        The tape; must not exist.
    clock
        Stamps blocks.
    advance
        Told the number of blocks recorded.

    Raises
    ------
    TapeError
        If the folder exists.
    OmniArbError
        Whatever stopped the chain; nothing is left of the tape then.
    """
    description = service.description
    tokens = {token.address: token for token in description.tokens}
    addresses = sorted({spec.address for spec in description.specs})
    async with Provider(description.http_url) as provider:
        state = await load_market(provider, description.specs, tokens)
        writer = TapeWriter(
            folder,
            specs=description.specs,
            tokens=tokens,
            pools=state.pools.values(),
            source=f"local chain, {blocks} blocks",
        )
        feed = WebSocketFeed(description.ws_url, provider, addresses, clock, after=state.head)
        recorded = 0
        with writer as tape:
            try:
                async with feed, asyncio.TaskGroup() as tasks:
                    mining = tasks.create_task(service.run(blocks))
                    async for block in feed.blocks():
                        tape.append(block)
                        recorded += 1
                        advance(recorded)
                        if recorded == blocks:
                            break
                    await mining
            except* OmniArbError as group:
                raise group.exceptions[0] from None
    return recorded
