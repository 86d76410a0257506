"""What a block is here: header, ordered raw logs, and when we knew them.

Every feed (live, tape, devnet) yields this one type. Addresses are lowercase
``0x`` strings everywhere in the project; hashes, topics and data are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

Address = str
"""Lowercase ``0x``-prefixed address of 42 characters."""


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """Header fields that the project uses.

    Parameters
    ----------
    number
        Height.
    hash, parent_hash
        32 bytes each.
    timestamp
        Seconds since the epoch.
    base_fee
        Wei per gas of *this* block.
    gas_used, gas_limit
        Gas of this block.
    fee_recipient
        Address that receives tips (``block.coinbase``), lowercase.
    """

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    base_fee: int
    gas_used: int
    gas_limit: int
    fee_recipient: Address = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class RawLog:
    """One event as the node gives it; its position is ``(block_number, log_index)``."""

    block_number: int
    log_index: int
    transaction_index: int
    transaction_hash: bytes
    address: Address
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """Header and logs of one block, in log-index order.

    Parameters
    ----------
    header
        The block's header.
    logs
        Logs of the watched addresses, ordered by ``log_index``.
    known_at_ns
        Wall-clock nanoseconds at which this block was complete for us. In a replay it
        is the block's own timestamp, so that a tape repeats bit for bit.
    """

    header: BlockHeader
    logs: tuple[RawLog, ...]
    known_at_ns: int

    @property
    def number(self) -> int:
        """Height."""
        return self.header.number


def next_base_fee(header: BlockHeader) -> int:
    """Return the exact base fee of the child block, in wei per gas (EIP-1559).

    The gas target is half the limit and the fee moves by at most one eighth.

    Examples
    --------
    >>> header = BlockHeader(1, b"", b"", 0, 10**9, 30_000_000, 30_000_000)
    >>> next_base_fee(header)
    1125000000

    References
    ----------
    EIP-1559, "calculate_base_fee".
    """
    target = header.gas_limit // 2
    if header.gas_used == target:
        return header.base_fee
    if header.gas_used > target:
        rise = header.base_fee * (header.gas_used - target) // target // 8
        return header.base_fee + max(rise, 1)
    return header.base_fee - header.base_fee * (target - header.gas_used) // target // 8
