"""A block in the making: what is in it so far, and what a candidate would do behind that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chain.blocks import Address
from core.errors import SimulationError
from core.reasons import Reason, Refusal
from execution.prestate import Rpc, TargetBlock
from execution.relays.auction import PendingBundle
from execution.relays.block_simulation import Outcome, simulate_block
from execution.relays.transactions import SignedTransaction


class BlockAssembly:
    """Fills one block on the latest state, by simulation only.

    Parameters
    ----------
    rpc
        Node whose latest block is the parent.
    target
        The block to fill.
    nonces
        Next nonce of every sender that may appear.
    """

    def __init__(self, rpc: Rpc, target: TargetBlock, nonces: dict[Address, int]) -> None:
        self.target = target
        self.nonces = dict(nonces)
        self.included: list[tuple[SignedTransaction, Outcome]] = []
        self._rpc = rpc

    @property
    def gas_used(self) -> int:
        """Gas of what is in the block."""
        return sum(outcome.gas_used for _, outcome in self.included)

    async def attempt(self, bundle: PendingBundle) -> tuple[Outcome, ...] | Refusal:
        """Execute a bundle behind what is in the block, or say why it cannot be there."""
        low, high, now = bundle.min_timestamp, bundle.max_timestamp, self.target.timestamp
        if (low is not None and now < low) or (high is not None and now > high):
            return Refusal(Reason.BLOCK_PASSED, f"the block's time {now} is outside {low}..{high}")
        refusal = impossible(bundle.transactions, self.target, self.nonces)
        if refusal is not None:
            return refusal
        try:
            outcomes = await self._execute(bundle.transactions)
        except SimulationError as error:
            return Refusal(Reason.BUNDLE_REVERTS, str(error))
        for transaction, outcome in zip(bundle.transactions, outcomes, strict=True):
            if not outcome.ok and transaction.hash not in bundle.reverting:
                return Refusal(
                    Reason.BUNDLE_REVERTS,
                    f"transaction 0x{transaction.hash.hex()} reverts with 0x{outcome.output.hex()}",
                )
        if self._fitting(bundle.transactions, outcomes) < len(outcomes):
            return Refusal(Reason.BLOCK_FULL, f"{self.gas_used} of {self.target.gas_limit} gas are taken")
        return outcomes

    def take(self, transactions: Sequence[SignedTransaction], outcomes: Sequence[Outcome]) -> None:
        """Put executed transactions at the end of the block."""
        self.included += zip(transactions, outcomes, strict=True)
        for transaction in transactions:
            self.nonces[transaction.sender] = transaction.nonce + 1

    async def fill(self, candidates: Iterable[SignedTransaction]) -> tuple[bytes, ...]:
        """Add public transactions as far as there is room, and return their hashes.

        They may revert: a public transaction that fails still pays its fee.
        """
        start = len(self.included)
        waiting = list(candidates)
        try:
            self._take_fitting(waiting, await self._execute(waiting))
        except SimulationError:
            await self._fill_one_by_one(waiting)
        return tuple(transaction.hash for transaction, _ in self.included[start:])

    async def _fill_one_by_one(self, candidates: Sequence[SignedTransaction]) -> None:
        """Find out who cannot be executed at all, and leave out what follows from the same sender."""
        stuck: set[Address] = set()
        for transaction in candidates:
            if transaction.sender in stuck:
                continue
            try:
                self._take_fitting([transaction], await self._execute([transaction]))
            except SimulationError:
                stuck.add(transaction.sender)

    def _take_fitting(self, transactions: Sequence[SignedTransaction], outcomes: Sequence[Outcome]) -> None:
        count = self._fitting(transactions, outcomes)
        self.take(transactions[:count], outcomes[:count])

    def _fitting(self, transactions: Sequence[SignedTransaction], outcomes: Sequence[Outcome]) -> int:
        """Count how many fit; a node asks for room for the gas *limit*, then books the gas used."""
        used = self.gas_used
        for index, (transaction, outcome) in enumerate(zip(transactions, outcomes, strict=True)):
            if used + transaction.gas_limit > self.target.gas_limit:
                return index
            used += outcome.gas_used
        return len(transactions)

    async def _execute(self, transactions: Sequence[SignedTransaction]) -> tuple[Outcome, ...]:
        before = [transaction for transaction, _ in self.included]
        parent = hex(self.target.number - 1)
        outcomes = await simulate_block(self._rpc, self.target, [*before, *transactions], parent)
        return outcomes[len(before) :]


def impossible(
    transactions: Sequence[SignedTransaction], target: TargetBlock, nonces: dict[Address, int]
) -> Refusal | None:
    """Return why these cannot be in the block in this order, which a simulation does not check.

    Parameters
    ----------
    transactions
        In order.
    target
        The block.
    nonces
        Next nonce of every sender before them.
    """
    expected = dict(nonces)
    for transaction in transactions:
        label = f"transaction 0x{transaction.hash.hex()}"
        nonce = expected[transaction.sender]
        if transaction.priority_fee(target.base_fee) < 0:
            return Refusal(
                Reason.BELOW_BASE_FEE,
                f"{label} pays at most {transaction.max_fee} wei per gas, the base fee is {target.base_fee}",
            )
        if transaction.nonce != nonce:
            return Refusal(Reason.BAD_NONCE, f"{label} has nonce {transaction.nonce}, the next is {nonce}")
        if transaction.gas_limit > target.gas_limit:
            return Refusal(
                Reason.BLOCK_FULL,
                f"{label} asks for {transaction.gas_limit} gas, a block has {target.gas_limit}",
            )
        expected[transaction.sender] = nonce + 1
    return None
