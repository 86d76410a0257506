"""The builder's own copy of the public mempool: per sender in nonce order, dearest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping

from chain.blocks import Address
from core.reasons import Reason, Refusal
from execution.relays.transactions import SignedTransaction

_REPLACEMENT_PERCENT = 10


class PublicMempool:
    """Transactions that everybody may see and that wait for a block."""

    def __init__(self) -> None:
        self._by_sender: dict[Address, dict[int, SignedTransaction]] = {}

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._by_sender.values())

    def __iter__(self) -> Iterator[SignedTransaction]:
        for waiting in self._by_sender.values():
            yield from waiting.values()

    def add(self, transaction: SignedTransaction) -> Refusal | None:
        """Take a transaction, or say why not.

        A second one with the same nonce replaces the first only if both its fees are at least
        10 % higher, as nodes ask.
        """
        waiting = self._by_sender.setdefault(transaction.sender, {})
        known = waiting.get(transaction.nonce)
        if known is not None and known.hash != transaction.hash and not _outbids(transaction, known):
            return Refusal(
                Reason.BAD_NONCE,
                f"nonce {transaction.nonce} is taken by 0x{known.hash.hex()}; raise both fees by "
                f"{_REPLACEMENT_PERCENT} % to replace it",
            )
        waiting[transaction.nonce] = transaction
        return None

    def remove_used(self, nonces: Mapping[Address, int]) -> None:
        """Forget what a block has made unusable, given each sender's next nonce."""
        for sender, next_nonce in nonces.items():
            waiting = self._by_sender.get(sender, {})
            for nonce in [nonce for nonce in waiting if nonce < next_nonce]:
                del waiting[nonce]
            if not waiting:
                self._by_sender.pop(sender, None)

    def in_order(self, base_fee: int, nonces: Mapping[Address, int]) -> Iterable[SignedTransaction]:
        """Yield what can run now, dearest first, each sender's in nonce order; ties by hash.

        Parameters
        ----------
        base_fee
            Wei per gas of the block to fill; who offers less waits.
        nonces
            Next nonce of every sender; one that is missing or ahead makes its sender wait.
        """
        heads: list[tuple[int, bytes, SignedTransaction]] = []
        for sender in self._by_sender:
            self._push(heads, sender, nonces.get(sender, -1), base_fee)
        while heads:
            transaction = heapq.heappop(heads)[2]
            yield transaction
            self._push(heads, transaction.sender, transaction.nonce + 1, base_fee)

    def _push(
        self,
        heads: list[tuple[int, bytes, SignedTransaction]],
        sender: Address,
        nonce: int,
        base_fee: int,
    ) -> None:
        transaction = self._by_sender[sender].get(nonce)
        if transaction is not None and transaction.priority_fee(base_fee) >= 0:
            heapq.heappush(heads, (-transaction.priority_fee(base_fee), transaction.hash, transaction))


def _outbids(new: SignedTransaction, old: SignedTransaction) -> bool:
    factor = 100 + _REPLACEMENT_PERCENT
    return (
        new.max_fee * 100 >= old.max_fee * factor
        and new.max_priority_fee * 100 >= old.max_priority_fee * factor
    )
