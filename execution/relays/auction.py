"""Records of the sealed-bid auction for one block: who offered what, who won, why the others lost."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from chain.blocks import Address
from core.reasons import Refusal
from execution.relays.transactions import SignedTransaction


@dataclass(frozen=True, slots=True)
class PendingBundle:
    """A bundle that waits at the builder.

    Parameters
    ----------
    bundle_hash
        Keccak of its transaction hashes.
    transactions
        In order.
    first_block, last_block
        Blocks it is valid for; the same one, except for private transactions.
    signer
        Identity that signed the request.
    reverting
        Hashes of transactions that may revert.
    min_timestamp, max_timestamp
        Seconds; the block's timestamp must lie between, if given.
    replacement_uuid
        Name under which its signer may replace or withdraw it.
    """

    bundle_hash: bytes
    transactions: tuple[SignedTransaction, ...]
    first_block: int
    last_block: int
    signer: Address
    reverting: frozenset[bytes] = frozenset()
    min_timestamp: int | None = None
    max_timestamp: int | None = None
    replacement_uuid: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """How one bundle did in the auction.

    Parameters
    ----------
    bundle_hash, signer
        Whose.
    transaction_hashes
        In order.
    gas_used
        Gas at the top of the block; 0 if it could not run there.
    payment
        Wei to the fee recipient at the top of the block, by fees and transfers.
    refusal
        ``None`` if it is in the block, else why not.
    """

    bundle_hash: bytes
    signer: Address
    transaction_hashes: tuple[bytes, ...]
    gas_used: int
    payment: int
    refusal: Refusal | None

    @property
    def included(self) -> bool:
        """Whether it is in the block."""
        return self.refusal is None

    @property
    def price(self) -> int:
        """Whole wei per gas, as relays show it."""
        return int(self.exact_price)

    @property
    def exact_price(self) -> Fraction:
        """Wei per gas by which bundles are ranked; a wei more is enough to win."""
        return Fraction(self.payment, self.gas_used) if self.gas_used else Fraction(0)


@dataclass(frozen=True, slots=True)
class AuctionResult:
    """A mined block and the auction that filled it.

    Parameters
    ----------
    block_number, block_hash, timestamp, base_fee
        The block.
    entries
        Every bundle that was for this block, dearest first.
    public
        Hashes of the public transactions behind the bundles, in order.
    gas_used
        Gas of the block.
    """

    block_number: int
    block_hash: bytes
    timestamp: int
    base_fee: int
    entries: tuple[Entry, ...]
    public: tuple[bytes, ...]
    gas_used: int

    @property
    def winner(self) -> Entry | None:
        """The bundle at the top of the block."""
        return next((entry for entry in self.entries if entry.included), None)

    def entry(self, bundle_hash: bytes) -> Entry | None:
        """Return how this bundle did, ``None`` if it never reached the auction."""
        return next((entry for entry in self.entries if entry.bundle_hash == bundle_hash), None)
