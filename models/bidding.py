"""What to bid: the chance of winning per bid, learned from auctions won and lost.

A first-price sealed bid gives away what it bids. The model keeps a distribution of the best
*competing* bid, as a share of gross profit. Most observations are censored: a win only says
that the best competitor was below us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.seams import Randomness

CELLS = 50
"""Equal steps of the share from 0 to 1."""

PRIOR_WEIGHT = 5.0
"""Auctions that the prior counts for."""

PRIOR_ABSENT = 0.05
PRIOR_ABOVE = 0.05
MEMORY = 0.995
"""Weight of an auction after one more has been settled."""


@dataclass(frozen=True, slots=True)
class BidChoice:
    """A bid and how it was chosen, as off-policy evaluation needs it.

    Parameters
    ----------
    bid
        Wei.
    share
        Bid over gross profit.
    win_probability
        Forecast chance that it wins.
    propensity
        Probability with which this bid was chosen.
    explored
        Whether it was drawn at random.
    """

    bid: int
    share: float
    win_probability: float
    propensity: float
    explored: bool


class BidModel:
    """Chooses bids that maximise what is kept times the chance to win.

    The distribution lives on cells ``[k/50, (k+1)/50)``, with one cell before them for "nobody
    else bids" and one after them for bids of more than the gross profit. The prior is nearly
    uniform, so that the first bid is about half.

    Parameters
    ----------
    randomness
        Seeds exploration.
    exploration
        Share of bids that are drawn at random from all affordable ones.

    Raises
    ------
    ModelError
        If ``exploration`` is not in [0, 1).

    Examples
    --------
    >>> model = BidModel(Randomness(1), exploration=0.0)
    >>> bid, chance = model.bid(10**18, 0)
    >>> bid / 10**18, round(chance, 3)
    (0.48, 0.482)
    """

    def __init__(self, randomness: Randomness, *, exploration: float = 0.05) -> None:
        if not 0 <= exploration < 1:
            raise ModelError(f"exploration lies in [0, 1), got {exploration}", exploration=exploration)
        self._random = randomness.stream("bidding")
        self._exploration = exploration
        inside = (1 - PRIOR_ABSENT - PRIOR_ABOVE) / CELLS
        self._prior = PRIOR_WEIGHT * np.array([PRIOR_ABSENT, *[inside] * CELLS, PRIOR_ABOVE])
        self._seen = np.zeros(CELLS + 2)
        self._settled = 0
        self._last: BidChoice | None = None

    @property
    def settled(self) -> int:
        """Auctions learned from."""
        return self._settled

    @property
    def last_choice(self) -> BidChoice | None:
        """How the last bid was chosen."""
        return self._last

    def win_probability(self, share: float) -> float:
        """Return the chance that the best competing bid is below this share of gross profit.

        Raises
        ------
        ModelError
            If the share is negative or not finite.
        """
        if not (np.isfinite(share) and share >= 0):
            raise ModelError(f"a share is a finite number of at least 0, got {share}", share=share)
        place = min(share, 1.0) * CELLS
        whole = int(place)
        cumulative = np.cumsum(self._distribution())
        below = cumulative[whole]
        part = (place - whole) * (cumulative[whole + 1] - below) if whole < CELLS else 0.0
        return float(below + part)

    def bid(self, gross_profit: int, gas_cost: int) -> tuple[int, float]:
        """Return a bid in wei and its chance to win; see :meth:`choose`."""
        choice = self.choose(gross_profit, gas_cost)
        return choice.bid, choice.win_probability

    def choose(self, gross_profit: int, gas_cost: int) -> BidChoice:
        """Choose a bid, and say how.

        Parameters
        ----------
        gross_profit, gas_cost
            Wei.

        Returns
        -------
        BidChoice
            Never more than ``gross_profit - gas_cost``, and 0 if nothing is left to bid.
        """
        left = gross_profit - gas_cost
        shares = np.arange(CELLS + 1)
        # rounded up: a bid at a cell's edge must be above everything inside the cell
        bids = [-(-gross_profit * int(share) // CELLS) for share in shares]
        affordable = [place for place, bid in enumerate(bids) if left > 0 and bid <= left]
        if not affordable:
            self._last = BidChoice(0, 0.0, self.win_probability(0.0), 1.0, False)
            return self._last
        chance = np.cumsum(self._distribution())[:-1]
        kept = np.array([float(left - bids[place]) for place in affordable])
        best = affordable[int(np.argmax(kept * chance[affordable]))]
        explored = bool(self._random.random() < self._exploration)
        place = affordable[int(self._random.integers(len(affordable)))] if explored else best
        propensity = self._exploration / len(affordable) + (1 - self._exploration) * (place == best)
        self._last = BidChoice(bids[place], place / CELLS, float(chance[place]), float(propensity), explored)
        return self._last

    def observe(self, gross_profit: int, bid: int, won: bool, winning_bid: int | None) -> None:
        """Learn from a settled auction.

        Parameters
        ----------
        gross_profit, bid
            Wei; what was at stake and what we bid.
        won
            Whether our bid won. Then the best competitor was below it.
        winning_bid
            Wei; the bid that beat us, ``None`` if nobody knows. Ignored if we won.

        Raises
        ------
        ModelError
            If there was nothing at stake or a bid is negative.
        """
        if gross_profit <= 0 or bid < 0 or (winning_bid or 0) < 0:
            raise ModelError(
                "an auction needs a positive gross profit and bids of at least 0",
                gross_profit=gross_profit,
                bid=bid,
                winning_bid=winning_bid,
            )
        possible = np.zeros(CELLS + 2)
        ours = min(bid * CELLS // gross_profit, CELLS) + 1
        if won:
            # up to our own cell; a competitor inside it may have been just below us
            possible[: min(-(-bid * CELLS // gross_profit), CELLS + 1) + 1] = 1
        elif winning_bid is None:
            possible[ours:] = 1
        else:
            possible[min(winning_bid * CELLS // gross_profit, CELLS) + 1] = 1
        # what a censored observation leaves open is shared out as the distribution has it
        weight = possible * self._distribution()
        self._seen = MEMORY * self._seen + weight / weight.sum()
        self._settled += 1

    def _distribution(self) -> NDArray[np.float64]:
        total: NDArray[np.float64] = self._prior + self._seen
        normed: NDArray[np.float64] = total / total.sum()
        return normed

    def state(self) -> dict[str, Any]:
        """Return counts and random state as plain values and arrays."""
        return {
            "seen": self._seen.copy(),
            "settled": self._settled,
            "exploration": self._exploration,
            "random": self._random.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`.

        Raises
        ------
        ModelError
            If it is not the state of a bid model.
        """
        try:
            seen = np.array(state["seen"], dtype=np.float64)
            if seen.shape != self._seen.shape:
                raise ModelError(f"the saved bid model has {seen.size} cells, this one {self._seen.size}")
            self._random.bit_generator.state = state["random"]
            self._exploration, self._settled = float(state["exploration"]), int(state["settled"])
            self._seen = seen
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a bid model: {error}") from error
