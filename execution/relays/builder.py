"""The local block builder: a sealed-bid auction for bundles, then the public mempool.

Candidates are executed by simulation only. The chain moves exactly once a block, and what it
then says must equal what was simulated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from chain.blocks import Address, BlockHeader, next_base_fee
from core.errors import InputError
from core.reasons import Reason, Refusal
from execution.prestate import Rpc, TargetBlock
from execution.relays.assembly import BlockAssembly, impossible
from execution.relays.auction import AuctionResult, Entry, PendingBundle
from execution.relays.block_simulation import Outcome, simulate_block
from execution.relays.commit import commit_block, fetch_header
from execution.relays.mempool import PublicMempool
from execution.relays.transactions import SignedTransaction

_Key = tuple[bytes, Address, int]
"""A bundle may be sent for several blocks, and somebody else may send a copy of it."""


class Builder:
    """Builds every block of one local chain.

    Parameters
    ----------
    rpc
        The chain's node; mines only when this builder asks it to.
    chain_id
        Chain for which transactions must be signed.
    fee_recipient
        Who is paid; ``block.coinbase`` of every block.
    block_time
        Seconds between blocks.
    """

    def __init__(self, rpc: Rpc, *, chain_id: int, fee_recipient: Address, block_time: int) -> None:
        self.chain_id = chain_id
        self.mempool = PublicMempool()
        self._rpc = rpc
        self._fee_recipient = fee_recipient
        self._block_time = block_time
        self._bundles: dict[_Key, PendingBundle] = {}
        self._results: dict[int, AuctionResult] = {}
        # what is admitted is checked against a head that must not move meanwhile
        self._busy = asyncio.Lock()

    @property
    def results(self) -> tuple[AuctionResult, ...]:
        """Every auction held, oldest first."""
        return tuple(self._results.values())

    def result(self, block_number: int) -> AuctionResult | None:
        """Return the auction of a block, ``None`` if this builder did not build it."""
        return self._results.get(block_number)

    async def head(self) -> BlockHeader:
        """Return the latest block's header."""
        return await fetch_header(self._rpc, "latest")

    def target_after(self, head: BlockHeader) -> TargetBlock:
        """Return the block that this builder will put on ``head``."""
        return TargetBlock(
            number=head.number + 1,
            timestamp=head.timestamp + self._block_time,
            base_fee=next_base_fee(head),
            fee_recipient=self._fee_recipient,
            gas_limit=head.gas_limit,
        )

    async def add_bundle(self, bundle: PendingBundle) -> Refusal | None:
        """Take a bundle, or say why not; one for the next block is executed right away."""
        async with self._busy:
            head = await self.head()
            if bundle.last_block <= head.number:
                return Refusal(
                    Reason.BLOCK_PASSED, f"it is for block {bundle.last_block}, the head is {head.number}"
                )
            if bundle.first_block <= head.number + 1:
                nonces = await self._nonces(bundle.transactions, "latest")
                assembly = BlockAssembly(self._rpc, self.target_after(head), nonces)
                tried = await assembly.attempt(bundle)
                if isinstance(tried, Refusal):
                    return tried
            if bundle.replacement_uuid is not None:
                self.cancel(bundle.signer, bundle.replacement_uuid)
            self._bundles[_key(bundle)] = bundle
            return None

    async def add_public(self, transaction: SignedTransaction) -> Refusal | None:
        """Take a transaction into the public mempool, or say why not."""
        async with self._busy:
            target = self.target_after(await self.head())
            sender = transaction.sender
            nonce = (await self._nonces([transaction], "latest"))[sender]
            if transaction.nonce < nonce:
                return Refusal(Reason.BAD_NONCE, f"nonce {transaction.nonce} is used, the next is {nonce}")
            refusal = impossible([transaction], target, {sender: transaction.nonce})
            if refusal is not None:
                return refusal
            balance = int(await self._rpc.call("eth_getBalance", [sender, "latest"]), 16)
            cost = transaction.most_it_can_cost
            if cost > balance:
                return Refusal(Reason.NO_FUNDS, f"it can cost {cost} wei, {sender} owns {balance}")
            return self.mempool.add(transaction)

    def cancel(self, signer: Address, replacement_uuid: str) -> bool:
        """Withdraw this signer's bundle of this name; tell whether there was one."""
        named = [
            key
            for key, bundle in self._bundles.items()
            if (bundle.signer, bundle.replacement_uuid) == (signer, replacement_uuid)
        ]
        for key in named:
            del self._bundles[key]
        return bool(named)

    async def simulate(
        self, transactions: Sequence[SignedTransaction], target: TargetBlock, state: str
    ) -> tuple[Outcome, ...]:
        """Execute transactions at the head of ``target`` on a given state, for ``eth_callBundle``.

        Raises
        ------
        InputError
            If a fee or nonce makes one of them impossible; ``fields['reason']`` says which.
        SimulationError
            If the node refuses to execute one at all.
        """
        refusal = impossible(transactions, target, await self._nonces(transactions, state))
        if refusal is not None:
            raise InputError(refusal.detail, reason=refusal.reason)
        return await simulate_block(self._rpc, target, transactions, state)

    async def build(self) -> AuctionResult:
        """Hold the auction for the next block, mine it and return the result.

        Raises
        ------
        DevnetError
            If the mined block is not the simulated one, or something else moved the chain.
        """
        async with self._busy:
            head = await self.head()
            target = self.target_after(head)
            bundles = [b for b in self._bundles.values() if b.first_block <= target.number <= b.last_block]
            offered = [transaction for bundle in bundles for transaction in bundle.transactions]
            nonces = await self._nonces([*offered, *self.mempool], "latest")
            assembly = BlockAssembly(self._rpc, target, nonces)
            entries = await _auction(assembly, bundles)
            public = await assembly.fill(self.mempool.in_order(target.base_fee, assembly.nonces))
            mined = await commit_block(self._rpc, target, head, assembly.included)
            self._forget(target.number, assembly.nonces)
            result = AuctionResult(
                block_number=mined.number,
                block_hash=mined.hash,
                timestamp=mined.timestamp,
                base_fee=mined.base_fee,
                gas_used=mined.gas_used,
                entries=entries,
                public=public,
            )
            self._results[mined.number] = result
            return result

    def _forget(self, mined: int, nonces: dict[Address, int]) -> None:
        self.mempool.remove_used(nonces)
        over = [key for key, bundle in self._bundles.items() if self._is_over(bundle, mined, nonces)]
        for key in over:
            del self._bundles[key]

    @staticmethod
    def _is_over(bundle: PendingBundle, mined: int, nonces: dict[Address, int]) -> bool:
        first = bundle.transactions[0]
        return bundle.last_block <= mined or first.nonce < nonces.get(first.sender, 0)

    async def _nonces(self, transactions: Iterable[SignedTransaction], state: str) -> dict[Address, int]:
        senders = sorted({transaction.sender for transaction in transactions})
        answers = await asyncio.gather(
            *(self._rpc.call("eth_getTransactionCount", [sender, state]) for sender in senders)
        )
        return {sender: int(answer, 16) for sender, answer in zip(senders, answers, strict=True)}


