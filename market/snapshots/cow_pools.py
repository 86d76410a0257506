"""Pools of a CoW auction, one builder for each kind of the format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chain.blocks import Address
from chain.networks import Network
from core.reasons import Reason
from market.pools.amplification import Amplification
from market.pools.composable_stable import CachedRate, ComposableStablePool
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.stable_math import AMPLIFICATION_PRECISION
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.weighted import WeightedPool
from market.snapshots.fields import (
    Record,
    Unusable,
    as_address,
    as_fixed,
    as_list,
    as_record,
    as_whole,
    by_address,
    child,
    malformed,
    need,
)
from market.snapshots.specs import pair_spec, v3_pool, v3_spec
from market.tokens import Token

_ONE = 10**18
_PPM_PLACES = 6
_FIXED_PLACES = 18
_OPEN_UNITS = 2
"""Units of a rate's last digit that may stay open."""
_AMPLIFICATION_PLACES = len(str(AMPLIFICATION_PRECISION)) - 1

Tokens = Mapping[Address, Token]
Builder = Callable[[Address, Record, Tokens, Network], Pool]


def cow_pool(address: Address, record: Record, tokens: Tokens, network: Network) -> Pool:
    """Return the pool that an entry of ``amms`` describes.

    Parameters
    ----------
    address
        The entry's key.
    record
        The entry.
    tokens
        Of the auction.
    network
        Facts of the auction's chain.

    Raises
    ------
    Unusable
        If the entry lacks something, contradicts itself or is of a kind we do not know.
    MarketError
        If no contract can be in this state.
    """
    kind = need(record, "kind")
    if not isinstance(kind, str) or kind not in _BUILDERS:
        raise Unusable(f"{kind!r} is no kind of pools we know", reason=Reason.FAMILY_NOT_SUPPORTED)
    if as_address(need(record, "address"), "address") != address:
        malformed(f"the entry's address is {record['address']}, its key {address}")
    return _BUILDERS[kind](address, record, tokens, network)


def _constant_product(address: Address, record: Record, tokens: Tokens, network: Network) -> Pool:
    reserves = _amounts(child(record, "reserves"), "reserves", tokens)
    if len(reserves) != 2:
        malformed(f"a pair has two reserves, this one {len(reserves)}")
    first, second = reserves
    fee = as_fixed(need(record, "fee"), _PPM_PLACES, "fee")
    return UniswapV2Pool(pair_spec(network, address, (first, second), fee), reserves[first], reserves[second])


def _concentrated(address: Address, record: Record, tokens: Tokens, network: Network) -> UniswapV3Pool:
    pool = child(record, "pool")
    listed = [as_record(value, "tokens") for value in as_list(need(pool, "tokens"), "tokens")]
    if len(listed) != 2:
        malformed(f"a concentrated pool has two tokens, this one {len(listed)}")
    first, second = (as_address(need(token, "id"), "id") for token in listed)
    for token, place in ((first, listed[0]), (second, listed[1])):
        _check_decimals(token, as_whole(need(place, "decimals"), "decimals"), tokens)
    fee = as_fixed(need(record, "fee"), _PPM_PLACES, "fee")
    made = [
        spec
        for factory in network.factories
        if factory.kind == "uniswap_v3"
        for spec in [v3_spec(network, factory, (first, second), fee)]
        if spec.address == address
    ]
    if not made:
        raise Unusable(
            "no factory we know makes a pool of these tokens and this fee there, so its tick spacing is not "
            "known",
            reason=Reason.FAMILY_NOT_SUPPORTED,
        )
    state = child(pool, "state")
    ticks = child(state, "liquidity_net")
    return v3_pool(
        made[0],
        as_whole(need(state, "sqrt_price"), "sqrt_price"),
        as_whole(need(state, "tick"), "tick"),
        as_whole(need(state, "liquidity"), "liquidity"),
        {as_whole(tick, "a tick"): as_whole(net, "liquidity_net") for tick, net in ticks.items()},
    )


