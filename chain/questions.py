"""Questions to a node's state, and who asks them: code that knows what to read does no input or output.

A *reading* is a generator. It yields a round of questions, is sent their answers in the same order,
and returns what it read. So the same code runs against a node, a simulator or a recording, and many
readings share one exchange; :func:`chain.asking.ask_all` does that.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chain.blocks import Address

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ContractCall:
    """What a contract answers to calldata; its answer is ``None`` if it reverts."""

    to: Address
    data: bytes


@dataclass(frozen=True, slots=True)
class StorageSlot:
    """One word of a contract's storage; its answer is 32 bytes."""

    address: Address
    slot: int


Question = ContractCall | StorageSlot
Answer = bytes | None
Reading = Generator[Sequence[Question], Sequence[Answer], T]