def _key(bundle: PendingBundle) -> _Key:
    return bundle.bundle_hash, bundle.signer, bundle.first_block


async def _auction(assembly: BlockAssembly, bundles: Sequence[PendingBundle]) -> tuple[Entry, ...]:
    """Put bundles into an empty block, dearest first, and return how each one did."""
    offers = [(bundle, await _offer(assembly, bundle)) for bundle in bundles]
    offers.sort(key=lambda offer: (-offer[1].exact_price, offer[1].bundle_hash))
    entries: list[Entry] = []
    for bundle, entry in offers:
        refusal = entry.refusal or await _include(assembly, bundle, entry, entries)
        entries.append(replace(entry, refusal=refusal))
    return tuple(entries)


async def _offer(assembly: BlockAssembly, bundle: PendingBundle) -> Entry:
    """Return what the bundle is worth at the top of the block."""
    tried = await assembly.attempt(bundle)
    outcomes, refusal = ((), tried) if isinstance(tried, Refusal) else (tried, None)
    return Entry(
        bundle_hash=bundle.bundle_hash,
        signer=bundle.signer,
        transaction_hashes=tuple(transaction.hash for transaction in bundle.transactions),
        gas_used=sum(outcome.gas_used for outcome in outcomes),
        payment=sum(outcome.payment for outcome in outcomes),
        refusal=refusal,
    )


async def _include(
    assembly: BlockAssembly, bundle: PendingBundle, top: Entry, ahead: Sequence[Entry]
) -> Refusal | None:
    """Put the bundle behind those that pay more, if it still does what it did at the top."""
    tried = await assembly.attempt(bundle)
    if not isinstance(tried, Refusal):
        payment = sum(outcome.payment for outcome in tried)
        if payment >= top.payment:
            assembly.take(bundle.transactions, tried)
            return None
        why = f"pays {payment} wei instead of {top.payment}"
    elif tried.reason is Reason.BLOCK_FULL:
        return tried
    else:
        why = f"fails: {tried.detail}"
    winners = ", ".join(f"0x{e.bundle_hash.hex()[:8]} at {e.price}" for e in ahead if e.included)
    return Refusal(Reason.OUTBID, f"offers {top.price} wei per gas; behind {winners} it {why}")
