"""How a decision's bid was drawn, as the journal keeps it: what judges other policies afterwards."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Integer, Row, String, Table, Text

from core.errors import ExecutionError
from execution.journal_rows import METADATA, Values

# a journal made before bids were logged as draws gets this table when it is opened, and no rows for its past;
# one made before the untried share was kept gets its column, empty for its past
BID_DRAWS = Table(
    "bid_draws",
    METADATA,
    Column("decision_id", String(64), ForeignKey("decisions.decision_id"), primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("policy", String(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("share_ppm", Integer, nullable=False),
    Column("propensity", Float, nullable=False),
    Column("action", Integer, nullable=False),
    Column("sendable", Integer, nullable=False),
    Column("shares_ppm", Text, nullable=False),
    Column("propensities", Text, nullable=False),
    Column("win_probabilities", Text, nullable=False),
    Column("untried", Integer),
)

_SLACK = 1e-9
"""By how much sums of floats may be off."""


@dataclass(frozen=True, slots=True)
class BidDraw:
    """The draw of a bid that was sent.

    Parameters
    ----------
    decision_id
        Whose bid it is.
    policy, version
        Name of the policy that drew it, and the version of its rule.
    action
        Place of the share that was drawn.
    sendable
        How many shares, from the lowest on, every risk check would have let through.
    shares_ppm
        Shares of the gross profit that may be bid, ascending, in parts per million.
    propensities
        Chance of each share, given that a bid was sent: they sum to one over the sendable ones.
    win_probabilities
        Forecast chance that each share wins.
    untried
        Place of the share that would have been bid without tries, sendable or not; ``None`` if not recorded.

    Raises
    ------
    ExecutionError
        If the numbers contradict each other.
    """

    decision_id: str
    policy: str
    version: str
    action: int
    sendable: int
    shares_ppm: tuple[int, ...]
    propensities: tuple[float, ...]
    win_probabilities: tuple[float, ...]
    untried: int | None = None

    def __post_init__(self) -> None:
        wrong = self._contradiction()
        if wrong:
            raise ExecutionError(
                f"the draw of {self.decision_id} contradicts itself: {wrong}", decision_id=self.decision_id
            )

    def _contradiction(self) -> str:
        shares = len(self.shares_ppm)
        tables = (self.propensities, self.win_probabilities)
        if not shares or any(len(table) != shares for table in tables):
            return "shares, propensities and chances to win are not as many"
        if not (_are_numbers(self.propensities) and _are_numbers(self.win_probabilities)):
            return "a propensity or a chance to win is no number from 0 to 1"
        if abs(math.fsum(self.propensities) - 1) > _SLACK:
            return "propensities do not sum to one"
        if not all(type(share) is int for share in self.shares_ppm) or list(self.shares_ppm) != sorted(
            set(self.shares_ppm)
        ):
            return "shares are not ascending whole numbers"
        if not 0 <= self.action < self.sendable <= shares or not self.propensities[self.action] > 0:
            return "the share that was drawn is none that could have been sent"
        if self.untried is not None and not 0 <= self.untried < shares:
            return "the share without tries is none of the shares"
        return ""

    @property
    def share_ppm(self) -> int:
        """Share of the gross profit that was bid, in parts per million."""
        return self.shares_ppm[self.action]

    @property
    def propensity(self) -> float:
        """Chance with which it was drawn; one where nothing else could have been."""
        return self.propensities[self.action]


def write_bid_draw(draw: BidDraw) -> Values:
    """Return the columns of a draw."""
    return {
        "decision_id": draw.decision_id,
        "policy": draw.policy,
        "version": draw.version,
        "share_ppm": draw.share_ppm,
        "propensity": draw.propensity,
        "action": draw.action,
        "sendable": draw.sendable,
        "shares_ppm": json.dumps(draw.shares_ppm),
        "propensities": json.dumps(draw.propensities),
        "win_probabilities": json.dumps(draw.win_probabilities),
        "untried": draw.untried,
    }


def read_bid_draw(row: Row[Any]) -> BidDraw:
    """Return the draw of a row."""
    return BidDraw(
        decision_id=row.decision_id,
        policy=row.policy,
        version=row.version,
        action=row.action,
        sendable=row.sendable,
        shares_ppm=tuple(json.loads(row.shares_ppm)),
        propensities=tuple(json.loads(row.propensities)),
        win_probabilities=tuple(json.loads(row.win_probabilities)),
        untried=row.untried,
    )


def _are_numbers(chances: Sequence[float]) -> bool:
    return all(isinstance(chance, int | float) and -_SLACK <= chance <= 1 + _SLACK for chance in chances)
