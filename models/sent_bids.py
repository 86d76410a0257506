"""What another policy would have earned on the bids that we sent, most of whose rivals stay hidden.

An auction that was lost tells who won and at what price, so the outcome of every share. One that was won
tells that its share was enough, and so is every higher one; of lower ones nothing. Either way a share's
outcome is known if the share that was drawn was not above it. The chance of that was logged: it is the sum of
the propensities up to the share. So each bid speaks for all shares above it, not for its own alone.

A rival whose price is unknown leaves higher shares open. So does a log in which the better price lost: some
rival was simply there first, and where it happened to be above us it cannot be told from one that outbid us.
Then intervals reach from the worst that may have been to the best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.reasons import Reason, Refusal
from models.intervals import Estimate, ratio_interval
from models.off_policy import LEAST_EFFECTIVE_ROWS, Floats, PolicyValue, value_of_terms
from models.sent_bounds import spanned, spanned_value

Integers = NDArray[np.int64]

UNKNOWN = -1
"""Stands for the share that would have won where the winner's bid never became known."""

NEVER = -1
"""Stands for the share from which on the better price lost, where it did not."""


@dataclass(frozen=True, slots=True, eq=False)
class SentBids:
    """Bids of auctions that bids decided, in order of time.

    Parameters
    ----------
    propensities, chances
        ``float64[row, share]``: chance with which each share was drawn, rows sum to one; forecast chance that
        each wins, made before.
    kept
        ``float64[row, share]``: share of the value that is left if it wins, in [0, 1].
    action
        ``int64[row]``: place of the share that was drawn.
    enough
        ``int64[row]``: lowest place that would have won as far as is known: the own one where that won, the
        first above the winner's bid where that was told (as many as there are shares if none), or
        :data:`UNKNOWN`: lost, and nobody knows against what.
    outranked
        ``int64[row]``: where we lost though our price was the better one, the lowest place of which that is
        true; else :data:`NEVER`. No share would have won there.

    Raises
    ------
    ModelError
        If shapes do not fit, or a number contradicts another.
    """

    propensities: Floats
    chances: Floats
    kept: Floats
    action: Integers
    enough: Integers
    outranked: Integers

    def __post_init__(self) -> None:
        rows, shares = self.propensities.shape
        if not rows or any(each.shape != (rows, shares) for each in (self.chances, self.kept)):
            raise ModelError("sent bids are tables of rows and shares, with at least one of each", rows=rows)
        if any(each.shape != (rows,) for each in (self.action, self.enough, self.outranked)):
            raise ModelError("a sent bid has one action and one outcome", rows=rows)
        if (np.abs(self.propensities.sum(axis=1) - 1) > 1e-9).any() or (self.propensities < 0).any():
            raise ModelError("propensities are at least 0 and sum to one in each row")
        if not ((self.action >= 0) & (self.action < shares)).all():
            raise ModelError("a logged action is none of the shares", shares=shares)
        if (self.propensities[np.arange(rows), self.action] <= 0).any():
            raise ModelError("a share was drawn whose chance is zero; its propensities are wrong")
        if not ((self.enough >= UNKNOWN) & (self.enough <= shares)).all():
            raise ModelError("the share that would have won is none of the shares", shares=shares)
        first = self.outranked != NEVER
        if (
            not ((self.outranked >= NEVER) & (self.outranked <= self.action)).all()
            or (self.enough[first] != shares).any()
        ):
            raise ModelError(
                "where the better price lost, no share would have won; the numbers say otherwise"
            )
        if not ((self.kept >= 0) & (self.kept <= 1) & (self.chances >= 0) & (self.chances <= 1)).all():
            raise ModelError("what is kept and chances to win lie in [0, 1]")

    def __len__(self) -> int:
        return len(self.action)

    @property
    def won(self) -> NDArray[np.bool_]:
        """Which auctions were won."""
        won: NDArray[np.bool_] = (self.enough != UNKNOWN) & (self.enough <= self.action)
        return won

    def realised(self) -> Floats:
        """Return what each bid kept, ``float64[row]``."""
        rows = np.arange(len(self))
        kept: Floats = self.kept[rows, self.action] * self.won
        return kept

    @property
    def is_settled(self) -> bool:
        """Whether the log tells every outcome that it speaks for, if the better price wins."""
        return not ((self.enough == UNKNOWN).any() or (self.outranked != NEVER).any())

    def outcomes(self) -> Floats:
        """Return what each share from the drawn one on would have kept, ``float64[row, share]``.

        Of a lost auction whose winner's bid is unknown nothing is known above our own: a higher share counts
        with what the forecast said, given that the rival was above us. It does not count as lost.

        Where the better price lost, a share counts less than nothing: the same rival had looked beatable if
        less had been drawn, and what is counted too much there is taken off here, with the chances of both.
        """
        won = self._would_win()
        rows = np.flatnonzero(self.enough == UNKNOWN)
        chance, ours = self.chances[rows], self.chances[rows, self.action[rows]][:, None]
        above = np.maximum(1 - ours, 1e-12)
        won[rows] = np.clip((chance - ours) / above, 0.0, 1.0)
        rows = np.flatnonzero(self.outranked != NEVER)
        seen = np.cumsum(self.propensities[rows], axis=1)
        lower = np.maximum(self.outranked[rows] - 1, 0)
        before = np.where(self.outranked[rows] > 0, seen[np.arange(len(rows)), lower], 0.0)[:, None]
        drawn = np.arange(self.kept.shape[1]) >= self.action[rows][:, None]
        won[rows] = -np.divide(before, seen - before, out=np.zeros_like(seen), where=drawn)
        outcomes: Floats = self.kept * won
        return outcomes

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the least and the most that each share from the drawn one on may have kept.

        An unknown rival may have been just above us or out of reach. In a log in which the better price lost
        once, a rival that was told may have been out of reach as well.
        """
        least, most = self._would_win(), self._would_win()
        unknown = self.enough == UNKNOWN
        most[unknown] = np.arange(self.kept.shape[1]) > self.action[unknown][:, None]
        in_doubt = ~self.won if (self.outranked != NEVER).any() else unknown
        least[in_doubt] = 0.0
        return self.kept * least, self.kept * most

    def _would_win(self) -> Floats:
        return (np.arange(self.kept.shape[1]) >= self.enough[:, None]).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """How much each row says of a policy."""

    policy: Floats
    weights: Floats
    """``float64[row, share]``."""
    weight: Floats
    widest: float
    effective: float


def sent_value(
    bids: SentBids, policy: Floats, random: np.random.Generator, *, length: int = 1, level: float = 0.95
) -> PolicyValue | Refusal:
    """Estimate what a policy would have kept an auction.

    Parameters
    ----------
    bids
        As sent, with what became known.
    policy
        ``float64[row, share]``: its chances; a row may sum to less than one where it would not bid.
    random
        Draws the bootstrap.
    length
        Consecutive rows drawn together, more than one where rows depend on each other.
    level
        Coverage of the intervals.

    Returns
    -------
    PolicyValue or Refusal
        Intervals hold whatever the log leaves open. Refused if the policy bids below everything that may
        have been drawn, or if what it bids is seen so seldom that few rows would carry all weight.

    Raises
    ------
    ModelError
        If the policy is no table of chances for these rows.

    References
    ----------
    Mannor and Shamir, "From Bandits to Experts: On the Value of Side-Observations" (2011): dividing by the
    chance that an outcome is seen. Its correction by a model is that of Dudík, Langford and Li (2011).
    """
    seen = _seen(bids, policy)
    if isinstance(seen, Refusal):
        return seen

    def value(outcomes: Floats) -> PolicyValue:
        weighted, robust = _terms(bids, seen, outcomes)
        return value_of_terms(
            weighted, seen.weight, robust, seen.widest, seen.effective, random, length=length, level=level
        )

    found = value(bids.outcomes())
    if bids.is_settled:
        return found
    least, most = bids.bounds()
    return spanned_value(found, value(least), value(most))


def sent_gain(
    bids: SentBids, policy: Floats, random: np.random.Generator, *, length: int = 1, level: float = 0.95
) -> Estimate | Refusal:
    """Estimate how much more a policy would have kept an auction than the bids did, on the same rows.

    Parameters are those of :func:`sent_value`.

    Raises
    ------
    ModelError
        If the policy is no table of chances for these rows.
    """
    seen = _seen(bids, policy)
    if isinstance(seen, Refusal):
        return seen

    def gain(outcomes: Floats) -> Estimate:
        _, robust = _terms(bids, seen, outcomes)
        ones = np.ones(len(bids))
        return ratio_interval(robust - bids.realised(), ones, random, length=length, level=level)

    found = gain(bids.outcomes())
    if bids.is_settled:
        return found
    least, most = bids.bounds()
    return spanned(found, gain(least), gain(most))


def _seen(bids: SentBids, policy: Floats) -> _Seen | Refusal:
    bidding = policy.sum(axis=1) if policy.shape == bids.kept.shape else np.full(1, np.nan)
    if not ((policy >= 0).all() and (bidding <= 1 + 1e-9).all()):
        raise ModelError(
            "a policy has a chance for each row and share, at most one in all", shape=policy.shape
        )
    seen_chance = np.cumsum(bids.propensities, axis=1)
    unseen = int(((policy > 0) & (seen_chance <= 0)).any(axis=1).sum())
    if unseen:
        return Refusal(
            Reason.NO_OVERLAP,
            f"in {unseen} of {len(bids)} auctions the policy bids below everything that was tried",
        )
    most = np.divide(policy, seen_chance, out=np.zeros_like(policy), where=seen_chance > 0)
    weights = most * (np.arange(policy.shape[1]) >= bids.action[:, None])
    # who does not bid keeps nothing, and that is known of every row
    weight = weights.sum(axis=1) + np.maximum(1 - bidding, 0.0)
    # of expected squares: a row that is seldom seen weighs heavily, also where it was not seen this time
    squares = float((most.sum(axis=1) + np.maximum(1 - bidding, 0.0)).sum())
    effective = len(bids) ** 2 / squares
    if effective < LEAST_EFFECTIVE_ROWS:
        return Refusal(
            Reason.FEW_EFFECTIVE_ROWS,
            f"the bids are worth {effective:.1f} rows for this policy, {LEAST_EFFECTIVE_ROWS:.0f} are needed",
        )
    return _Seen(policy, weights, weight, float((most * bids.kept).sum(axis=1).max()), effective)


def _terms(bids: SentBids, seen: _Seen, outcomes: Floats) -> tuple[Floats, Floats]:
    """Return weighted rewards, and terms of the doubly robust estimate, both ``float64[row]``."""
    model = bids.chances * bids.kept
    weighted: Floats = (seen.weights * outcomes).sum(axis=1)
    robust: Floats = (seen.policy * model).sum(axis=1) + (seen.weights * (outcomes - model)).sum(axis=1)
    return weighted, robust
