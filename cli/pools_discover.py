"""``omniarb pools discover``: from a chain's factories to a store of pools."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from rich.table import Table

from chain.networks import Network, load_network
from cli.node_address import http_urls, open_nodes
from cli.output import print_json
from cli.pool_database import open_pools
from cli.screen import Screen, waiting
from core.config_loader import load_settings
from core.errors import InputError
from core.reasons import Reason, Refusal
from core.seams import SystemClock
from core.settings import Settings
from market.discovery.liquidity import Reserves, least_of
from market.discovery.sources import PoolSource, chosen_sources
from pipeline.confirmations import usual_confirmations
from pipeline.discovery import Discovery, Tally
from pipeline.discovery_plan import Scan, Window, plan_scan, settled_block
from pipeline.pool_sieve import PoolSieve


@dataclass(frozen=True, slots=True)
class DiscoverOptions:
    """What was asked for; empty texts and ``None`` stand for the configuration's or the chain's."""

    chain: str
    rpc: tuple[str, ...]
    factories: tuple[str, ...]
    from_block: int | None
    to_block: int | None
    confirmations: int | None
    least: tuple[str, ...]
    again: bool
    config: str
    database: Path | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Job:
    """What the options, the configuration and the facts come to."""

    settings: Settings
    network: Network
    sources: tuple[PoolSource, ...]
    least: Reserves
    urls: tuple[str, ...]
    confirmations: int


@dataclass(frozen=True, slots=True)
class _Row:
    """What came of one source."""

    source: PoolSource
    scan: Scan | None
    tally: Tally
    note: Refusal | None


@dataclass(frozen=True, slots=True)
class _Result:
    """What came of all sources, and of the second look if there was one."""

    where: str
    settled: int
    rows: list[_Row]
    again: Tally | None


def discover_pools(options: DiscoverOptions) -> None:
    """Discover pools and print what was found.

    Raises
    ------
    InputError
        If an option contradicts the chain's facts, the node is of another chain, or the store cannot
        be used.
    RpcError
        If the node does not answer, or refuses; what was read until then is recorded.
    """
    job = _checked(options)
    result = asyncio.run(_discover(job, options))
    if options.as_json:
        print_json(_document(job.network, result))
    else:
        _show(job.network, result)


def _checked(options: DiscoverOptions) -> _Job:
    settings = load_settings(options.config, os.environ)
    network = load_network(options.chain or settings.web3.chain)
    first, last = options.from_block, options.to_block
    if first is not None and last is not None and first > last:
        raise InputError("--from-block is above --to-block; exchange them")
    confirmations = options.confirmations
    return _Job(
        settings,
        network,
        chosen_sources(network, options.factories),
        least_of(network, dict(map(_amount, options.least))),
        http_urls(options.rpc, settings.web3),
        usual_confirmations(network.block_time_seconds) if confirmations is None else confirmations,
    )


async def _discover(job: _Job, options: DiscoverOptions) -> _Result:
    network = job.network
    async with open_nodes(job.urls, network, job.settings.web3.timeout_seconds) as node:
        settled = (await settled_block(node, job.confirmations)).number
        window = Window(settled, options.from_block, options.to_block)
        # opened only now: a wrong node leaves no file behind
        with closing(await asyncio.to_thread(open_pools, job.settings, options.database)) as store:
            sieve = PoolSieve(node, network, job.least)
            discovery = Discovery(node, store, network, sieve, SystemClock(), job.confirmations)
            with waiting("looking for the chain's factories", quiet=options.as_json):
                plans = [
                    (source, await plan_scan(node, store, network, source, window)) for source in job.sources
                ]
            rows, again = await _run(plans, discovery, options)
            return _Result(store.where, settled, rows, again)


async def _run(
    plans: Sequence[tuple[PoolSource, Scan | Refusal]], discovery: Discovery, options: DiscoverOptions
) -> tuple[list[_Row], Tally | None]:
    work = sum(isinstance(plan, Scan) and plan.total > 0 for _, plan in plans)
    screen = Screen(quiet=options.as_json, steps=work + options.again)
    rows = []
    for source, plan in plans:
        if isinstance(plan, Refusal):
            rows.append(_Row(source, None, Tally(), plan))
            continue
        tally = Tally()
        if plan.total:
            with screen.step(_title(plan), plan.total) as advance:
                tally = await discovery.run(plan, advance)
        rows.append(_Row(source, plan, tally, plan.note))
    if not options.again:
        return rows, None
    with screen.step("Refused pools, once more", await discovery.to_look_at_again()) as advance:
        return rows, await discovery.again(advance)


def _title(scan: Scan) -> str:
    what = "entries" if scan.source.is_registry else "blocks"
    guess = f" ({scan.note})" if scan.note is not None else ""
    return f"{scan.source.name}: {what} {scan.first:,} to {scan.last:,}{guess}"


def _amount(text: str) -> tuple[str, Decimal]:
    token, _, amount = text.partition("=")
    try:
        value = Decimal(amount)
    except InvalidOperation:
        value = Decimal("nan")
    if not token or not value.is_finite() or value < 0 or value.adjusted() > 30:
        raise InputError(f"--least {text!r} is no <token>=<amount>, such as WETH=0.5")
    return token, value


def _document(network: Network, result: _Result) -> dict[str, Any]:
    again = {} if result.again is None else {"again": _counts(result.again)}
    return {
        "chain": network.name,
        "chain_id": network.chain_id,
        "settled_block": result.settled,
        "store": result.where,
        "factories": {row.source.name: _row_document(row) for row in result.rows},
        **again,
    }


def _row_document(row: _Row) -> dict[str, Any]:
    read = None if row.scan is None or row.scan.total == 0 else [row.scan.first, row.scan.last]
    return {
        "kind": row.source.kind.value,
        "address": row.source.address,
        "read": read,
        **_counts(row.tally),
        "note": None if row.note is None else {"reason": row.note.reason.value, "detail": row.note.detail},
    }


def _counts(tally: Tally) -> dict[str, Any]:
    return {"found": tally.found, "kept": tally.kept, "refused": _reasons(tally.refused)}


def _reasons(refused: Mapping[Reason, int]) -> dict[str, int]:
    return {reason.value: count for reason, count in Counter(refused).most_common()}


def _show(network: Network, result: _Result) -> None:
    table = Table(title=f"Pools found on {network.title}", title_justify="left", pad_edge=False)
    table.add_column("factory", style="bold", no_wrap=True)
    for name in ("found", "kept"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("refused", overflow="fold")
    rows = [(row.source.name, row.tally, row.note) for row in result.rows]
    if result.again is not None:
        rows.append(("looked at again", result.again, None))
    for name, tally, note in rows:
        refused = ", ".join(f"{reason} {count:,}" for reason, count in _reasons(tally.refused).items())
        table.add_row(
            name, f"{tally.found:,}", f"{tally.kept:,}", refused or (note.reason.value if note else "-")
        )
    console = Screen(quiet=False, steps=0).console
    console.print(table)
    console.print(f"kept in {result.where}; `omniarb pools show` lists them", soft_wrap=True)
