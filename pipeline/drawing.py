"""From a bid that was drawn to what the journal says of it: its chances, given that it was sent.

A draw that a risk check refuses is not sent and leaves no row. So a row's chances are those among the shares
that all checks would have let through. Checks of profit and slippage refuse every higher bid too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

from core.errors import ExecutionError
from execution.bid_draws import BidDraw
from execution.command import Decision
from execution.risk.chain import Candidate, RiskChain
from models.drawn_bid import DrawnBid, bids_of


class Draws(Protocol):
    """Draws bids with known chances."""

    def choose(self, gross_profit: int, gas_cost: int) -> DrawnBid:
        """Return a bid for a trade in wei, and the chance that each share had."""
        ...


class OneDraw:
    """Draws the bid of one decision and keeps how it came about.

    Parameters
    ----------
    policy
        Draws it.
    """

    def __init__(self, policy: Draws) -> None:
        self._policy = policy
        self._drawn: DrawnBid | None = None

    @property
    def drawn(self) -> DrawnBid:
        """The bid that was drawn.

        Raises
        ------
        ExecutionError
            If none was asked for.
        """
        if self._drawn is None:
            raise ExecutionError("no bid was drawn for this decision; ask for one first")
        return self._drawn

    def bid(self, gross_profit: int, gas_cost: int) -> tuple[int, float]:
        """Return a bid in wei and its chance to win."""
        self._drawn = self._policy.choose(gross_profit, gas_cost)
        return self._drawn.bid, self._drawn.win_probability


def draw_of(decision: Decision, drawn: DrawnBid, gas_cost: int, risk: RiskChain, head: int) -> BidDraw:
    """Return the draw of a decision that the checks have let through.

    Parameters
    ----------
    decision
        Approved.
    drawn
        How its bid came about.
    gas_cost
        Wei: the dearest that the checks were asked about.
    risk
        The checks.
    head
        Height of the newest block.
    """
    opportunity = decision.opportunity

    def passes(bid: int) -> bool:
        return all(verdict.ok for verdict in risk.run(Candidate(opportunity, gas_cost, bid, head)))

    return sent_draw(decision.decision_id, drawn, opportunity.gross_profit, passes)


def sent_draw(decision_id: str, drawn: DrawnBid, gross: int, passes: Callable[[int], bool]) -> BidDraw:
    """Return the draw of a bid that is sent.

    Parameters
    ----------
    decision_id
        Whose bid it is.
    drawn
        As it was drawn; it passes.
    gross
        Wei: gross profit that shares are of.
    passes
        Whether the checks let a bid of so many wei through; if they refuse one, they refuse any above it.

    Examples
    --------
    >>> drawn = DrawnBid("p", "1", 50, 1, (0, 500_000, 900_000), (0.1, 0.5, 0.9), (0.1, 0.8, 0.1), 1)
    >>> draw = sent_draw("decision-1", drawn, 100, lambda bid: bid < 60)
    >>> draw.sendable, [round(chance, 3) for chance in draw.propensities]
    (2, [0.111, 0.889, 0.0])
    """
    bids = bids_of(gross, drawn.shares_ppm)
    above = drawn.action + 1
    sendable = bisect_left(bids, True, lo=above, key=lambda bid: not passes(bid))
    within = sum(drawn.propensities[:sendable])
    return BidDraw(
        decision_id=decision_id,
        policy=drawn.policy,
        version=drawn.version,
        action=drawn.action,
        sendable=sendable,
        shares_ppm=drawn.shares_ppm,
        propensities=tuple(
            chance / within if place < sendable else 0.0 for place, chance in enumerate(drawn.propensities)
        ),
        win_probabilities=drawn.win_probabilities,
        untried=drawn.untried,
    )
