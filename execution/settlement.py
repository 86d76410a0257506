"""What became of a bundle: one verdict, and the money to the wei.

The accounting identity of a landed trade, all in wei:

    gross profit = profit + bid + gas cost

The gross profit is what the cycle gave back beyond what it took. The bid is what the executor
unwrapped to pay the block's fee recipient; it shows as a ``Withdrawal`` of the wrapped native
token. What stays in the executor is the sum of all transfers of the profit token to it, less
those from it, less withdrawals (which the token burns without a transfer), plus deposits. Gas
is paid by the operator's account: gas used times the effective price. Profit is what stays
less gas. Each is read from the receipt, none from what was planned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from chain.blocks import Address, RawLog
from core.errors import ExecutionError
from core.reasons import Reason
from execution.command import Bundle, Decision, Settlement, least_winning_bid

TRANSFER_TOPIC = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
WITHDRAWAL_TOPIC = bytes.fromhex("7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65")
DEPOSIT_TOPIC = bytes.fromhex("e1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a block says about one transaction.

    Parameters
    ----------
    transaction_hash
        32 bytes.
    block_number, transaction_index
        Where it stands.
    ok
        Whether it did not revert.
    gas_used
        Gas.
    effective_gas_price
        Wei per gas, base fee and tip.
    logs
        Its events.
    """

    transaction_hash: bytes
    block_number: int
    transaction_index: int
    ok: bool
    gas_used: int
    effective_gas_price: int
    logs: tuple[RawLog, ...]


@dataclass(frozen=True, slots=True)
class Rival:
    """Another transaction of the target block that touched pools of our cycle.

    Parameters
    ----------
    transaction_hash
        32 bytes.
    transaction_index
        Position in the block.
    pools
        Pools of our cycle that it touched.
    gas_used
        Gas.
    payment
        Wei to the fee recipient, tips and transfers together; ``None`` if the node cannot tell.
    """

    transaction_hash: bytes
    transaction_index: int
    pools: tuple[str, ...]
    gas_used: int
    payment: int | None

    @property
    def is_arbitrage(self) -> bool:
        """Whether it touched two pools of our cycle or more, as only an arbitrage would."""
        return len(self.pools) >= 2


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """Everything a verdict is made of.

    Parameters
    ----------
    block_number
        Height of the target block.
    receipt
        Of our transaction; ``None`` if it is in no block.
    rivals
        In block order.
    accepted
        Whether at least one relay took the bundle.
    late
        Whether it left only after the target block was there.
    """

    block_number: int
    receipt: Receipt | None
    rivals: tuple[Rival, ...]
    accepted: bool
    late: bool


def token_change(logs: Iterable[RawLog], token: Address, holder: Address, weth: Address) -> int:
    """Return by how much a holder's balance of a token changed, in raw units.

    Parameters
    ----------
    logs
        Events of the transaction.
    token, holder
        Whose balance of what.
    weth
        Wrapped native token: the one whose deposits and withdrawals are no transfers.

    Examples
    --------
    >>> weth, me, you = ("0x" + digit * 40 for digit in "abc")
    >>> word = lambda address: bytes(12) + bytes.fromhex(address[2:])
    >>> amount = (5).to_bytes(32, "big")
    >>> paid = RawLog(1, 0, 0, b"", weth, (TRANSFER_TOPIC, word(you), word(me)), amount)
    >>> token_change([paid], weth, me, weth), token_change([paid], weth, you, weth)
    (5, -5)
    """
    change = 0
    for log in logs:
        if log.address != token or not log.topics:
            continue
        kind = log.topics[0]
        if kind == TRANSFER_TOPIC and len(log.topics) == 3:
            change += _amount(log) * (_is(log.topics[2], holder) - _is(log.topics[1], holder))
        elif token == weth and len(log.topics) == 2 and _is(log.topics[1], holder):
            if kind == WITHDRAWAL_TOPIC:
                change -= _amount(log)
            elif kind == DEPOSIT_TOPIC:
                change += _amount(log)
    return change


def unwrapped(logs: Iterable[RawLog], holder: Address, weth: Address) -> int:
    """Return how much wrapped native token a holder turned into wei."""
    return sum(
        _amount(log)
        for log in logs
        if log.address == weth
        and len(log.topics) == 2
        and log.topics[0] == WITHDRAWAL_TOPIC
        and _is(log.topics[1], holder)
    )


