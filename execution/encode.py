"""Calldata of the executor contract, and readable reasons when it reverts.

An opportunity becomes one ``execute(Route)`` call. The words are packed by hand: on the way
from a block to signed bytes a general ABI encoder costs more than everything around it
(the test compares the bytes with one).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from core.errors import InputError
from core.reasons import Reason, Refusal
from execution.command import Funding
from market.pools.spec import PoolSpec
from scoring.opportunity import Hop, Opportunity

HOP_TYPE = "(uint8,bytes32,address,uint32)"
ROUTE_TYPE = f"(address,uint256,uint256,uint256,uint256,uint8,uint256,{HOP_TYPE}[])"
EXECUTE_SIGNATURE = f"execute({ROUTE_TYPE})"
EXECUTE_SELECTOR = bytes.fromhex("a973a5fe")

_FUNDING_CODE = {Funding.BALANCER_V2_VAULT: 0, Funding.FIRST_POOL: 1, Funding.LAST_POOL: 2}
_FUNDING_HOP = {Funding.FIRST_POOL: 0, Funding.LAST_POOL: -1}
_ERROR_SELECTOR = bytes.fromhex("08c379a0")
_PANIC_SELECTOR = bytes.fromhex("4e487b71")
_PANICS = {
    0x01: "assertion failed",
    0x11: "arithmetic overflow or underflow",
    0x12: "division by zero",
    0x21: "value outside an enum",
    0x32: "array index out of bounds",
}
_ROUTE_OFFSET = (0x20).to_bytes(32, "big")
_HOPS_OFFSET = (8 * 32).to_bytes(32, "big")


class Venue(IntEnum):
    """The contract's kinds of hop, by pool family."""

    UNISWAP_V2 = 0
    UNISWAP_V3 = 1
    WEIGHTED = 2


_VENUE_OF = {"uniswap_v2": Venue.UNISWAP_V2, "uniswap_v3": Venue.UNISWAP_V3, "weighted": Venue.WEIGHTED}


def venue_refusal(opportunity: Opportunity, pools: Mapping[str, PoolSpec]) -> Refusal | None:
    """Return why the executor contract cannot trade a route, or ``None`` if it can.

    Parameters
    ----------
    opportunity
        The route.
    pools
        Descriptions by pool id.

    Raises
    ------
    InputError
        If a pool of the route is not described.
    """
    for hop in opportunity.hops:
        spec = _described(pools, hop)
        if spec.family not in _VENUE_OF:
            return Refusal(
                Reason.FAMILY_NOT_SUPPORTED, f"the executor contract has no venue for {spec.family} pools"
            )
        if spec.fees:
            return Refusal(
                Reason.FAMILY_NOT_SUPPORTED,
                f"pair {spec.pool_id} has a fee for each token, the executor contract knows one",
            )
    return None


def encode_execute(
    opportunity: Opportunity,
    pools: Mapping[str, PoolSpec],
    *,
    funding: Funding,
    min_profit: int,
    bid: int,
    target_block: int,
) -> bytes:
    """Pack the ``execute(Route)`` call that trades an opportunity.

    Amounts after the first are not sent: the contract passes on what each hop really gave. Only
    a last pool that funds the route must be told its input beforehand.

    Parameters
    ----------
    opportunity
        The cycle; ``amount_in`` and ``token`` come from it.
    pools
        Description of every pool of the cycle, by pool id.
    funding
        Where the first input comes from.
    min_profit
        Raw units of the start token that must be left after loan and bid.
    bid
        Wei to the block's fee recipient; needs WETH as start token.
    target_block
        The one block in which the transaction may run.

    Raises
    ------
    InputError
        If a pool is unknown, the hops are no closed cycle, a number does not fit, or the pool
        that is to fund the route cannot.
    """
    hops = opportunity.hops
    _check_cycle(opportunity)
    specs = [_spec(pools, hop) for hop in hops]
    _check_funding(funding, specs)
    last_amount_in = hops[-1].amount_in if funding is Funding.LAST_POOL else 0
    words = [
        EXECUTE_SELECTOR,
        _ROUTE_OFFSET,
        _address_word(opportunity.token),
        _uint_word(opportunity.amount_in, "amount_in"),
        _uint_word(min_profit, "min_profit"),
        _uint_word(bid, "bid"),
        _uint_word(target_block, "target_block"),
        _uint_word(_FUNDING_CODE[funding], "funding"),
        _uint_word(last_amount_in, "last_amount_in"),
        _HOPS_OFFSET,
        _uint_word(len(hops), "hops"),
    ]
    for hop, spec in zip(hops, specs, strict=True):
        words += _hop_words(hop, spec)
    return b"".join(words)


