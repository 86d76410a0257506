"""What to bid: the chance of winning per bid, learned from auctions won and lost.

A first-price sealed bid gives away what it bids. The model keeps a distribution of the best
*competing* bid, as a share of gross profit. Most observations are censored: a win only says
that the best competitor was below us.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.seams import Randomness
from models.drawn_bid import MILLION, DrawnBid, bids_of

CELLS = 50
"""Equal steps of the share from 0 to 1."""

SHARES_PPM = tuple(range(0, MILLION + 1, MILLION // CELLS))
"""Shares of gross profit that may be bid, in parts per million: the edges of the cells."""

EXPLORATION = 0.05
"""Share of bids that are tries where nobody says another."""

PRIOR_WEIGHT = 5.0
"""Auctions that the prior counts for."""

PRIOR_ABSENT = 0.05
PRIOR_ABOVE = 0.05
MEMORY = 0.995
"""Weight of an auction after one more has been settled."""

ITERATIONS = 40
"""Steps of the estimation after each auction; it starts from the last estimate."""


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
        Share of bids that are drawn at random from all affordable ones, so that other policies can be judged
        from what became of them.

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

    name = "counted shares"
    version = "1"

    def __init__(self, randomness: Randomness, *, exploration: float = EXPLORATION) -> None:
        if not 0 <= exploration < 1:
            raise ModelError(f"exploration lies in [0, 1), got {exploration}", exploration=exploration)
        self._random = randomness.stream("bidding")
        self._exploration = exploration
        inside = (1 - PRIOR_ABSENT - PRIOR_ABOVE) / CELLS
        self._prior = PRIOR_WEIGHT * np.array([PRIOR_ABSENT, *[inside] * CELLS, PRIOR_ABOVE])
        # auctions won with the competitor at most in a cell, lost with it at least there, and known
        self._won, self._lost, self._told = (np.zeros(CELLS + 2) for _ in range(3))
        self._chance = self._prior / self._prior.sum()
        self._settled = 0

    @property
    def settled(self) -> int:
        """Auctions learned from."""
        return self._settled

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
        cumulative = np.cumsum(self._chance)
        below = cumulative[whole]
        part = (place - whole) * (cumulative[whole + 1] - below) if whole < CELLS else 0.0
        return float(below + part)

    def bid(self, gross_profit: int, gas_cost: int) -> tuple[int, float]:
        """Return a bid in wei and its chance to win; see :meth:`choose`."""
        drawn = self.choose(gross_profit, gas_cost)
        return drawn.bid, drawn.win_probability

    def choose(self, gross_profit: int, gas_cost: int) -> DrawnBid:
        """Draw a bid, and say with what chances.

        Parameters
        ----------
        gross_profit, gas_cost
            Wei.

        Returns
        -------
        DrawnBid
            Never more than ``gross_profit - gas_cost``, and 0 if nothing is left to bid.
        """
        left = gross_profit - gas_cost
        # rounded up: a bid at a cell's edge must be above everything inside the cell
        bids = bids_of(gross_profit, SHARES_PPM)
        affordable = [place for place, bid in enumerate(bids) if left > 0 and bid <= left]
        chance = np.cumsum(self._chance)[:-1]
        if not affordable:
            return self._drawn(0, 0, chance, {0: 1.0}, 0)
        kept = np.array([float(left - bids[place]) for place in affordable])
        best = affordable[int(np.argmax(kept * chance[affordable]))]
        explored = bool(self._random.random() < self._exploration)
        place = affordable[int(self._random.integers(len(affordable)))] if explored else best
        propensities = dict.fromkeys(affordable, self._exploration / len(affordable))
        propensities[best] += 1 - self._exploration
        return self._drawn(bids[place], place, chance, propensities, best)

    def _drawn(
        self,
        bid: int,
        place: int,
        chance: NDArray[np.float64],
        propensities: Mapping[int, float],
        untried: int,
    ) -> DrawnBid:
        return DrawnBid(
            policy=self.name,
            version=self.version,
            bid=bid,
            action=place,
            shares_ppm=SHARES_PPM,
            win_probabilities=tuple(chance.tolist()),
            propensities=tuple(propensities.get(each, 0.0) for each in range(CELLS + 1)),
            untried=untried,
        )

    def observe(self, gross_profit: int, bid: int, won: bool, winning_bid: int | None) -> None:
        """Learn from a settled auction.

        Parameters
        ----------
        gross_profit, bid
            Wei; what was at stake and what we bid.
        won
            Whether our bid won. Then the best competitor was below it.
        winning_bid
            Wei; the largest bid of ours that the one who beat us would have beaten, ``None`` if nobody
            knows. What it paid is that only where it used as much gas as we would have. Ignored if we won.

        Raises
        ------
        ModelError
            If there was nothing at stake, a bid is negative, or we lost to less than our bid.
        """
        if gross_profit <= 0 or bid < 0 or (winning_bid or 0) < 0:
            raise ModelError(
                "an auction needs a positive gross profit and bids of at least 0",
                gross_profit=gross_profit,
                bid=bid,
                winning_bid=winning_bid,
            )
        if not won and winning_bid is not None and winning_bid < bid:
            raise ModelError(
                "a lost bid was not above the one that beat it; compare both at the same gas",
                bid=bid,
                winning_bid=winning_bid,
            )
        if won:
            # up to and with our own cell: a competitor inside it may have been just below us
            self._add(self._won, min(-(-bid * CELLS // gross_profit), CELLS + 1))
        elif winning_bid is None:
            self._add(self._lost, min(bid * CELLS // gross_profit, CELLS) + 1)
        else:
            self._add(self._told, min(winning_bid * CELLS // gross_profit, CELLS) + 1)
        self._settled += 1
        self._estimate()

    def _add(self, counts: NDArray[np.float64], cell: int) -> None:
        for each in (self._won, self._lost, self._told):
            each *= MEMORY
        counts[cell] += 1

    def _estimate(self) -> None:
        """Find the distribution that explains all observations best (expectation, maximisation).

        What a censored auction leaves open is shared out as the distribution has it, until
        that no longer moves it.
        """
        chance = self._chance
        for _ in range(ITERATIONS):
            below = np.cumsum(chance)
            above = np.cumsum(chance[::-1])[::-1]
            weight = np.cumsum((self._won / below)[::-1])[::-1] + np.cumsum(self._lost / above)
            counts = self._prior + self._told + chance * weight
            chance = counts / counts.sum()
        self._chance = chance

    def state(self) -> dict[str, Any]:
        """Return counts and random state as plain values and arrays."""
        return {
            "won": self._won.copy(),
            "lost": self._lost.copy(),
            "told": self._told.copy(),
            "chance": self._chance.copy(),
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
            arrays = [np.array(state[key], dtype=np.float64) for key in ("won", "lost", "told", "chance")]
            if any(array.shape != self._chance.shape for array in arrays):
                raise ModelError(f"a bid model has {CELLS + 2} cells, the saved one has not")
            self._random.bit_generator.state = state["random"]
            self._exploration, self._settled = float(state["exploration"]), int(state["settled"])
            self._won, self._lost, self._told, self._chance = arrays
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a bid model: {error}") from error