def settle(
    bundle: Bundle, decision: Decision, facts: BlockFacts, *, executor: Address, weth: Address
) -> Settlement:
    """Return what became of a bundle.

    Our transaction is the last of the bundle; those before it are somebody else's.

    Parameters
    ----------
    bundle, decision
        What was sent, and why.
    facts
        The target block as it came.
    executor
        Our contract.
    weth
        Wrapped native token.

    Raises
    ------
    ExecutionError
        If bundle, decision and facts do not belong together.
    """
    _check_same(bundle, decision, facts)
    if facts.receipt is not None:
        return _settle_included(bundle, decision, facts.receipt, executor, weth)
    why = _why_not_included(decision, facts)
    return Settlement(
        bundle_id=bundle.bundle_id,
        decision_id=decision.decision_id,
        verdict=why.verdict,
        detail=why.detail,
        block_number=facts.block_number,
        profit=0,
        gas_used=0,
        gas_cost=0,
        bid=decision.bid,
        winning_bid=None if why.winner is None else why.winner.payment,
        rival_payment=None if why.rival is None else why.rival.payment,
        rival_gas=None if why.rival is None else why.rival.gas_used,
    )


def _check_same(bundle: Bundle, decision: Decision, facts: BlockFacts) -> None:
    receipt = facts.receipt
    ours = receipt is None or receipt.transaction_hash == bundle.transaction_hashes[-1]
    if bundle.decision_id != decision.decision_id or bundle.target_block != facts.block_number or not ours:
        raise ExecutionError(
            "bundle, decision and facts do not belong together; gather facts for this bundle",
            bundle_id=bundle.bundle_id,
            decision_id=decision.decision_id,
            block_number=facts.block_number,
        )


def _settle_included(
    bundle: Bundle, decision: Decision, receipt: Receipt, executor: Address, weth: Address
) -> Settlement:
    gas_cost = receipt.gas_used * receipt.effective_gas_price
    if receipt.ok:
        kept = token_change(receipt.logs, decision.opportunity.token, executor, weth)
        bid = unwrapped(receipt.logs, executor, weth)
        verdict, profit = Reason.LANDED, kept - gas_cost
        detail = f"kept {kept} wei, paid {bid} to the builder and {gas_cost} for gas"
    else:
        verdict, profit, bid = Reason.REVERTED, -gas_cost, 0
        detail = f"reverted in block {receipt.block_number}, {gas_cost} wei of gas lost"
    return Settlement(
        bundle_id=bundle.bundle_id,
        decision_id=decision.decision_id,
        verdict=verdict,
        detail=detail,
        block_number=receipt.block_number,
        profit=profit,
        gas_used=receipt.gas_used,
        gas_cost=gas_cost,
        bid=bid,
        winning_bid=bid if receipt.ok else None,
    )


@dataclass(frozen=True, slots=True)
class _Why:
    """``winner`` is the arbitrage that took our trade, ``rival`` who is ranked first of those before us."""

    verdict: Reason
    detail: str
    winner: Rival | None = None
    rival: Rival | None = None


def _why_not_included(decision: Decision, facts: BlockFacts) -> _Why:
    """Return why we are in no block, the most certain cause first."""
    if facts.late:
        return _Why(Reason.LATE, f"sent when block {facts.block_number} was already there")
    if not facts.accepted:
        return _Why(Reason.NEVER_SIMULATED, "no relay took the bundle")
    arbitrages = [rival for rival in facts.rivals if rival.is_arbitrage]
    winner = max(arbitrages, key=_price, default=None)
    if winner is not None and _outbids(winner, decision):
        paid = "an unknown amount" if winner.payment is None else f"{winner.payment} wei"
        detail = (
            f"transaction 0x{winner.transaction_hash.hex()} paid {paid} for {winner.gas_used} gas, "
            f"we offered {decision.bid} for about {decision.gas_estimate}"
        )
        return _Why(Reason.OUTBID, detail, winner, _first_if_told(arbitrages))
    if facts.rivals:
        first = facts.rivals[0]
        detail = f"transaction 0x{first.transaction_hash.hex()} moved pool {first.pools[0]}"
        return _Why(Reason.STATE_MOVED, detail, winner, _first_if_told(facts.rivals))
    return _Why(Reason.NEVER_SIMULATED, "accepted, not included, and nobody touched its pools")


def _price(rival: Rival) -> Fraction:
    """Return wei per gas; below every other if the payment is unknown."""
    return Fraction(-1) if rival.payment is None else Fraction(rival.payment, max(rival.gas_used, 1))


def _first_if_told(rivals: Sequence[Rival]) -> Rival | None:
    return None if any(rival.payment is None for rival in rivals) else max(rivals, key=_price)


def _outbids(rival: Rival, decision: Decision) -> bool:
    """Return whether a builder may rank the rival before us, by its payment per gas.

    One that paid less per gas did not win an auction against us: it was simply there first.
    """
    if rival.payment is None:
        return True
    return decision.bid < least_winning_bid(rival.payment, rival.gas_used, decision.gas_estimate)


def _amount(log: RawLog) -> int:
    return int.from_bytes(log.data[:32], "big")


def _is(topic: bytes, address: Address) -> bool:
    return topic[-20:].hex() == address[2:]
