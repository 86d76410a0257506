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
from models.sent_bids import UNKNOWN, SentBids, sent_gain, sent_value

DECIDED = (Reason.LANDED, Reason.OUTBID)
"""Verdicts that a bid decides. A bundle of any other is censored: another bid would have changed nothing."""

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
        Judged auctions, those won, and those where the drawn share was not the likeliest one.
    set_aside
        Bundles that say nothing of bids, by verdict.
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
    decided = [one for one in settled if one.verdict in DECIDED]
    # the shares of the newest draw; a policy on others cannot be put into one table with them
    shares = next(reversed(draws.values())).shares_ppm if draws else ()
    sent = [
        _Sent(decisions[one.decision_id], one, draws[one.decision_id])
        for one in decided
        if one.decision_id in draws and draws[one.decision_id].shares_ppm == shares
    ]
    aside = dict(Counter(one.verdict.value for one in settled if one.verdict not in DECIDED))
    names = dict(Counter(f"{one.draw.policy} {one.draw.version}" for one in sent))
    if not sent:
        return OwnBids(names, 0, 0, 0, aside, len(decided), None, ())
    bids = _table(sent)
    random = (randomness or Randomness(1)).stream("intervals of own bids")
    length = block_length(len(bids), 1)
    tries = int((bids.propensities.argmax(axis=1) != bids.action).sum())
    return OwnBids(
        policies=names,
        auctions=len(bids),
        won=int(bids.won.sum()),
        tries=tries,
        set_aside=aside,
        not_drawn=len(decided) - len(sent),
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
    return SentBids(
        propensities=np.array([one.draw.propensities for one in sent]),
        chances=np.clip(np.array([one.draw.win_probabilities for one in sent]), 0.0, 1.0),
        kept=np.array([_kept(one) for one in sent]),
        action=np.array([one.draw.action for one in sent], dtype=np.int64),
        enough=np.array([_enough(one) for one in sent], dtype=np.int64),
    )


def _kept(sent: _Sent) -> list[float]:
    """Return the share of the value that each share of the gross profit leaves if it wins."""
    gross, gas_cost = sent.decision.opportunity.gross_profit, sent.decision.gas_cost
    value = max(gross - gas_cost, 1)
    return [max(value - bid, 0) / value for bid in bids_of(gross, sent.draw.shares_ppm)]


def _enough(sent: _Sent) -> int:
    winning, draw = sent.settlement.winning_bid, sent.draw
    if sent.settlement.verdict is Reason.LANDED:
        return draw.action
    # a winner that paid less than we offered paid more per gas; what would have beaten it is not on record
    if winning is None or winning < sent.decision.bid:
        return UNKNOWN
    bids = bids_of(sent.decision.opportunity.gross_profit, draw.shares_ppm)
    return sum(bid <= winning for bid in bids)


def _policies(sent: list[_Sent], bids: SentBids) -> dict[str, Floats]:
    """Return our policy without its tries, and fixed shares; what no check lets through is not bid."""
    likeliest = bids.propensities.argmax(axis=1)
    policies = {"without tries": np.eye(bids.kept.shape[1])[likeliest]}
    for ppm in FIXED_PPM:
        place = sum(share <= ppm for share in sent[0].draw.shares_ppm) - 1
        policy = np.zeros(bids.kept.shape)
        policy[[one.draw.sendable > place for one in sent], place] = 1.0
        policies[f"always {ppm * 100 // MILLION} %"] = policy
    return policies
