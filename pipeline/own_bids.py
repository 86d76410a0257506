"""A run's own bids, read from its journal: what each policy of bidding would have kept of the same trades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.reasons import Reason, Refusal
from core.seams import Randomness
from execution.bid_draws import BidDraw
from execution.command import Decision, Settlement
from execution.journal import Journal
from models.bootstrap import block_length
from models.drawn_bid import MILLION, bids_of
from models.intervals import Estimate, ratio_interval
from models.off_policy import Floats, PolicyValue
from models.sent_bids import NEVER, UNKNOWN, SentBids, sent_gain, sent_value

COMPETED = (Reason.LANDED, Reason.OUTBID, Reason.STATE_MOVED, Reason.REVERTED)
"""Verdicts on bundles that were there in time and that somebody may have come before. All of them are judged:
to judge only those that a bid decided would choose rows by what we bid. The others never met a rival."""

FIXED_PPM = (300_000, 500_000, 700_000, 900_000)


@dataclass(frozen=True, slots=True)
class OwnBidRow:
    """What one policy would have done.

    Parameters
    ----------
    policy
        Name.
    kept
        Share of the value kept an auction, or why it cannot be estimated.
    gain
        The same less what our bids kept.
    """

    policy: str
    kept: PolicyValue | Refusal
    gain: Estimate | Refusal


@dataclass(frozen=True, slots=True)
class OwnBids:
    """A journal's bids, judged.

    Parameters
    ----------
    policies
        Name and version of who drew the bids, with how many are judged.
    auctions, won, tries
        Judged auctions, those won, and those where another share was drawn than without tries.
    unknown
        Lost auctions of which nobody knows what would have won.
    outranked
        Auctions that were lost though our price was the better one: no bid would have won.
    set_aside
        Bundles that met no rival, by verdict.
    not_drawn
        Settled bundles whose bid was not logged as a draw, or among other shares.
    kept
        Share of the value that our bids kept an auction; none if nothing is judged.
    rows
        The policies; none if nothing is judged.
    """

    policies: Mapping[str, int]
    auctions: int
    won: int
    tries: int
    unknown: int
    outranked: int
    set_aside: Mapping[str, int]
    not_drawn: int
    kept: Estimate | None
    rows: tuple[OwnBidRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values; a refusal as its reason and detail."""
        plain = asdict(self)
        for written, row in zip(plain["rows"], self.rows, strict=True):
            for name in ("kept", "gain"):
                refused = getattr(row, name)
                if isinstance(refused, Refusal):
                    written[name] = {"reason": refused.reason.value, "detail": refused.detail}
        return plain


@dataclass(frozen=True, slots=True)
class _Sent:
    decision: Decision
    settlement: Settlement
    draw: BidDraw


def judge_own_bids(journal: Journal, randomness: Randomness | None = None) -> OwnBids:
    """Judge policies on the bids of a journal.

    Parameters
    ----------
    journal
        Of one or more runs.
    randomness
        Draws the bootstraps; seed 1 if left out.

    Raises
    ------
    ExecutionError
        If the journal cannot be read.
    ModelError
        If a logged draw contradicts itself.
    """
    draws = {draw.decision_id: draw for draw in journal.bid_draws()}
    decisions = {decision.decision_id: decision for decision in journal.decisions()}
    settled = journal.settlements()
    competed = [one for one in settled if one.verdict in COMPETED]
    # the shares of the newest draw; a policy on others cannot be put into one table with them
    shares = next(reversed(draws.values())).shares_ppm if draws else ()
    sent = [
        _Sent(decisions[one.decision_id], one, draws[one.decision_id])
        for one in competed
        if one.decision_id in draws and draws[one.decision_id].shares_ppm == shares
    ]
    aside = dict(Counter(one.verdict.value for one in settled if one.verdict not in COMPETED))
    names = dict(Counter(f"{one.draw.policy} {one.draw.version}" for one in sent))
    if not sent:
        return OwnBids(names, 0, 0, 0, 0, 0, aside, len(competed), None, ())
    bids = _table(sent)
    random = (randomness or Randomness(1)).stream("intervals of own bids")
    length = block_length(len(bids), 1)
    return OwnBids(
        policies=names,
        auctions=len(bids),
        won=int(bids.won.sum()),
        tries=sum(_untried(one.draw) != one.draw.action for one in sent),
        unknown=int((bids.enough == UNKNOWN).sum()),
        outranked=int((bids.outranked != NEVER).sum()),
        set_aside=aside,
        not_drawn=len(competed) - len(sent),
        kept=ratio_interval(bids.realised(), np.ones(len(bids)), random, length=length),
        rows=tuple(
            OwnBidRow(
                name,
                sent_value(bids, policy, random, length=length),
                sent_gain(bids, policy, random, length=length),
            )
            for name, policy in _policies(sent, bids).items()
        ),
    )


def _table(sent: list[_Sent]) -> SentBids:
    enough, outranked = zip(*map(_least_places, sent), strict=True)
    return SentBids(
        propensities=np.array([one.draw.propensities for one in sent]),
        chances=np.clip(np.array([one.draw.win_probabilities for one in sent]), 0.0, 1.0),
        kept=np.array([_kept(one) for one in sent]),
        action=np.array([one.draw.action for one in sent], dtype=np.int64),
        enough=np.array(enough, dtype=np.int64),
        outranked=np.array(outranked, dtype=np.int64),
    )


def _kept(sent: _Sent) -> list[float]:
    """Return the share of the value that each share of the gross profit leaves if it wins."""
    gross, gas_cost = sent.decision.opportunity.gross_profit, sent.decision.gas_cost
    value = max(gross - gas_cost, 1)
    return [max(value - bid, 0) / value for bid in bids_of(gross, sent.draw.shares_ppm)]


def _least_places(sent: _Sent) -> tuple[int, int]:
    """Return the place of the least share that wins, and of the least that loses at the better price."""
    decision, draw = sent.decision, sent.draw
    if sent.settlement.verdict is Reason.LANDED:
        return draw.action, NEVER
    least = sent.settlement.least_winning_bid(decision.gas_estimate)
    if least is None:
        return UNKNOWN, NEVER
    place = sum(bid < least for bid in bids_of(decision.opportunity.gross_profit, draw.shares_ppm))
    return (place, NEVER) if decision.bid < least else (len(draw.shares_ppm), place)


def _untried(draw: BidDraw) -> int:
    """Return the place that would have been drawn without tries; the likeliest where it is not recorded."""
    return draw.propensities.index(max(draw.propensities)) if draw.untried is None else draw.untried


def _policies(sent: list[_Sent], bids: SentBids) -> dict[str, Floats]:
    """Return our policy without its tries, and fixed shares; what no check lets through is not bid."""
    untried = np.array([_untried(one.draw) for one in sent], dtype=np.int64)
    shares = {"without tries": untried}
    for ppm in FIXED_PPM:
        place = sum(share <= ppm for share in sent[0].draw.shares_ppm) - 1
        shares[f"always {ppm * 100 // MILLION} %"] = np.full(len(sent), place)
    sendable = np.array([one.draw.sendable for one in sent])
    everything = np.eye(bids.kept.shape[1])
    return {name: everything[place] * (place < sendable)[:, None] for name, place in shares.items()}