def _weighted_product(address: Address, record: Record, tokens: Tokens, network: Network) -> Pool:
    places = by_address(child(record, "reserves"), "reserves")
    rows = {token: as_record(value, f"reserves[{token}]") for token, value in places.items()}
    weights = tuple(as_fixed(need(row, "weight"), _FIXED_PLACES, "weight") for row in rows.values())
    if sum(weights) != _ONE:
        raise Unusable(
            f"the weights sum to {sum(weights) / _ONE:.9f}: a pool whose weights move with time",
            reason=Reason.FAMILY_NOT_SUPPORTED,
        )
    fee = as_fixed(need(record, "fee"), _PPM_PLACES, "fee")
    vault = network.vault.address
    spec = PoolSpec("weighted", address, vault, tuple(rows), fee, weights=weights, venue="balancer_v2")
    balances = tuple(as_whole(need(row, "balance"), "balance") for row in rows.values())
    return WeightedPool(spec, balances, tuple(_decimals(token, tokens) for token in rows))


def _stable(address: Address, record: Record, tokens: Tokens, network: Network) -> Pool:
    balances = _amounts(child(record, "reserves"), "reserves", tokens)
    scaling = _amounts(child(record, "scaling_rates"), "scaling_rates", tokens)
    if set(scaling) != set(balances):
        malformed("reserves and scaling_rates name other tokens")
    spec = PoolSpec(
        "composable_stable", address, network.vault.address, tuple(balances), 0, venue="balancer_v2"
    )
    amplification = as_fixed(
        need(record, "amplification_parameter"), _AMPLIFICATION_PLACES, "amplification_parameter"
    )
    return ComposableStablePool(
        spec,
        tuple(balances.values()),
        tuple(_decimals(token, tokens) for token in balances),
        tuple(_rate(_decimals(token, tokens), scaling[token]) for token in balances),
        Amplification.constant(amplification),
        as_fixed(need(record, "fee"), _FIXED_PLACES, "fee"),
    )


_BUILDERS: Mapping[str, Builder] = {
    "ConstantProduct": _constant_product,
    "Concentrated": _concentrated,
    "WeightedProduct": _weighted_product,
    "Stable": _stable,
}


def _rate(decimals: int, scaling: int) -> CachedRate | None:
    """Return the rate that a scaling rate was made from; ``None`` where it is one.

    The file holds ``floor(10**(18 + decimals) / rate)``, what a raw balance is divided by. For tokens of
    18 decimals that leaves the rate open by one or two units of its last digit; of 6 it leaves only six
    digits, and the pool is refused unless the rate is one.

    Raises
    ------
    Unusable
        ``PRECISION_LOST`` if the rate cannot be told.
    """
    if scaling == 10**decimals:
        return None
    if scaling <= 0:
        malformed(f"a scaling rate is {scaling}")
    product: int = 10 ** (_FIXED_PLACES + decimals)
    highest, lowest = product // scaling, product // (scaling + 1) + 1
    if highest - lowest > _OPEN_UNITS:
        raise Unusable(
            f"the scaling rate {scaling} leaves the token's rate open between {lowest} and {highest}",
            reason=Reason.PRECISION_LOST,
        )
    return CachedRate(rate=highest, provided=highest, duration=0, expires=0)


def _amounts(record: Record, name: str, tokens: Tokens) -> dict[Address, int]:
    amounts: dict[Address, Any] = by_address(record, name)
    for token in amounts:
        _decimals(token, tokens)
    return {token: as_whole(value, f"{name}[{token}]") for token, value in amounts.items()}


def _decimals(token: Address, tokens: Tokens) -> int:
    if token not in tokens:
        malformed(f"token {token} is not described")
    return tokens[token].decimals


def _check_decimals(token: Address, decimals: int, tokens: Tokens) -> None:
    if decimals != _decimals(token, tokens):
        raise Unusable(
            f"token {token} has {decimals} decimals here and {tokens[token].decimals} in the list of tokens",
            reason=Reason.CONTRADICTORY_DECIMALS,
        )
