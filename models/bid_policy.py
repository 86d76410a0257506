"""Which share of the value to bid, and with what chance each share is tried.

A first-price sealed bid keeps what it does not bid, if it wins: the best share maximises
``(1 - cost - share) * P(win | share)``. Now and then another share is tried. The chance of every share is
handed out with the bid, since only then can what other policies would have earned be estimated later.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.reasons import Reason, Refusal
from core.seams import Randomness
from models.bid_distribution import BidDistribution
from models.drawn_bid import DrawnBid, bids_of

Floats = NDArray[np.float64]

SHARES_PPM = (*range(50_000, 1_000_000, 50_000), 980_000)
"""Shares of the value that may be bid, in parts per million; few, so that each is tried often enough."""


def best_action(win_probability: Floats, kept: Floats) -> int:
    """Return the place with the largest ``win_probability * kept``; the first of equals.

    Parameters
    ----------
    win_probability
        ``float64[share]``: chance that each share wins, shares ascending.
    kept
        ``float64[share]``: what is left after bid and cost, in any one unit.

    Examples
    --------
    >>> shares = np.array([0.25, 0.5, 0.75])
    >>> best_action(shares, 1 - shares)
    1
    """
    return int(np.argmax(win_probability * kept))


def explored(best: int, allowed: NDArray[np.bool_], exploration: float) -> Floats:
    """Return the chance of each share: mostly the best, else any allowed one alike.

    Parameters
    ----------
    best
        Place of the share that looks best; allowed.
    allowed
        ``bool[share]``: shares that leave something over.
    exploration
        Chance to draw among all allowed ones.

    Examples
    --------
    >>> explored(1, np.array([True, True, False]), 0.1).round(3).tolist()
    [0.05, 0.95, 0.0]
    """
    chances: Floats = exploration * allowed / allowed.sum()
    chances[best] += 1 - exploration
    return chances


class BidPolicy:
    """Bids what the forecast says is best, and explores with known chances.

    Parameters
    ----------
    distribution
        Forecast of the best competing bid.
    randomness
        Seeds exploration.
    exploration
        Share of bids that are drawn at random among the affordable shares, in [0, 1].

    Raises
    ------
    ModelError
        If ``exploration`` is out of range.

    Examples
    --------
    >>> from models.bid_distribution import LogNormalBids
    >>> policy = BidPolicy(LogNormalBids(), Randomness(1), exploration=0.0)
    >>> drawn = policy.choose(value=10**18, cost=0, scale=10**18)
    >>> drawn.bid / 10**18, round(drawn.win_probability, 3)
    (0.55, 0.275)
    """

    name = "forecast of rivals"
    version = "1"

    def __init__(
        self, distribution: BidDistribution, randomness: Randomness, *, exploration: float = 0.05
    ) -> None:
        if not 0 <= exploration <= 1:
            raise ModelError(f"exploration lies in [0, 1], got {exploration}", exploration=exploration)
        self.distribution = distribution
        self._exploration = exploration
        self._random = randomness.stream("bid policy")

    def choose(self, value: int, cost: int, scale: int) -> DrawnBid | Refusal:
        """Draw a bid.

        Parameters
        ----------
        value, cost
            Wei: what winning is worth, and what it costs beside the bid.
        scale
            Wei: the public size of competing bids that the distribution was learned over.

        Returns
        -------
        DrawnBid or Refusal
            The bid leaves something over; refused if no share does.

        Raises
        ------
        ModelError
            If ``cost`` is negative or ``scale`` not positive.
        """
        if cost < 0 or scale <= 0:
            raise ModelError("a cost is at least 0 and a scale above 0", cost=cost, scale=scale)
        bids = bids_of(value, SHARES_PPM)
        left = [value - cost - bid for bid in bids]
        if left[0] <= 0:
            return Refusal(
                Reason.PROFIT_BELOW_COST,
                f"a value of {value} wei leaves nothing above a cost of {cost} and the least bid",
            )
        chance = self.distribution.chance_below(np.log(np.array(bids, dtype=np.float64) / scale))
        kept = np.array(left, dtype=np.float64)
        allowed = kept > 0
        best = best_action(chance, np.maximum(kept, 0.0))
        propensities = explored(best, allowed, self._exploration)
        action = draw(propensities, self._random)
        return DrawnBid(
            self.name,
            self.version,
            bids[action],
            action,
            SHARES_PPM,
            tuple(chance.tolist()),
            tuple(propensities.tolist()),
            best,
        )

    def settle(self, bid: int, scale: int, *, won: bool, rival: int | None) -> None:
        """Learn from a settled auction.

        Parameters
        ----------
        bid, scale
            Wei; as bid, with the scale of that moment.
        won
            Whether it won.
        rival
            Wei: the best competing bid if it became known, else ``None``. Zero counts as unknown.

        Raises
        ------
        ModelError
            If a number is out of range, or the rival contradicts the outcome.
        """
        if bid <= 0 or scale <= 0 or (rival is not None and rival < 0):
            raise ModelError("bid and scale are above 0, and a rival at least 0", bid=bid, rival=rival)
        if rival is not None and (bid < rival if won else bid > rival):
            raise ModelError("the higher bid wins; these numbers say otherwise", bid=bid, rival=rival)
        if rival:
            self.distribution.learn_told(float(np.log(rival / scale)))
        elif won:
            self.distribution.learn_won(float(np.log(bid / scale)))
        else:
            self.distribution.learn_lost(float(np.log(bid / scale)))

    def state(self) -> dict[str, Any]:
        """Return exploration and random state; the distribution keeps its own."""
        return {"exploration": self._exploration, "random": self._random.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`.

        Raises
        ------
        ModelError
            If it is not the state of a bid policy.
        """
        try:
            exploration = float(state["exploration"])
            if not 0 <= exploration <= 1:
                raise ModelError("the saved exploration is out of range; save the policy again")
            self._random.bit_generator.state = state["random"]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a bid policy: {error}") from error
        self._exploration = exploration


def draw(propensities: Floats, random: np.random.Generator) -> int:
    """Return a place, drawn with the given chances; never one whose chance is zero."""
    cumulative = np.cumsum(propensities)
    # scaled by what they sum to: rounding may leave the last a hair off one
    return int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))
