"""A local chain with the live loop on it, in one process; and short tapes of such a chain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chain.devnet.accounts import dev_account
from core.seams import Clock, ManualClock, SystemClock
from core.secrets import PrivateKey, write_keystore
from execution.relays.auction import AuctionResult
from execution.risk.checks import RiskLimits
from pipeline.devnet.description import DevnetDescription
from pipeline.devnet.recorder import record_tape
from pipeline.devnet.service import DevnetService
from pipeline.live import LiveLoop
from pipeline.live_config import LiveConfig, LiveResult
from pipeline.outlook import Outlook

AGENT = "omniarb"
PASSWORD = "the password of the tests"


def key_of(seed: int, name: str = "searcher") -> PrivateKey:
    return PrivateKey(dev_account(f"live-{seed}", name).key)


@asynccontextmanager
async def devnet_of(seed: int, clock: Clock | None = None, **options: Any) -> AsyncIterator[DevnetService]:
    """Run a local chain whose executor belongs to the seed's searcher."""
    owner = key_of(seed).address
    async with DevnetService.start(
        seed, owner=owner, operator=owner, clock=clock or SystemClock(), **options
    ) as service:
        yield service


def live_config(
    place: DevnetDescription, folder: Path, *, seed: int, blocks: int, **changes: Any
) -> LiveConfig:
    """Return what follows a local chain; keystores and journal lie in ``folder``."""
    for name in ("searcher", "identity"):
        if not (folder / f"{name}.json").exists():
            write_keystore(folder / f"{name}.json", key_of(seed, name), PASSWORD, light=True)
    config = LiveConfig(
        http_url=place.http_url,
        ws_url=place.ws_url,
        relay_urls=(place.relay_url,),
        executor=place.executor,
        wrapped_native=place.wrapped_native,
        vault=place.vault,
        tokens=place.tokens,
        specs=place.specs,
        wallet_keystore=folder / "searcher.json",
        flashbots_keystore=folder / "identity.json",
        journal_url=f"sqlite:///{folder / 'journal.db'}",
        blocks=blocks,
        seed=seed,
        limits=RiskLimits(10**14, 1_000, 0, folder / "STOP"),
        agent=AGENT,
    )
    return replace(config, **changes)


@dataclass(frozen=True, slots=True)
class Followed:
    """What is left of a run of the live loop over a local chain."""

    config: LiveConfig
    loop: LiveLoop
    result: LiveResult
    auctions: tuple[AuctionResult, ...]


async def follow(
    folder: Path,
    *,
    seed: int,
    blocks: int,
    outlook: Outlook | None = None,
    on_block: Callable[[LiveLoop], None] = lambda _loop: None,
    **changes: Any,
) -> Followed:
    """Let the loop follow a fresh local chain from its first block on."""
    async with devnet_of(seed) as service:
        config = live_config(service.description, folder, seed=seed, blocks=blocks, **changes)
        loop = LiveLoop(config, outlook)
        mining = service.run(blocks, wait_for=[AGENT], on_block=lambda _result: on_block(loop))
        result = await first_failure(loop.run(), mining)
        return Followed(config, loop, result, service.results)


async def first_failure(main: Coroutine[Any, Any, Any], *others: Coroutine[Any, Any, Any]) -> Any:
    """Run all to their ends and return what the first gives; if one fails, end the others and raise that."""
    return await _together(asyncio.FIRST_EXCEPTION, main, *others)


async def meanwhile(main: Coroutine[Any, Any, Any], *others: Coroutine[Any, Any, Any]) -> Any:
    """Return what the first gives; the others, which have no end, are ended with it."""
    return await _together(asyncio.FIRST_COMPLETED, main, *others)


async def _together(until: str, *work: Coroutine[Any, Any, Any]) -> Any:
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=until)
        for task in tasks:
            if task.done():
                task.result()
        return tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def make_tape(folder: Path, *, seed: int, blocks: int) -> Path:
    """Record a fresh local chain without us on it."""

    async def record() -> None:
        async with devnet_of(seed, ManualClock()) as service:
            await record_tape(service, blocks, folder, ManualClock())

    asyncio.run(record())
    return folder
