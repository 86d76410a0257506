"""What a transaction on the local chain did, the same record from a node and from an EVM in the process."""

from __future__ import annotations

from dataclasses import dataclass

from chain.blocks import Address


@dataclass(frozen=True, slots=True)
class EventLog:
    """One event of a transaction."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction did.

    Parameters
    ----------
    ok
        Whether it did not revert.
    gas_used
        Gas. Exact on the node; in the process it is too low once slots are warm.
    logs
        Events in order; none if it reverted.
    created
        Address of the contract, for a transaction that created one.
    block_number
        Height of the block that holds nothing but this transaction.
    """

    ok: bool
    gas_used: int
    logs: tuple[EventLog, ...]
    created: Address | None
    block_number: int
