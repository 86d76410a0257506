"""From the JSON of a node to our records, and the question a header's bloom answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from chain.blocks import Address, BlockHeader, RawLog
from core.errors import RpcError


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
        If a field is missing or no hex.
    """
    try:
        header = BlockHeader(
            number=int(fields["number"], 16),
            hash=_bytes(fields["hash"]),
            parent_hash=_bytes(fields["parentHash"]),
            timestamp=int(fields["timestamp"], 16),
            base_fee=int(fields.get("baseFeePerGas", "0x0"), 16),
            gas_used=int(fields["gasUsed"], 16),
            gas_limit=int(fields["gasLimit"], 16),
            fee_recipient=fields["miner"].lower(),
        )
        return Head(header, int(fields["logsBloom"], 16))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _malformed("header", error) from None


def log_from_json(fields: Mapping[str, Any]) -> RawLog:
    """Read a log from a ``logs`` subscription, ``eth_getLogs`` or a receipt.

    Raises
    ------
    RpcError
        If a field is missing or no hex.
    """
    try:
        return RawLog(
            block_number=int(fields["blockNumber"], 16),
            log_index=int(fields["logIndex"], 16),
            transaction_index=int(fields["transactionIndex"], 16),
            transaction_hash=_bytes(fields["transactionHash"]),
            address=fields["address"].lower(),
            topics=tuple(_bytes(topic) for topic in fields["topics"]),
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


def _malformed(what: str, error: Exception) -> RpcError:
    return RpcError(
        f"the node sent a {what} that cannot be read ({type(error).__name__}: {error}); is it Ethereum's?",
        method=what,
        code=0,
        message=str(error),
        data=None,
    )