def _check_cycle(opportunity: Opportunity) -> None:
    hops = opportunity.hops
    tokens = [opportunity.token, *(hop.token_out for hop in hops)]
    closed = len(hops) > 0 and tokens[-1] == opportunity.token
    if not closed or any(hop.token_in != token for hop, token in zip(hops, tokens, strict=False)):
        raise InputError(
            "the hops are not a closed cycle from the start token; look at the opportunity's hops",
            cycle_id=opportunity.cycle_id,
        )


def _check_funding(funding: Funding, specs: Sequence[PoolSpec]) -> None:
    """A pool of the vault is paid before it pays, so it funds nothing."""
    if funding in _FUNDING_HOP and specs[_FUNDING_HOP[funding]].family == "weighted":
        raise InputError(
            "a weighted pool cannot fund a route; ask execution.flash.choose_funding what can",
            pool_id=specs[_FUNDING_HOP[funding]].pool_id,
        )


def _described(pools: Mapping[str, PoolSpec], hop: Hop) -> PoolSpec:
    spec = pools.get(hop.pool_id)
    if spec is None:
        raise InputError("no such pool; load its description first", pool_id=hop.pool_id)
    return spec


def _spec(pools: Mapping[str, PoolSpec], hop: Hop) -> PoolSpec:
    spec = _described(pools, hop)
    if spec.family not in _VENUE_OF:
        raise InputError("the executor contract cannot trade this pool family", family=spec.family)
    return spec


def _hop_words(hop: Hop, spec: PoolSpec) -> list[bytes]:
    venue = _VENUE_OF[spec.family]
    pool = bytes.fromhex(spec.pool_id[2:]) if venue is Venue.WEIGHTED else _address_word(spec.address)
    fee = spec.fee if venue is Venue.UNISWAP_V2 else 0
    return [_uint_word(venue, "venue"), pool, _address_word(hop.token_out), _uint_word(fee, "fee")]


def _address_word(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


def _uint_word(value: int, name: str) -> bytes:
    try:
        return value.to_bytes(32, "big")
    except OverflowError:
        raise InputError(f"{name} must be between 0 and 2**256 - 1", value=value) from None


def decode_revert(data: bytes, abi: Sequence[Mapping[str, Any]]) -> str:
    """Return a revert's reason as a person reads it.

    Parameters
    ----------
    data
        What the call returned when it reverted.
    abi
        ABI with the custom errors that may occur.

    Examples
    --------
    >>> abi = [{"type": "error", "name": "NotOwner", "inputs": [{"name": "caller", "type": "address"}]}]
    >>> decode_revert(bytes.fromhex("245aecd3") + bytes(31) + bytes([1]), abi)
    'NotOwner(caller=0x0000000000000000000000000000000000000001)'
    >>> decode_revert(b"", abi)
    'reverted without a reason'
    """
    if not data:
        return "reverted without a reason"
    selector, body = data[:4], data[4:]
    try:
        if selector == _ERROR_SELECTOR:
            return str(decode(["string"], body)[0])
        if selector == _PANIC_SELECTOR:
            return _panic(decode(["uint256"], body)[0])
        for error in abi:
            if error.get("type") == "error" and _error_selector(error) == selector:
                return _custom_error(error, body)
    except (DecodingError, UnicodeDecodeError, OverflowError):  # lengths no memory has overflow
        return f"undecodable revert data 0x{data.hex()}"
    return f"unknown revert data 0x{data.hex()}"


def _panic(code: int) -> str:
    return f"Panic(0x{code:02x}): {_PANICS.get(code, 'see the Solidity documentation')}"


def _types(error: Mapping[str, Any]) -> list[str]:
    return [parameter["type"] for parameter in error.get("inputs", ())]


def _error_selector(error: Mapping[str, Any]) -> bytes:
    return keccak(text=f"{error['name']}({','.join(_types(error))})")[:4]


def _custom_error(error: Mapping[str, Any], body: bytes) -> str:
    values = decode(_types(error), body)
    names: Iterable[str] = (parameter["name"] for parameter in error.get("inputs", ()))
    shown = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
    return f"{error['name']}({shown})"
