"""From the JSON of a node to our records, and the question a header's bloom answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from chain.blocks import Address, BlockHeader, RawLog
from core.errors import RpcError

_WORD_BYTES, _ADDRESS_BYTES, _ADDRESS_LENGTH = 32, 20, 42
_MOST = 2**63
"""Above what a tape can hold."""


@dataclass(frozen=True, slots=True)
class Head:
    """A header as the node announces it, with the bloom over all logs of its block."""

    header: BlockHeader
    bloom: int


def head_from_json(fields: Mapping[str, Any]) -> Head:
    """Read a header from ``newHeads`` or ``eth_getBlockBy…``.

    Raises
    ------
    RpcError
        If a field is missing, no hex, or of a size that no chain has.
    """
    try:
        header = BlockHeader(
            number=_count(fields["number"]),
            hash=_word(fields["hash"]),
            parent_hash=_word(fields["parentHash"]),
            timestamp=_count(fields["timestamp"]),
            base_fee=int(fields.get("baseFeePerGas", "0x0"), 16),
            gas_used=_count(fields["gasUsed"]),
            gas_limit=_count(fields["gasLimit"]),
            fee_recipient=_address(fields["miner"]),
        )
        if header.gas_limit == 0 or header.base_fee < 0:
            raise ValueError("no gas limit, or a base fee below zero")
        return Head(header, int(fields["logsBloom"], 16))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _malformed("header", error) from None


def log_from_json(fields: Mapping[str, Any]) -> RawLog:
    """Read a log from a ``logs`` subscription, ``eth_getLogs`` or a receipt.

    Raises
    ------
    RpcError
        If a field is missing, no hex, or of a size that no chain has.
    """
    try:
        return RawLog(
            block_number=_count(fields["blockNumber"]),
            log_index=_count(fields["logIndex"]),
            transaction_index=_count(fields["transactionIndex"]),
            transaction_hash=_word(fields["transactionHash"]),
            address=_address(fields["address"]),
            topics=tuple(_word(topic) for topic in fields["topics"]),
            data=_bytes(fields["data"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _malformed("log", error) from None


def bloom_mask(address: Address) -> int:
    """Return the three bits that a log of ``address`` sets in its block's bloom.

    Examples
    --------
    >>> bloom_mask("0x" + "00" * 20).bit_count()
    3

    References
    ----------
    Ethereum yellow paper, section 4.3.1, "M3:2048".
    """
    digest = keccak(bytes.fromhex(address[2:]))
    mask = 0
    for at in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return mask


def bloom_excludes(bloom: int, masks: Iterable[int]) -> bool:
    """Tell whether the bloom proves that the block holds no log of any of these addresses."""
    return not any(bloom & mask == mask for mask in masks)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _word(text: str) -> bytes:
    value = _bytes(text)
    if len(value) != _WORD_BYTES:
        raise ValueError(f"{len(value)} bytes in place of {_WORD_BYTES}")
    return value


def _address(text: str) -> Address:
    if len(text) != _ADDRESS_LENGTH or len(_bytes(text)) != _ADDRESS_BYTES:
        raise ValueError("an address that is none")
    return text.lower()


def _count(text: str) -> int:
    value = int(text, 16)
    if not 0 <= value < _MOST:
        raise ValueError("a number that no chain reaches")
    return value


def _malformed(what: str, error: Exception) -> RpcError:
    return RpcError(
        f"the node sent a {what} that cannot be read ({type(error).__name__}: {error}); is it Ethereum's?",
        method=what,
        code=0,
        message=str(error),
        data=None,
    )
