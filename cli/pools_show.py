"""``omniarb pools show``: what the store of pools holds."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from chain.blocks import Address
from chain.networks import load_network
from cli.output import print_json
from cli.pool_database import open_pools
from cli.screen import Screen
from core.config_loader import load_settings
from core.errors import InputError
from market.pools.snapshot import spec_to_json
from market.tokens import Token
from pipeline.pool_rows import PoolStatus, StoredPool
from pipeline.pool_store import PoolQuery, PoolStore

_PPM_PER_PERCENT = 10_000
_SHORT = 10

Names = dict[tuple[str, Address], Token]
"""Tokens by chain and address."""


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """Which pools; empty texts do not narrow them."""

    pool: str | None
    chain: str
    family: str
    token: str
    status: str
    limit: int
    config: str
    database: Path | None
    as_json: bool


def show_pools(options: ShowOptions) -> None:
    """Print pools as a table or as JSON; one pool in full if it is named.

    Raises
    ------
    InputError
        If the store cannot be read, there is no such chain or status, or the named pool is not there.
    """
    settings = load_settings(options.config, os.environ)
    query = PoolQuery(
        chain=load_network(options.chain).name if options.chain else "",
        pool_id=options.pool or "",
        family=options.family,
        token=options.token,
        status=_status(options.status),
    )
    with closing(open_pools(settings, options.database, must_exist=True)) as store:
        found, count = store.pools(query, options.limit), store.count(query)
        names = _names(store, found)
        if options.pool is not None and not found:
            raise InputError(
                f"there is no pool {options.pool!r} in {store.where}; `omniarb pools show` lists them"
            )
    screen = Screen(quiet=options.as_json, steps=1)
    if options.as_json:
        print_json(_document(found, count, names))
    elif options.pool is not None and count == 1:
        screen.table(f"Pool on {found[0].chain}", _in_full(found[0], names))
    else:
        _show_table(screen, found, count, names)


def _status(text: str) -> PoolStatus | None:
    if not text:
        return None
    try:
        return PoolStatus(text)
    except ValueError:
        raise InputError(f"there is no status {text!r}; there are {', '.join(PoolStatus)}") from None


def _names(store: PoolStore, pools: tuple[StoredPool, ...]) -> Names:
    names: Names = {}
    for chain in {pool.chain for pool in pools}:
        wanted = {token for pool in pools if pool.chain == chain for token in pool.spec.tokens}
        facts = store.tokens(chain, wanted)
        names |= {(chain, token): fact for token, fact in facts.items() if isinstance(fact, Token)}
    return names


def _document(pools: tuple[StoredPool, ...], count: int, names: Names) -> dict[str, Any]:
    """Return pools and tokens; ``specs`` and ``tokens`` are what a list of pools to follow consists of."""
    tokens = [
        {"chain": chain, "address": token.address, "symbol": token.symbol, "decimals": token.decimals}
        for (chain, _), token in sorted(names.items())
    ]
    return {
        "count": count,
        "pools": [_entry(pool) for pool in pools],
        "specs": [spec_to_json(pool.spec) for pool in pools],
        "tokens": tokens,
    }


def _entry(pool: StoredPool) -> dict[str, Any]:
    refusal = pool.refusal
    return {
        "chain": pool.chain,
        "pool_id": pool.spec.pool_id,
        "status": pool.status.value,
        "reason": None if refusal is None else refusal.reason.value,
        "detail": "" if refusal is None else refusal.detail,
        "block": pool.block,
        "place": pool.place,
        "judged_block": pool.judged_block,
        "recorded_at": _time(pool),
    }


def _show_table(screen: Screen, pools: tuple[StoredPool, ...], count: int, names: Names) -> None:
    table = Table(pad_edge=False)
    for heading in ("pool", "chain", "venue", "family", "tokens", "fee", "status"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "fee" else "left")
    for pool in pools:
        spec, refusal = pool.spec, pool.refusal
        tokens = "/".join(_name(pool.chain, token, names) for token in spec.tokens) or "-"
        status = pool.status.value if refusal is None else refusal.reason.value
        shown = spec.pool_id[:_SHORT]
        table.add_row(shown, pool.chain, spec.venue, spec.family or "-", tokens, _fee(pool), status)
    screen.console.print(table)
    more = "" if count == len(pools) else "; --limit shows more"
    screen.console.print(
        f"{len(pools):,} of {count:,} pools{more}; `omniarb pools show 0x…` shows one in full"
    )


def _in_full(pool: StoredPool, names: Names) -> list[tuple[str, str, str]]:
    spec, refusal = pool.spec, pool.refusal
    return [
        ("pool", spec.pool_id, ""),
        ("contract to call", spec.address, ""),
        ("venue", spec.venue, ""),
        ("family", spec.family or "-", ""),
        *(
            (f"token {place}", token, _name(pool.chain, token, names))
            for place, token in enumerate(spec.tokens)
        ),
        ("fee", _fee(pool), ""),
        ("tick spacing", str(spec.tick_spacing or "-"), ""),
        ("weights", ", ".join(f"{weight / 10**18:g}" for weight in spec.weights) or "-", ""),
        ("hooks", spec.hooks or "-", ""),
        ("variant", spec.variant or "-", ""),
        ("factory", spec.factory or "-", ""),
        ("status", pool.status.value, "" if refusal is None else str(refusal)),
        ("announced", f"block {pool.block:,}, place {pool.place}", ""),
        ("looked at", f"block {pool.judged_block:,}", _time(pool)),
    ]


def _name(chain: str, token: Address, names: Names) -> str:
    known = names.get((chain, token))
    return token[:_SHORT] if known is None else known.symbol


def _fee(pool: StoredPool) -> str:
    fees = pool.spec.fees or (pool.spec.fee,)
    return " / ".join(f"{fee / _PPM_PER_PERCENT:g} %" for fee in fees)


def _time(pool: StoredPool) -> str:
    return datetime.fromtimestamp(pool.recorded_ns // 10**9, UTC).isoformat()
