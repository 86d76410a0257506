"""Why a bundle was lost: what was decided, what beat it, and what would have won.

The journal alone answers. No chain is asked, so a run whose chain is gone can be looked into.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.records import WEI_PER_ETH
from core.errors import ExecutionError
from core.reasons import Reason
from core.seams import Randomness
from execution.command import Decision, Settlement
from models.bidding import BidModel


@dataclass(frozen=True, slots=True)
class PostMortem:
    """A settled bundle beside the decision that sent it. All money is wei.

    Parameters
    ----------
    decision, settlement
        As the journal has them.
    """

    decision: Decision
    settlement: Settlement

    @property
    def block_number(self) -> int:
        """The one block that the bundle was for."""
        return self.decision.target_block

    @property
    def verdict(self) -> Reason:
        """What became of it."""
        return self.settlement.verdict

    @property
    def lost(self) -> bool:
        """Whether it brought nothing."""
        return self.verdict is not Reason.LANDED

    @property
    def gross(self) -> int:
        """What the cycle would give back beyond what it takes."""
        return self.decision.opportunity.gross_profit

    @property
    def share(self) -> float:
        """Our bid over the gross profit."""
        return self.decision.bid / self.gross

    @property
    def winning_share(self) -> float | None:
        """What the winner paid over our gross profit; ``None`` if nobody is known to have won."""
        paid = self.settlement.winning_bid
        return None if paid is None else paid / self.gross

    @property
    def winners_gas(self) -> int | None:
        """Gas of the transaction that outbid us; ``None`` if none did, or its payment is not known."""
        return self.settlement.rival_gas if self.verdict is Reason.OUTBID else None

    @property
    def least_winning_bid(self) -> int | None:
        """The smallest bid that a builder would have put first; ``None`` if no bid is known to.

        Builders rank by what is paid per unit of gas, so a winner that used more gas than we would have is
        beaten by less than it paid.
        """
        outbid = self.verdict is Reason.OUTBID
        return self.settlement.least_winning_bid(self.decision.gas_estimate) if outbid else None

    def left_after(self, bid: int) -> int:
        """Return what winning with a bid would have left after gas; below zero if it costs more.

        Parameters
        ----------
        bid
            Wei.
        """
        return self.gross - self.decision.gas_cost - bid

    @property
    def forgone(self) -> int:
        """What the least winning bid would have left; 0 if there is none, or nothing would be left."""
        least = self.least_winning_bid
        return 0 if least is None else max(self.left_after(least), 0)


def post_mortems(decisions: Iterable[Decision], settlements: Iterable[Settlement]) -> tuple[PostMortem, ...]:
    """Return every settled bundle with its decision, in the order of their blocks.

    Parameters
    ----------
    decisions, settlements
        As :class:`execution.journal.Journal` reads them.

    Raises
    ------
    ExecutionError
        If the decision of a settlement is missing.
    """
    known = {decision.decision_id: decision for decision in decisions}
    found = []
    for settlement in settlements:
        decision = known.get(settlement.decision_id)
        if decision is None:
            raise ExecutionError(
                "a settlement has no decision; read both from the same journal",
                bundle_id=settlement.bundle_id,
                decision_id=settlement.decision_id,
            )
        found.append(PostMortem(decision, settlement))
    return tuple(sorted(found, key=lambda each: (each.block_number, each.settlement.bundle_id)))


def dearest_loss(settled: Sequence[PostMortem]) -> PostMortem | None:
    """Return the lost bundle that a better bid would have saved most on; ``None`` if none was lost."""
    lost = [each for each in settled if each.lost]
    return max(lost, key=lambda each: (each.forgone, each.gross), default=None)


def auctions_known_to(one: PostMortem, settled: Sequence[PostMortem]) -> tuple[PostMortem, ...]:
    """Return the auctions, won or lost, from which a bid could have been learned.

    A bundle leaves before the one for the block at hand is settled, so it knows all blocks but the last.

    Parameters
    ----------
    one
        The bundle that bid.
    settled
        All bundles of its run, in the order of their blocks.
    """
    return tuple(
        each
        for each in settled
        if each.block_number < one.block_number - 1 and each.verdict in (Reason.LANDED, Reason.OUTBID)
    )


def bids_learned_from(auctions: Iterable[PostMortem]) -> BidModel:
    """Return a bid model that has learned from these auctions, as the live loop lets it learn."""
    model = BidModel(Randomness(0), exploration=0.0)
    for each in auctions:
        least = each.least_winning_bid
        model.observe(each.gross, each.decision.bid, not each.lost, None if least is None else least - 1)
    return model


def explain(one: PostMortem) -> str:
    """Return in a few sentences why a bundle was lost, or that it was not."""
    if one.verdict is not Reason.OUTBID:
        return f"{_MEANING[one.verdict]}: {one.settlement.detail}."
    paid, least = one.settlement.winning_bid, one.least_winning_bid
    ours = f"We offered {_eth(one.decision.bid)}, {one.share:.1%} of the gross profit."
    if paid is None or least is None:
        unknown = "what it paid" if paid is None else "its price of gas"
        return f"{ours} A competitor took it; {unknown} is not known."
    left = one.left_after(least)
    outcome = f"left {_eth(left)} after gas" if left > 0 else f"cost {_eth(-left)} more than it brings"
    return (
        f"{ours} A competitor paid {_eth(paid)}, {one.winning_share:.1%}. "
        f"{_eth(least)} would have won and {outcome}."
    )


_MEANING = {
    Reason.LANDED: "It was not lost",
    Reason.STATE_MOVED: "A pool of the cycle moved before its turn came, and nobody outbid it for that",
    Reason.REVERTED: "It was in the block and failed there",
    Reason.LATE: "It came too late",
    Reason.NEVER_SIMULATED: "No builder used it",
}


def _eth(wei: int) -> str:
    return f"{wei / WEI_PER_ETH:.4g} ETH"
