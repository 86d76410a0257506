"""Calldata read strictly: selectors from signatures, arguments by type, and one error if anything is off."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason, Refusal

WORD = 32
LARGEST = 2**17
"""Bytes of calldata beyond which nodes do not pass a transaction on."""
_ADDRESS_BYTES, _FEE_BYTES = 20, 3


class NotDecoded(MarketError):
    """Calldata is not what a decoder understands; ``refusal`` says why."""

    code = "NOT_DECODED"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal), reason=refusal.reason)
        self.refusal = refusal


def undecodable(why: str) -> NotDecoded:
    """Return the error of calldata that is malformed, or does not tell what it would do."""
    return NotDecoded(Refusal(Reason.PENDING_UNDECODABLE, why))


@cache
def selector(signature: str) -> bytes:
    """Return the four bytes that call a function.

    Examples
    --------
    >>> selector("multicall(bytes[])").hex()
    'ac9650d8'
    """
    return keccak(text=signature)[:4]


def arguments(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """Return ABI-decoded arguments, addresses as lowercase ``0x`` strings.

    Raises
    ------
    NotDecoded
        If the data is too short, an offset leads outside, or a value exceeds its type.
    """
    try:
        return tuple(decode(types, data, strict=False))
    except (DecodingError, ValueError, OverflowError) as error:
        raise undecodable(f"{','.join(types)} cannot be read: {str(error)[:120]}") from None


def inner_calls(calls: Sequence[bytes], data: bytes) -> Sequence[bytes]:
    """Return calls that calldata carries inside.

    Raises
    ------
    NotDecoded
        If they overlap: together they are then larger than the data they lie in.
    """
    if sum(map(len, calls)) > len(data):
        raise undecodable("the calls inside overlap")
    return calls


def packed_path(path: bytes) -> tuple[tuple[Address, ...], tuple[int, ...]]:
    """Return tokens and the fees between them, in ppm, of a packed V3 path.

    Raises
    ------
    NotDecoded
        If its length is not that of two tokens or more with a fee between each.

    Examples
    --------
    >>> packed_path(bytes([17] * 20) + bytes([0, 11, 184]) + bytes([34] * 20))[1]
    (3000,)
    """
    step = _ADDRESS_BYTES + _FEE_BYTES
    if len(path) < step + _ADDRESS_BYTES or (len(path) - _ADDRESS_BYTES) % step:
        raise undecodable(f"a path of {len(path)} bytes")
    starts = range(0, len(path), step)
    tokens = tuple("0x" + path[at : at + _ADDRESS_BYTES].hex() for at in starts)
    fees = tuple(int.from_bytes(path[at + _ADDRESS_BYTES : at + step], "big") for at in starts[:-1])
    return tokens, fees
