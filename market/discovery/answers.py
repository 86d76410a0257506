"""Calls that discovery makes, and what strangers answer: anything at all, so nothing is believed unread."""

from __future__ import annotations

from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from chain.blocks import Address
from chain.questions import Answer, ContractCall

SELECTORS = {
    "balanceOf(address)": "70a08231",
    "coins(uint256)": "c6610657",
    "decimals()": "313ce567",
    "fee()": "ddca3f43",
    "getAmplificationParameter()": "6daccffa",
    "getBptIndex()": "82687a56",
    "getGradualWeightUpdateParams()": "7beed220",
    "getNormalizedWeights()": "f89f27ed",
    "getPoolTokenInfo(address)": "67e0e076",
    "getPoolTokens(bytes32)": "f94d4668",
    "getSwapFeePercentage()": "55c67628",
    "is_meta(address)": "e4d332a9",
    "pool_count()": "956aae3a",
    "pool_list(uint256)": "3a1d5d8e",
    "symbol()": "95d89b41",
}
"""First four bytes of the keccak256 of each signature."""


def call(to: Address, signature: str, argument: int | str | None = None) -> ContractCall:
    """Return the call of a function that takes nothing, or one word.

    Parameters
    ----------
    to
        Contract.
    signature
        A key of :data:`SELECTORS`.
    argument
        A number, or an address or 32 bytes in hex.

    Examples
    --------
    >>> call("0x" + "11" * 20, "coins(uint256)", 2).data.hex()[-10:]
    '0000000002'
    """
    data = bytes.fromhex(SELECTORS[signature])
    if argument is not None:
        number = int(argument, 16) if isinstance(argument, str) else argument
        data += number.to_bytes(32, "big")
    return ContractCall(to, data)


def values(types: tuple[str, ...], answer: Answer) -> tuple[Any, ...] | None:
    """Return what a contract answered, ``None`` if it reverted or answered something else.

    Examples
    --------
    >>> values(("uint256",), (7).to_bytes(32, "big")), values(("uint256",), b""), values(("uint256",), None)
    ((7,), None, None)
    """
    if answer is None:
        return None
    try:
        return decode(types, answer)
    except (DecodingError, OverflowError, ValueError):  # a text may be no UTF-8
        return None


def number(answer: Answer) -> int | None:
    """Return the first word of an answer."""
    decoded = values(("uint256",), answer)
    return None if decoded is None else int(decoded[0])
