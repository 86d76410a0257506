"""``omniarb devnet``: the local chain in the foreground, described by its first line of output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chain.devnet.accounts import dev_account
from cli.signals import stop_signals
from core.errors import DevnetError, InputError
from core.seams import SystemClock
from core.secrets import PrivateKey, write_keystore
from execution.relays.auction import AuctionResult
from pipeline.devnet.recorder import record_tape
from pipeline.devnet.service import DevnetService
from pipeline.live_config import KEYSTORE_PASSWORD_VARIABLE

WALLET_FILE = "wallet.json"
FLASHBOTS_FILE = "flashbots.json"
LOOK_SECONDS = 0.5
"""How often the node is looked at; mining alone would find out only at its next request."""


@dataclass(frozen=True, slots=True)
class DevnetOptions:
    """What the command was asked."""

    seed: int
    blocks: int
    realtime: float
    record: Path | None
    wait_for: str
    keys: Path | None


def run_devnet(options: DevnetOptions) -> None:
    """Mine, then stay up until stopped (with ``--record``: until the tape is written).

    Raises
    ------
    InputError
        If a folder exists already, or the keystore password is missing.
    DevnetError
        If the chain cannot be started, or its node ends before it is stopped.
    """
    if options.record is not None and options.record.exists():
        raise InputError(f"{options.record} exists and is left as it is; choose another name")
    searcher = _searcher(options)
    asyncio.run(_serve(options, searcher))


def _searcher(options: DevnetOptions) -> str:
    """Return the address of the searcher's wallet, and write its keystores if asked to."""
    wallet, flashbots = (
        PrivateKey(dev_account(f"omniarb-{options.seed}", name).key)
        for name in ("searcher", "searcher identity")
    )
    if options.keys is not None:
        password = os.environ.get(KEYSTORE_PASSWORD_VARIABLE, "")
        if not password:
            raise InputError(f"set {KEYSTORE_PASSWORD_VARIABLE} to encrypt the keystores of --keys")
        options.keys.mkdir(parents=True, exist_ok=True)
        # throw-away keys of a local chain: a quick derivation is enough
        write_keystore(options.keys / WALLET_FILE, wallet, password, light=True)
        write_keystore(options.keys / FLASHBOTS_FILE, flashbots, password, light=True)
    return wallet.address


async def _serve(options: DevnetOptions, searcher: str) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in stop_signals():
        loop.add_signal_handler(name, stopped.set)
    interval = options.realtime or None
    async with DevnetService.start(
        options.seed, owner=searcher, operator=searcher, clock=SystemClock(), interval=interval
    ) as service:
        sys.stdout.write(service.description.to_json() + "\n")
        sys.stdout.flush()
        mining = asyncio.create_task(_mine(options, service))
        ends = {asyncio.create_task(stopped.wait()), asyncio.create_task(_node_ends(service))}
        try:
            await _first_of({mining, *ends})
            if mining.done() and options.record is None:
                await _first_of(ends)
        finally:
            for task in (mining, *ends):
                task.cancel()
            await asyncio.gather(mining, *ends, return_exceptions=True)


async def _first_of(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Return when one of the tasks is done, or raise what ended it."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _node_ends(service: DevnetService) -> None:
    """Knock at the node's port for as long as somebody listens there.

    Raises
    ------
    DevnetError
        When nobody does any more.
    """
    place = urlsplit(service.description.http_url)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            _, writer = await asyncio.open_connection(place.hostname, place.port)
        except ConnectionRefusedError:
            raise DevnetError("the node of the local chain has ended; start the chain again") from None
        except OSError:
            continue  # too many open files and the like say nothing about the node
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _mine(options: DevnetOptions, service: DevnetService) -> None:
    if options.record is not None:
        count = await record_tape(service, options.blocks, options.record, SystemClock())
        sys.stderr.write(f"recorded {count} blocks to {options.record}\n")
        return
    names = [options.wait_for] if options.wait_for else []
    await service.run(options.blocks, wait_for=names, on_block=_tell)
    sys.stderr.write(f"mined {options.blocks} blocks; staying up, Ctrl-C ends it\n")


def _tell(result: AuctionResult) -> None:
    winner = result.winner
    auction = f"won by {winner.signer} for {winner.payment} wei" if winner else "no bundle"
    sys.stderr.write(f"block {result.block_number}: {auction}\n")
