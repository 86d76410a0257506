"""Transactions that wait for a block: one record each, and a bounded set of them.

Nothing leaves the set silently. What is dropped carries a reason: a block took it, another transaction
took its nonce, it waited too long, or the set was full and it paid least.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from chain.blocks import Address
from core.errors import RpcError
from core.reasons import Reason, Refusal


@dataclass(frozen=True, slots=True)
class PendingTransaction:
    """A transaction that a node announced and that no block holds yet.

    Parameters
    ----------
    hash
        32 bytes.
    sender, to
        Lowercase addresses; ``to`` is ``None`` if it creates a contract.
    nonce, value, gas
        As signed; ``value`` in wei, ``gas`` the limit.
    input
        Calldata.
    max_fee_per_gas, max_priority_fee_per_gas
        Wei per gas; both are the gas price of a transaction that has only one.
    known_at_ns
        Wall-clock nanoseconds at which we had all of it.
    """

    hash: bytes
    sender: Address
    to: Address | None
    nonce: int
    value: int
    input: bytes = field(repr=False)
    gas: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    known_at_ns: int


@dataclass(frozen=True, slots=True)
class Slot:
    """Who used which nonce with which transaction, as a block tells it."""

    sender: Address
    nonce: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Dropped:
    """A transaction that waits no longer, and why."""

    transaction: PendingTransaction
    why: Refusal


News = PendingTransaction | Dropped
"""What a mempool tells."""


@dataclass(slots=True)
class MempoolCounters:
    """What a mempool has met so far.

    Parameters
    ----------
    heard
        Transactions taken.
    vanished
        Announced by hash, but gone or included before the node was asked for them.
    unreadable
        Announced, or held by a block, with fields that cannot be read.
    reconnects
        Connections after the first; what was announced in between was not heard.
    dropped
        Transactions that wait no longer, by reason.
    """

    heard: int = 0
    vanished: int = 0
    unreadable: int = 0
    reconnects: int = 0
    dropped: Counter[Reason] = field(default_factory=Counter)


def transaction_from_json(fields: Mapping[str, Any], known_at_ns: int) -> PendingTransaction:
    """Read a transaction as a node gives it.

    Raises
    ------
    RpcError
        If a field is missing or no hex.
    """
    try:
        price = fields.get("maxFeePerGas") or fields["gasPrice"]
        tip = fields.get("maxPriorityFeePerGas") or price
        to = fields.get("to")
        slot = slot_from_json(fields)
        return PendingTransaction(
            hash=slot.hash,
            sender=slot.sender,
            to=to.lower() if to else None,
            nonce=slot.nonce,
            value=int(fields["value"], 16),
            input=bytes.fromhex(fields["input"].removeprefix("0x")),
            gas=int(fields["gas"], 16),
            max_fee_per_gas=int(price, 16),
            max_priority_fee_per_gas=int(tip, 16),
            known_at_ns=known_at_ns,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _malformed(error) from None


def slot_from_json(fields: Mapping[str, Any]) -> Slot:
    """Read sender, nonce and hash of a transaction as a node gives it.

    Raises
    ------
    RpcError
        If one of them is missing or no hex.
    """
    try:
        digest = bytes.fromhex(fields["hash"].removeprefix("0x"))
        return Slot(fields["from"].lower(), int(fields["nonce"], 16), digest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _malformed(error) from None


def slots_of_block(fields: Mapping[str, Any]) -> tuple[list[Slot], int]:
    """Read the transactions of a block, and tell how many could not be read.

    Raises
    ------
    RpcError
        If the block holds no list of transactions.
    """
    transactions = fields.get("transactions")
    if not isinstance(transactions, list):
        raise _malformed(TypeError("a block without a list of transactions"))
    slots = []
    for each in transactions:
        with suppress(RpcError):
            slots.append(slot_from_json(each))
    return slots, len(transactions) - len(slots)


def _malformed(error: Exception) -> RpcError:
    return RpcError(
        f"the node sent a transaction that cannot be read ({type(error).__name__}: {error})",
        method="transaction",
        code=0,
        message=str(error),
        data=None,
    )


class PendingSet:
    """Transactions that wait, the longest waiting first; never more than ``capacity``.

    Parameters
    ----------
    capacity
        Most transactions kept; beyond it the one that offers least per gas goes.
    longest_seconds
        Longest a transaction is kept.

    Examples
    --------
    >>> from dataclasses import replace
    >>> first = PendingTransaction(b"1", "0xa", "0xb", 0, 0, b"", 21000, 5, 1, known_at_ns=0)
    >>> waiting = PendingSet(capacity=10, longest_seconds=60.0)
    >>> waiting.add(first), waiting.add(replace(first, hash=b"2", max_fee_per_gas=9))[0].why.reason
    ([], <Reason.PENDING_REPLACED: 'pending_replaced'>)
    >>> len(waiting), waiting.dropped[Reason.PENDING_REPLACED]
    (1, 1)
    """

    def __init__(self, capacity: int, longest_seconds: float) -> None:
        self._capacity = capacity
        self._longest_ns = round(longest_seconds * 1e9)
        self._waiting: dict[bytes, PendingTransaction] = {}
        self._nonces: dict[Address, dict[int, bytes]] = {}
        self._cheapest: list[tuple[int, int, bytes]] = []
        self.dropped: Counter[Reason] = Counter()
        """How many were dropped, by reason."""

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[PendingTransaction]:
        return iter(tuple(self._waiting.values()))

    def __contains__(self, transaction_hash: object) -> bool:
        return transaction_hash in self._waiting

    def add(self, transaction: PendingTransaction) -> list[Dropped]:
        """Take a transaction and return what had to go, which may be the transaction itself.

        The node has decided already which of two transactions with one nonce it keeps: the later one
        that it announces.
        """
        if transaction.hash in self._waiting:
            return []
        dropped = self.expire(transaction.known_at_ns)
        taken = self._nonces.get(transaction.sender, {}).get(transaction.nonce)
        if taken is not None:
            by = f"0x{transaction.hash.hex()} has the same sender and nonce"
            dropped.append(self._drop(taken, Reason.PENDING_REPLACED, by))
        self._waiting[transaction.hash] = transaction
        self._nonces.setdefault(transaction.sender, {})[transaction.nonce] = transaction.hash
        heapq.heappush(self._cheapest, _rank(transaction))
        while len(self._waiting) > self._capacity:
            dropped.append(self._evict())
        return dropped

    def include(self, slots: Iterable[Slot]) -> list[Dropped]:
        """Drop what a block holds, or what it made unusable by using the nonce."""
        dropped = []
        for slot in slots:
            nonces = self._nonces.get(slot.sender, {})
            for nonce in sorted(nonce for nonce in nonces if nonce <= slot.nonce):
                if nonces[nonce] == slot.hash:
                    reason, detail = Reason.PENDING_INCLUDED, "a block holds it"
                else:
                    used = f"0x{slot.hash.hex()} with nonce {slot.nonce}"
                    reason, detail = Reason.PENDING_REPLACED, f"a block holds {used} of the same sender"
                dropped.append(self._drop(nonces[nonce], reason, detail))
        return dropped

    def expire(self, now_ns: int) -> list[Dropped]:
        """Drop what has waited too long by now, in wall-clock nanoseconds."""
        dropped = []
        while self._waiting:
            transaction = next(iter(self._waiting.values()))
            waited_ns = now_ns - transaction.known_at_ns
            if waited_ns <= self._longest_ns:
                break
            detail = f"it waited {waited_ns / 1e9:.0f} s, limit {self._longest_ns / 1e9:.0f} s"
            dropped.append(self._drop(transaction.hash, Reason.PENDING_EXPIRED, detail))
        return dropped

    def _evict(self) -> Dropped:
        while True:
            price, _, transaction_hash = heapq.heappop(self._cheapest)
            if transaction_hash in self._waiting:
                detail = f"{self._capacity} wait already and it offers least, {price} wei per gas"
                return self._drop(transaction_hash, Reason.PENDING_EVICTED, detail)

    def _drop(self, transaction_hash: bytes, reason: Reason, detail: str) -> Dropped:
        transaction = self._waiting.pop(transaction_hash)
        nonces = self._nonces[transaction.sender]
        del nonces[transaction.nonce]
        if not nonces:
            del self._nonces[transaction.sender]
        if len(self._cheapest) > 2 * self._capacity:  # most of them are gone already
            self._cheapest = [_rank(each) for each in self._waiting.values()]
            heapq.heapify(self._cheapest)
        self.dropped[reason] += 1
        return Dropped(transaction, Refusal(reason, detail))


def _rank(transaction: PendingTransaction) -> tuple[int, int, bytes]:
    return transaction.max_fee_per_gas, transaction.known_at_ns, transaction.hash
