"""Batch auctions of CoW Protocol: one JSON document a line, each a market with reference prices.

Orders are not read. docs/reference/snapshot-files.md says what the format leaves open and what is
assumed for it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from chain.blocks import Address
from chain.networks import Network, load_network
from core.reasons import Reason
from market.pools.pool import Pool
from market.snapshots.collected import Collected
from market.snapshots.cow_pools import cow_pool
from market.snapshots.fields import (
    Record,
    Unusable,
    as_address,
    as_price,
    as_record,
    as_whole,
    malformed,
    need,
)
from market.snapshots.files import bad_file, parse, read_text
from market.snapshots.snapshot import MarketSnapshot
from market.tokens import Token

_ENVIRONMENT = "Ethereum / Mainnet"
_MOST_DECIMALS = 255


def read_cow_auctions(file: Path) -> tuple[MarketSnapshot, ...]:
    """Read every auction of a file, in order.

    Parameters
    ----------
    file
        JSON lines, plain or zstd.

    Raises
    ------
    InputError
        If the file cannot be read.
    TapeError
        If it is no such file; ``fields`` carry file and line.
    """
    network = load_network("ethereum")
    lines = read_text(file).split("\n")
    found = tuple(
        _auction(file, at, parse(file, line, at), network) for at, line in enumerate(lines, 1) if line.strip()
    )
    if not found:
        bad_file(file, "holds no auction")
    return found


def _auction(file: Path, line: int, document: object, network: Network) -> MarketSnapshot:
    try:
        auction = as_record(document, "the document")
        metadata, amms, described = (
            as_record(need(auction, name), name) for name in ("metadata", "amms", "tokens")
        )
        if need(metadata, "environment") != _ENVIRONMENT:
            malformed(f"the environment is not {_ENVIRONMENT!r}")
        native = as_address(need(metadata, "native_token"), "native_token")
        source = f"CoW auction {as_whole(need(metadata, 'auction_id'), 'auction_id')}"
        gas_price = as_price(need(metadata, "gas_price"))
    except Unusable as error:
        bad_file(file, f"holds no auction at line {line}: {error.message}", line=line)
    tokens, prices = _tokens(described)
    collected = Collected()
    for key in amms:
        collected.take(key, partial(_pool, key, amms, tokens, native, network))
    kept = {pool.pool_id for pool in collected.pools}
    costs = {
        key.lower(): _swap_cost(amms[key], native)
        for key in amms
        if key.lower() in kept and key not in collected.refused
    }
    return MarketSnapshot(
        source=source,
        tokens=tokens,
        pools=collected.pools,
        refused=collected.refused,
        reference_prices=prices,
        swap_costs=costs,
        gas_price=None if gas_price is None else int(gas_price),
    )


def _tokens(described: Record) -> tuple[dict[Address, Token], dict[Address, float]]:
    """Return the tokens that are described well, and their prices; pools of others are refused later."""
    tokens: dict[Address, Token] = {}
    prices: dict[Address, float] = {}
    for key, value in described.items():
        if key in described.repeated:
            continue
        try:
            address, row = as_address(key, "a token"), as_record(value, key)
            decimals = as_whole(need(row, "decimals"), "decimals")
        except Unusable:
            continue
        if not 0 <= decimals <= _MOST_DECIMALS:
            continue
        alias, price = row.get("alias"), as_price(row.get("external_price"))
        tokens[address] = Token(address, alias if isinstance(alias, str) else "", decimals)
        if price is not None:
            prices[address] = price
    return tokens, prices


def _pool(key: str, amms: Record, tokens: dict[Address, Token], native: Address, network: Network) -> Pool:
    """Return the pool of an entry, which must say what a swap with it costs."""
    if key in amms.repeated:
        raise Unusable("two entries have this id", reason=Reason.DUPLICATE_ID)
    address, record = as_address(key, "the entry's key"), as_record(amms[key], "the entry")
    _swap_cost(record, native)
    return cow_pool(address, record, tokens, network)


def _swap_cost(record: Record, native: Address) -> int:
    cost = as_record(need(record, "cost"), "cost")
    if as_address(need(cost, "token"), "cost.token") != native:
        malformed("the cost is not in the native token")
    return as_whole(need(cost, "amount"), "cost.amount")
