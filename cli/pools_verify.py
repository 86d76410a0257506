"""``omniarb pools verify``: compare the pools in the store with the chain."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from chain.networks import Network, load_network
from chain.providers import Node
from cli.node_address import http_urls, open_nodes
from cli.output import print_json, printable
from cli.pool_database import open_pools
from cli.screen import Screen
from core.config_loader import load_settings
from core.errors import InputError
from core.reasons import Reason, Refusal
from core.seams import SystemClock
from execution.token_cache import BehaviourCache, CachedProber
from execution.token_probe import TokenProber
from execution.token_runs import NodeRunner
from market.life import PoolLife, Standing
from market.tokens import Token
from pipeline.pool_rows import PoolStatus, StoredPool
from pipeline.pool_store import PoolQuery, PoolStore
from pipeline.verification import Verification, verify_pools

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What was asked for; empty texts stand for the configuration's."""

    pool: str | None
    chain: str
    rpc: tuple[str, ...]
    depth: int
    config: str
    database: Path | None
    as_json: bool


def verify_stored(options: VerifyOptions) -> bool:
    """Verify pools, record and print the outcome; return whether none differs from the chain.

    Raises
    ------
    InputError
        If the store holds no such pool, or the node is of another chain.
    RpcError
        If the node does not answer, or no longer holds the state; nothing is recorded then.
    """
    settings = load_settings(options.config, os.environ)
    network = load_network(options.chain or settings.web3.chain)
    urls = http_urls(options.rpc, settings.web3)
    with closing(open_pools(settings, options.database, must_exist=True)) as store:
        pools, tokens = _chosen(store, network, options.pool)

        async def run() -> Verification:
            async with open_nodes(urls, network, settings.web3.timeout_seconds) as node:
                specs = [pool.spec for pool in pools]
                screen = Screen(quiet=options.as_json, steps=1)
                with screen.step(f"Pools of {network.title}", len(specs)) as advance:
                    return await verify_pools(
                        node,
                        network,
                        specs,
                        tokens,
                        SystemClock(),
                        prober=_prober(node, store),
                        depth=options.depth,
                        advance=advance,
                    )

        outcome = asyncio.run(run())
        store.judge([_judged(pool, outcome) for pool in pools], {})
    if options.as_json:
        print_json(_document(network, outcome))
    else:
        _show(network, outcome)
    return not any(at.life is PoolLife.DIVERGENT for at in outcome.standings.values())


def _prober(node: Node, store: PoolStore) -> CachedProber:
    return CachedProber(TokenProber(NodeRunner(node)), BehaviourCache(store.engine, SystemClock()))


def _chosen(
    store: PoolStore, network: Network, pool_id: str | None
) -> tuple[Sequence[StoredPool], Mapping[str, Token]]:
    found = store.pools(PoolQuery(chain=network.name, pool_id=pool_id or ""))
    pools = [pool for pool in found if pool.status is not PoolStatus.REFUSED]
    if pool_id and len(found) == 1 and found[0].refusal is not None and not pools:
        raise InputError(
            f"pool {found[0].spec.pool_id} was refused ({found[0].refusal}); nothing of that is verified",
            pool_id=found[0].spec.pool_id,
        )
    if not pools:
        asked = f"no pool {pool_id}" if pool_id else "no pool worth verifying"
        raise InputError(
            f"the store {store.where} has {asked} of {network.name}; run `omniarb pools discover` first",
            store=store.where,
        )
    facts = store.tokens(network.name, {token for pool in pools for token in pool.spec.tokens})
    tokens = {address: fact for address, fact in facts.items() if isinstance(fact, Token)}
    return pools, tokens


def _judged(pool: StoredPool, outcome: Verification) -> StoredPool:
    at = outcome.standings[pool.spec.pool_id]
    verified = at.life is PoolLife.LIVE
    return replace(
        pool,
        status=PoolStatus.VERIFIED if verified else PoolStatus.QUARANTINED,
        judged_block=outcome.head.number,
        refusal=_refusal(at),
    )


def _refusal(at: Standing) -> Refusal | None:
    return None if at.reason is None else Refusal(at.reason, at.detail)


def _document(network: Network, outcome: Verification) -> dict[str, Any]:
    return {
        "chain": network.name,
        "first_block": outcome.first.number,
        "head_block": outcome.head.number,
        "events": outcome.events,
        "lives": _lives(outcome),
        "pools": {
            pool_id: {
                "life": at.life.value,
                "reason": None if at.reason is None else at.reason.value,
                "detail": at.detail,
                "block": at.block,
            }
            for pool_id, at in outcome.standings.items()
        },
        "tokens": {
            "tried": len(outcome.tokens.behaviours),
            "refused": _counted(
                found.reason for found in outcome.tokens.behaviours.values() if found.reason is not None
            ),
            "untold": _counted(found.reason for found in outcome.tokens.untold.values()),
        },
    }


def _counted(reasons: Iterable[Reason]) -> dict[str, int]:
    return {reason.value: count for reason, count in Counter(reasons).most_common()}


def _lives(outcome: Verification) -> dict[str, int]:
    counts = Counter(at.life for at in outcome.standings.values())
    return {life.value: counts[life] for life in PoolLife if counts[life]}


def _show(network: Network, outcome: Verification) -> None:
    screen = Screen(quiet=False, steps=0)
    rows = [(name, f"{count:,}", "") for name, count in _lives(outcome).items()]
    blocks = f"{outcome.first.number:,} to {outcome.head.number:,}"
    rows.append(("events applied", f"{outcome.events:,}", f"blocks {blocks}"))
    tokens = outcome.tokens
    refused = sum(found.reason is not None for found in tokens.behaviours.values())
    rows.append(("tokens bought and sold", f"{len(tokens.behaviours):,}", f"{refused:,} misbehave"))
    if tokens.untold:
        rows.append(("tokens that could not be tried", f"{len(tokens.untold):,}", ""))
    screen.table(f"Pools of {network.title}, compared with the chain", rows)
    doubtful = [(pool_id, at) for pool_id, at in outcome.standings.items() if at.reason is not None]
    if not doubtful:
        return
    table = Table(title="Not traded", title_justify="left", pad_edge=False)
    for name in ("pool", "life", "reason", "why"):
        table.add_column(name, overflow="fold")
    for pool_id, at in doubtful[:_SHOWN]:
        table.add_row(pool_id, at.life.value, at.reason.value if at.reason else "", printable(at.detail))
    screen.console.print(table)
    if len(doubtful) > _SHOWN:
        screen.console.print(f"and {len(doubtful) - _SHOWN:,} more; `--json` lists all")
