"""Files of Tycho's indexer: V3 pools with their tick maps, and a snapshot of Uniswap V2 pairs.

Neither says everything. The first gives no addresses: a pool is told by its factory, tokens and fee.
The second gives no decimals, and its ``reserve0`` and ``reserve1`` are not the pairs' reserves; its
balances are (docs/reference/snapshot-files.md shows it).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from chain.blocks import Address
from chain.networks import Network, load_network
from chain.pool_addresses import pool_address
from core.reasons import Reason
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import MAX_TICK, sqrt_ratio_at_tick
from market.snapshots.collected import Collected
from market.snapshots.fields import (
    Record,
    Unusable,
    as_address,
    as_list,
    as_record,
    as_whole,
    by_address,
    child,
    malformed,
    need,
)
from market.snapshots.files import bad_file, parse, read_text
from market.snapshots.snapshot import MarketSnapshot
from market.snapshots.specs import v3_pool, v3_spec
from market.tokens import Token

_FEES_PPM = {"Lowest": 100, "Low": 500, "Medium": 3_000, "High": 10_000}
_PPM_PER_BASIS_POINT = 100
_MOST_DECIMALS = 255


def read_tycho_pools(file: Path) -> tuple[MarketSnapshot, ...]:
    """Read a list of Uniswap V2 and V3 pools with their tokens.

    Raises
    ------
    InputError
        If the file cannot be read.
    TapeError
        If it is no such file.
    """
    network = load_network("ethereum")
    document = parse(file, read_text(file))
    if not isinstance(document, list):
        bad_file(file, "is no list of pools", line=1)
    tokens, contradictory = _tokens(document)
    collected = Collected()
    for place, value in enumerate(document, 1):
        collected.take(f"entry {place}", partial(_listed_pool, value, tokens, contradictory, network))
    prices = {network.weth: 1.0}
    return (MarketSnapshot("Tycho pools", tokens, collected.pools, collected.refused, prices, {}),)


def read_tycho_snapshot(file: Path) -> tuple[MarketSnapshot, ...]:
    """Read a synchronizer's message: Uniswap V2 pairs after its block.

    Raises
    ------
    InputError
        If the file cannot be read.
    TapeError
        If it is no such file.
    """
    network = load_network("ethereum")
    try:
        message = child(
            child(as_record(parse(file, read_text(file)), "the document"), "state_msgs"), "uniswap_v2"
        )
        number = as_whole(need(child(message, "header"), "number"), "number")
        states = as_record(need(child(message, "snapshots"), "states"), "states")
        changes = child(child(message, "deltas"), "component_balances")
    except Unusable as error:
        bad_file(file, f"is no snapshot of Uniswap V2 pairs: {error.message}")
    collected = Collected()
    for key in states:
        collected.take(key, partial(_component, key, states, changes, network))
    source = f"Tycho snapshot of block {number}"
    prices = {network.weth: 1.0}
    return (MarketSnapshot(source, {}, collected.pools, collected.refused, prices, {}, block_number=number),)


def _tokens(document: list[Any]) -> tuple[dict[Address, Token], set[Address]]:
    """Return every token that is described, and those of which two entries say different decimals."""
    seen: dict[Address, Token] = {}
    decimals: dict[Address, set[int]] = defaultdict(set)
    for entry in document:
        try:
            for row in as_list(need(as_record(entry, "the entry"), "tokens"), "tokens"):
                token = _token(row)
                seen[token.address] = token
                decimals[token.address].add(token.decimals)
        except Unusable:
            continue  # the entry itself is refused for this, with its place
    contradictory = {address for address, values in decimals.items() if len(values) > 1}
    return {address: token for address, token in seen.items() if address not in contradictory}, contradictory


def _token(value: Any) -> Token:
    row = as_record(value, "a token")
    address = as_address(need(row, "address"), "address")
    decimals, symbol = as_whole(need(row, "decimals"), "decimals"), row.get("symbol")
    if not 0 <= decimals <= _MOST_DECIMALS:
        malformed(f"token {address} has {decimals} decimals")
    return Token(address, symbol if isinstance(symbol, str) else "", decimals)


def _listed_pool(
    value: Any, tokens: Mapping[Address, Token], contradictory: set[Address], network: Network
) -> Pool:
    entry = as_record(value, "the entry")
    listed = [_token(row).address for row in as_list(need(entry, "tokens"), "tokens")]
    for token in contradictory.intersection(listed):
        raise Unusable(f"entries give token {token} different decimals", reason=Reason.CONTRADICTORY_DECIMALS)
    first, second = _two(listed)
    protocol, state = need(child(entry, "state"), "protocol"), child(child(entry, "state"), "state")
    match protocol:
        case "UniswapV2State":
            factory = network.factory("uniswap_v2")
            address = pool_address(factory, first, second)
            assert factory.fee_ppm is not None
            spec = PoolSpec(
                "uniswap_v2", address, address, (first, second), factory.fee_ppm, venue=factory.name
            )
            reserves = (as_whole(need(state, name), name) for name in ("reserve0", "reserve1"))
            return UniswapV2Pool(spec, *reserves)
        case "UniswapV3State":
            return _v3(state, (first, second), network)
    raise Unusable(f"{protocol!r} is no kind of pools we know", reason=Reason.FAMILY_NOT_SUPPORTED)


def _v3(state: Record, tokens: tuple[Address, Address], network: Network) -> UniswapV3Pool:
    name = need(state, "fee")
    if not isinstance(name, str) or name not in _FEES_PPM:
        malformed(f"{name!r} is no fee of Uniswap V3")
    spec = v3_spec(network, network.factory("uniswap_v3"), tokens, _FEES_PPM[name])
    listed = child(state, "ticks")
    spacing = as_whole(need(listed, "tick_spacing"), "tick_spacing")
    if spacing != spec.tick_spacing:
        malformed(f"a fee of {spec.fee} ppm has tick spacing {spec.tick_spacing}, the entry says {spacing}")
    ticks: dict[int, int] = {}
    for value in as_list(need(listed, "ticks"), "ticks"):
        row = as_record(value, "a tick")
        index = as_whole(need(row, "index"), "index")
        if index in ticks or abs(index) > MAX_TICK:
            malformed(f"tick {index} is there twice or out of range")
        if as_whole(need(row, "sqrt_price"), "sqrt_price") != sqrt_ratio_at_tick(index):
            malformed(f"tick {index} has another price than the contract gives it")
        ticks[index] = as_whole(need(row, "net_liquidity"), "net_liquidity")
    price, tick, liquidity = (as_whole(need(state, key), key) for key in ("sqrt_price", "tick", "liquidity"))
    return v3_pool(spec, price, tick, liquidity, ticks)


def _component(key: str, states: Record, changes: Record, network: Network) -> UniswapV2Pool:
    if key in states.repeated:
        raise Unusable("two entries have this id", reason=Reason.DUPLICATE_ID)
    address, entry = as_address(key, "the entry's key"), as_record(states[key], "the entry")
    component = child(entry, "component")
    first, second = _two(
        as_address(token, "a token") for token in as_list(need(component, "tokens"), "tokens")
    )
    attributes = child(component, "static_attributes")
    if as_address(need(attributes, "pool_address"), "pool_address") != address:
        malformed(f"the entry's address is {attributes['pool_address']}, its key {address}")
    factory = network.factory("uniswap_v2")
    if pool_address(factory, first, second) != address:
        malformed("the pair of these tokens lies elsewhere")
    fee = as_whole(need(attributes, "fee"), "fee") * _PPM_PER_BASIS_POINT
    balances = by_address(child(child(entry, "state"), "balances"), "balances")
    if key in changes:
        changed = by_address(child(changes, key), "component_balances").items()
        balances |= {token: need(as_record(row, token), "balance") for token, row in changed}
    if set(balances) != {first, second}:
        malformed("the balances are not those of the pair's two tokens")
    spec = PoolSpec("uniswap_v2", address, address, (first, second), fee, venue=factory.name)
    return UniswapV2Pool(spec, *(as_whole(balances[token], "a balance") for token in (first, second)))


def _two(tokens: Iterable[Address]) -> tuple[Address, Address]:
    """Return a pool's tokens in the contract's order, which is not always the file's."""
    ordered = sorted(set(tokens))
    if len(ordered) != 2:
        malformed(f"a pool has two different tokens, this one {len(ordered)}")
    return ordered[0], ordered[1]
