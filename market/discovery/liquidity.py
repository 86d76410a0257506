"""The first look at a pool: how much of the tokens that value is measured in lies in it.

A hub token is one that most routes pass: the wrapped native token, stablecoins. A pool that holds next
to nothing of any of them is dust. Only a pool that is not is worth the reading of its whole state.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from eth_utils.crypto import keccak

from chain.blocks import Address
from chain.networks import Network
from chain.questions import Reading, StorageSlot
from core.errors import InputError
from core.reasons import Reason, Refusal
from market.discovery.answers import call, number, values
from market.pools.spec import PoolSpec
from market.pools.uniswap_v4 import NATIVE

Reserves = Mapping[Address, int]
"""Raw units by token; of some of a pool's tokens."""

LEAST_STABLE = 1_000
"""Whole units of a stablecoin below which a pool is dust, unless something else is wanted."""
LEAST_NATIVE = {"ETH": Decimal("0.5"), "BNB": Decimal(2), "POL": Decimal(5_000)}
"""The same in coins of a chain: of the order of a thousand dollars, no more is meant by it."""

_V4_POOLS_SLOT = 6
"""Storage slot of the PoolManager's mapping of pools."""
_V4_LIQUIDITY = 3
"""Place of the liquidity in a pool's storage; its price comes first."""
_Q96 = 2**96


def least_of(network: Network, wanted: Mapping[str, Decimal]) -> dict[Address, int]:
    """Return the hub tokens of a chain and the raw units of each below which a pool is dust.

    Parameters
    ----------
    network
        Its wrapped coin and its stablecoins are hubs; the coin itself counts as its wrapper.
    wanted
        Whole units by symbol or address of a known token; they come before the usual ones.

    Raises
    ------
    InputError
        If the facts do not know a token.

    Examples
    --------
    >>> from chain.networks import load_network
    >>> least = least_of(load_network("bsc"), {"USDC": Decimal("2.5")})
    >>> least["0x8ac76a51cc950d9822d68b83fe1ad97b32cd580d"], least[NATIVE]
    (2500000000000000000, 2000000000000000000)
    """
    wrapped = network.wrapped_native
    known = {wrapped.symbol.lower(): wrapped, **{token.symbol.lower(): token for token in network.tokens}}
    by_address = {token.address: token for token in known.values()}
    amounts = {token.address: Decimal(LEAST_STABLE) for token in network.tokens if token.stable}
    amounts[wrapped.address] = LEAST_NATIVE.get(network.native_symbol, Decimal(1))
    for name, amount in wanted.items():
        token = known.get(name.lower()) or by_address.get(name.lower())
        if token is None:
            names = ", ".join(sorted(each.symbol for each in known.values()))
            raise InputError(f"{network.name} has no known token {name!r}; there are {names}", token=name)
        amounts[token.address] = amount
    least = {token: int(amount * 10 ** by_address[token].decimals) for token, amount in amounts.items()}
    return {**least, NATIVE: least[wrapped.address]}


def hub_refusal(spec: PoolSpec, least: Reserves) -> Refusal | None:
    """Return why a pool's liquidity cannot be measured: none of its tokens is a hub.

    Examples
    --------
    >>> spec = PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000)
    >>> hub_refusal(spec, {"0xa": 10**18}), hub_refusal(spec, {}).reason
    (None, <Reason.NO_HUB_TOKEN: 'no_hub_token'>)
    """
    if least.keys() & set(spec.tokens):
        return None
    return Refusal(Reason.NO_HUB_TOKEN, "none of its tokens is one that liquidity is measured in")


def dust_refusal(reserves: Reserves, least: Reserves) -> Refusal | None:
    """Return why a pool is dust: it holds less of every hub token than ``least``.

    Parameters
    ----------
    reserves
        Of the pool's hub tokens, raw units.
    least
        Of every hub token, raw units.

    Examples
    --------
    >>> least = {"0xa": 10, "0xb": 5}
    >>> dust_refusal({"0xa": 9, "0xb": 5}, least), str(dust_refusal({"0xa": 9}, least))
    (None, 'dust_pool: it holds 9 of 0xa where 10 are the least')
    """
    if any(held >= least[token] for token, held in reserves.items()):
        return None
    held = ", ".join(
        f"{held} of {token} where {least[token]} are the least" for token, held in reserves.items()
    )
    return Refusal(Reason.DUST_POOL, f"it holds {held or 'nothing that can be read'}")


def hub_reserves(spec: PoolSpec, least: Reserves) -> Reading[Reserves]:
    """Read how much of its hub tokens a pool holds.

    Of a Uniswap V4 pool, whose tokens lie together with all others', it is what a V2 pair would hold
    that has the same depth at the present price: more than there is.

    Parameters
    ----------
    spec
        Complete.
    least
        Its keys are the hub tokens.
    """
    hubs = [token for token in spec.tokens if token in least]
    match spec.family:
        case "weighted" | "composable_stable":
            (answer,) = yield [call(spec.address, "getPoolTokens(bytes32)", spec.pool_id)]
            held = values(("address[]", "uint256[]", "uint256"), answer)
            return _picked(held, 0, 1, hubs)
        case "balancer_v3_weighted" | "balancer_v3_stable":
            (answer,) = yield [call(spec.address, "getPoolTokenInfo(address)", spec.pool_id)]
            held = values(("address[]", "(uint8,address,bool)[]", "uint256[]", "uint256[]"), answer)
            return _picked(held, 0, 2, hubs)
        case "uniswap_v4":
            return (yield from _v4_reserves(spec, hubs))
    answers = yield [call(token, "balanceOf(address)", spec.address) for token in hubs]
    return {token: number(answer) or 0 for token, answer in zip(hubs, answers, strict=True)}


def _picked(held: tuple[object, ...] | None, tokens: int, balances: int, hubs: list[Address]) -> Reserves:
    if held is None:
        return {}
    listed: Mapping[Address, int] = dict(zip(held[tokens], held[balances], strict=False))  # type: ignore[call-overload]
    return {token: listed[token] for token in hubs if token in listed}


def _v4_reserves(spec: PoolSpec, hubs: list[Address]) -> Reading[Reserves]:
    key = bytes.fromhex(spec.pool_id[2:]) + _V4_POOLS_SLOT.to_bytes(32, "big")
    base = int.from_bytes(keccak(key), "big")
    slot0, stored = yield [
        StorageSlot(spec.address, base),
        StorageSlot(spec.address, (base + _V4_LIQUIDITY) % 2**256),
    ]
    price, liquidity = (number(slot0) or 0) % 2**160, (number(stored) or 0) % 2**128
    if price == 0:
        return dict.fromkeys(hubs, 0)
    depth = (liquidity * _Q96 // price, liquidity * price // _Q96)
    return {token: held for token, held in zip(spec.tokens, depth, strict=True) if token in hubs}
