"""``omniarb record``: follow a chain's pools and write what happens to a tape."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from chain.blocks import Address, Block, BlockHeader
from chain.feeds import Feed, PollingFeed
from chain.networks import Network, load_network
from chain.providers import Provider
from chain.websocket_feed import WebSocketFeed
from cli.node_address import checked_url
from cli.output import print_json
from cli.screen import RateColumn
from cli.signals import stop_signals
from core.errors import InputError
from core.seams import Clock, SystemClock
from pipeline.confirmations import usual_confirmations
from pipeline.discovery_plan import check_chain_id
from pipeline.pool_list import read_pool_list
from pipeline.recording import OpenFeed, RecordingPlan, RecordingResult, record


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What the command was asked."""

    rpc: Sequence[str]
    chain: str
    pools: Path
    out: Path
    blocks: int | None
    until: int | None
    confirmations: int | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class NodeUrls:
    """Where the node answers, and where it announces blocks; without the latter it is polled."""

    http: str
    ws: str | None

    @classmethod
    def of(cls, urls: Sequence[str]) -> NodeUrls:
        """Sort the addresses by their schemes.

        Raises
        ------
        InputError
            If they are not one node's, or one is no address.

        Examples
        --------
        >>> NodeUrls.of(["wss://node.example/key"])
        NodeUrls(http='https://node.example/key', ws='wss://node.example/key')
        >>> NodeUrls.of(["http://127.0.0.1:8545"]).ws is None
        True
        """
        http = [url for url in urls if url.startswith(("http://", "https://"))]
        ws = [url for url in urls if url.startswith(("ws://", "wss://"))]
        if len(http) + len(ws) != len(urls) or len(http) > 1 or len(ws) > 1:
            raise InputError("--rpc takes one http(s):// and one ws(s):// address of a node, or one of them")
        for url in urls:
            checked_url(url)
        return cls(http[0] if http else "http" + ws[0].removeprefix("ws"), ws[0] if ws else None)


def until_time(text: str | None) -> int | None:
    """Return a moment as Unix seconds; without an offset it is UTC.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> until_time("2024-01-05"), until_time("2024-01-05T01:00:00+01:00"), until_time(None)
    (1704412800, 1704412800, None)
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is no time; write 2026-01-05 or 2026-01-05T12:30:00") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def run_record(options: RecordOptions) -> None:
    """Record until the blocks are there, the time has come, or somebody stops it.

    Raises
    ------
    InputError
        If the options, the pools or the node do not fit together.
    TapeError
        If the folder exists, or the interrupted recording cannot be gone on with.
    FeedError, RpcError
        If the node stays away; what was recorded is kept.
    """
    urls, network = NodeUrls.of(options.rpc), load_network(options.chain)
    pools = read_pool_list(options.pools)
    confirmations = options.confirmations
    plan = RecordingPlan(
        folder=options.out,
        pools=pools,
        source=f"{network.title}, {len(pools.specs)} pools",
        confirmations=usual_confirmations(network.block_time_seconds)
        if confirmations is None
        else confirmations,
        blocks=options.blocks,
        until=options.until,
        multicall=network.multicall3.address,
    )
    result = asyncio.run(_record(plan, urls, network, quiet=options.as_json))
    _show(result, as_json=options.as_json)


async def _record(plan: RecordingPlan, urls: NodeUrls, network: Network, *, quiet: bool) -> RecordingResult:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with Provider(urls.http) as provider:
        await check_chain_id(provider, network)
        for name in stop_signals():  # only now: until here, nothing has to be left whole
            loop.add_signal_handler(name, stopped.set)
        opened = _opener(urls, provider, SystemClock())
        with _progress(plan, network, quiet=quiet) as on_block:
            return await record(plan, provider, opened, stopped, on_block)


def _opener(urls: NodeUrls, provider: Provider, clock: Clock) -> OpenFeed:
    def opened(after: BlockHeader, addresses: Sequence[Address]) -> AbstractAsyncContextManager[Feed]:
        if urls.ws is not None:
            return WebSocketFeed(urls.ws, provider, addresses, clock, after=after)
        return PollingFeed(provider, addresses, clock, after=after)

    return opened


@contextmanager
def _progress(
    plan: RecordingPlan, network: Network, *, quiet: bool
) -> Iterator[Callable[[int, Block], None]]:
    """Show blocks, rate and, where the end is known, the time that is left."""
    columns = (
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TextColumn("blocks"),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)  # stdout is for what was recorded
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, refresh_per_second=2, disable=hidden) as progress:
        task = progress.add_task("waiting for the first block", total=plan.blocks)

        def on_block(count: int, block: Block) -> None:
            total = plan.blocks
            if total is None and plan.until is not None:
                left = (plan.until - block.header.timestamp) / network.block_time_seconds
                total = count + max(round(left), 0)
            progress.update(task, completed=count, total=total, description=f"block {block.number}")

        yield on_block


def _show(result: RecordingResult, *, as_json: bool) -> None:
    if as_json:
        document: dict[str, Any] = {name: getattr(result, name) for name in result.__slots__}
        print_json(document | {"folder": str(result.folder), "days": list(result.days)})
        return
    days = f"{result.days[0]} to {result.days[-1]}" if len(result.days) > 1 else result.days[0]
    Console(highlight=False, markup=False, emoji=False).print(
        f"recorded blocks {result.first_block} to {result.last_block} ({result.blocks}, {days}) "
        f"to {result.folder}",
        soft_wrap=True,
    )
