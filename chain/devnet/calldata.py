"""Calldata from a function's signature, for the few calls the local chain needs."""

from __future__ import annotations

from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak


@cache
def _parsed(signature: str) -> tuple[bytes, tuple[str, ...]]:
    arguments = signature[signature.index("(") + 1 : -1]
    types: list[str] = []
    depth = 0
    word = ""
    for character in arguments:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            types.append(word)
            word = ""
        else:
            word += character
    if word:
        types.append(word)
    return keccak(text=signature)[:4], tuple(types)


def encode_call(signature: str, *arguments: Any) -> bytes:
    """Return selector and ABI-encoded arguments.

    Parameters
    ----------
    signature
        Canonical, for example ``transfer(address,uint256)``.
    *arguments
        One per type of the signature.

    Examples
    --------
    >>> encode_call("balanceOf(address)", "0x" + "11" * 20).hex()
    '70a082310000000000000000000000001111111111111111111111111111111111111111'
    """
    selector, types = _parsed(signature)
    return selector + encode(types, arguments)


def encode_arguments(types: str, *arguments: Any) -> bytes:
    """Return ABI-encoded arguments of a comma-separated list of types, as constructors take them.

    Examples
    --------
    >>> encode_arguments("uint8,bool", 5, True).hex()[62:66], len(encode_arguments("uint8,bool", 5, True))
    ('0500', 64)
    """
    return encode(_parsed(f"({types})")[1], arguments)


def decode_result(types: str, data: bytes) -> tuple[Any, ...]:
    """Return the values of returned bytes, addresses as lowercase ``0x`` strings.

    Examples
    --------
    >>> decode_result("address,uint256", bytes(12) + bytes([17] * 20) + bytes(31) + bytes([7]))
    ('0x1111111111111111111111111111111111111111', 7)
    """
    return tuple(decode(_parsed(f"({types})")[1], data))
