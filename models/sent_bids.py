"""What another policy would have earned on the bids that we sent, most of whose rivals stay hidden.

An auction that was lost tells who won and at what price, so the outcome of every share. One that was won
tells that its share was enough, and so is every higher one; of lower ones nothing. Either way a share's
outcome is known if the share that was drawn was not above it. The chance of that was logged: it is the sum of
the propensities up to the share. So each bid speaks for all shares above it, not for its own alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.reasons import Reason, Refusal
from models.intervals import Estimate, ratio_interval
from models.off_policy import LEAST_EFFECTIVE_ROWS, Floats, PolicyValue, value_of_terms

Integers = NDArray[np.int64]

UNKNOWN = -1
"""Stands for the share that would have won where the winner's bid never became known."""


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

    def __post_init__(self) -> None:
        rows, shares = self.propensities.shape
        if not rows or any(each.shape != (rows, shares) for each in (self.chances, self.kept)):
            raise ModelError("sent bids are tables of rows and shares, with at least one of each", rows=rows)
        if self.action.shape != (rows,) or self.enough.shape != (rows,):
            raise ModelError("a sent bid has one action and one outcome", rows=rows)
        if (np.abs(self.propensities.sum(axis=1) - 1) > 1e-9).any() or (self.propensities < 0).any():
            raise ModelError("propensities are at least 0 and sum to one in each row")
        if not ((self.action >= 0) & (self.action < shares)).all():
            raise ModelError("a logged action is none of the shares", shares=shares)
        if (self.propensities[np.arange(rows), self.action] <= 0).any():
            raise ModelError("a share was drawn whose chance is zero; its propensities are wrong")
        if not ((self.enough >= UNKNOWN) & (self.enough <= shares)).all():
            raise ModelError("the share that would have won is none of the shares", shares=shares)
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

    def outcomes(self) -> Floats:
        """Return what each share from the drawn one on would have kept, ``float64[row, share]``.

        Of a lost auction whose winner's bid is unknown nothing is known above our own: a higher share counts
        with what the forecast said, given that the rival was above us. It does not count as lost.
        """
        places = np.arange(self.kept.shape[1])
        won = (places >= self.enough[:, None]).astype(np.float64)
        rows = np.flatnonzero(self.enough == UNKNOWN)
        chance, ours = self.chances[rows], self.chances[rows, self.action[rows]][:, None]
        above = np.maximum(1 - ours, 1e-12)
        won[rows] = np.clip((chance - ours) / above, 0.0, 1.0)
        outcomes: Floats = self.kept * won
        return outcomes


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    weighted: Floats
    weight: Floats
    robust: Floats
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
        Refused if the policy bids below everything that may have been drawn, or if what it bids is seen so
        seldom that few rows would carry all weight.

    Raises
    ------
    ModelError
        If the policy is no table of chances for these rows.

    References
    ----------
    Mannor and Shamir, "From Bandits to Experts: On the Value of Side-Observations" (2011): dividing by the
    chance that an outcome is seen. Its correction by a model is that of Dudík, Langford and Li (2011).
    """
    terms = _terms(bids, policy)
    if isinstance(terms, Refusal):
        return terms
    return value_of_terms(
        terms.weighted,
        terms.weight,
        terms.robust,
        terms.widest,
        terms.effective,
        random,
        length=length,
        level=level,
    )


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
    terms = _terms(bids, policy)
    if isinstance(terms, Refusal):
        return terms
    gain = terms.robust - bids.realised()
    return ratio_interval(gain, np.ones(len(gain)), random, length=length, level=level)


def _terms(bids: SentBids, policy: Floats) -> _Terms | Refusal:
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
    reward, model = bids.outcomes(), bids.chances * bids.kept
    return _Terms(
        weighted=(weights * reward).sum(axis=1),
        weight=weight,
        robust=(policy * model).sum(axis=1) + (weights * (reward - model)).sum(axis=1),
        widest=float((most * bids.kept).sum(axis=1).max()),
        effective=effective,
    )
