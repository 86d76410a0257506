"""What the best competing bid will be, learned also from auctions that only bound it.

Bids are measured as the logarithm of their ratio to a scale that is public before the auction, for
instance the median of the last winning bids. So what is learned holds in calm and in busy hours.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from core.errors import ModelError

Floats = NDArray[np.float64]

PRIOR_WEIGHT = 5.0
"""Auctions that the prior counts for at the start; it fades like any other."""

PRIOR_DEVIATION = 1.0
"""Deviation of a log ratio before anything is known: a factor of e either way."""

LEAST_DEVIATION = 1e-3
_FAR = 8.0
"""Deviations beyond which tails are taken from their asymptote; float64 has nothing left there."""


class BidDistribution(Protocol):
    """A forecast of the best competing bid that learns from each settled auction."""

    def chance_below(self, log_ratio: Floats) -> Floats:
        """Return the chance that the best competing bid is below each ratio to the scale."""
        ...

    def learn_told(self, log_ratio: float) -> None:
        """Learn from an auction whose best competing bid became known."""
        ...

    def learn_won(self, log_ratio: float) -> None:
        """Learn that the best competing bid was below ours."""
        ...

    def learn_lost(self, log_ratio: float) -> None:
        """Learn that the best competing bid was above ours."""
        ...


class LogNormalBids:
    """A log-normal competing bid, fitted by expectation and maximisation, one auction at a time.

    An auction we won says that the competitor was below us, one that we lost says that it was above.
    Each counts with the mean and the mean square that the distribution expects inside what is left;
    a bid that was told counts as itself. Older auctions fade, and have to: each keeps what was expected of
    it when it was settled, and the first ones were settled by the prior.

    Parameters
    ----------
    memory
        Weight of an auction after one more has been settled, in (0, 1].

    Raises
    ------
    ModelError
        If ``memory`` is out of range.

    References
    ----------
    Cappé and Moulines, "On-line expectation-maximization algorithm for latent data models" (2009).
    Moments of a truncated normal: Johnson, Kotz and Balakrishnan, "Continuous Univariate
    Distributions", volume 1 (1994), section 13.10.

    Examples
    --------
    >>> bids = LogNormalBids()
    >>> for _ in range(2000):
    ...     bids.learn_told(0.5)
    >>> round(bids.mean, 2), bids.chance_below(np.array([0.0, 1.0])).round(2).tolist()
    (0.5, [0.0, 1.0])
    """

    def __init__(self, memory: float = 0.999) -> None:
        if not 0 < memory <= 1:
            raise ModelError(f"memory lies in (0, 1], got {memory}", memory=memory)
        self._memory = memory
        self._weight = PRIOR_WEIGHT
        self._sum = 0.0
        self._squares = PRIOR_WEIGHT * PRIOR_DEVIATION**2

    @property
    def mean(self) -> float:
        """Expected log ratio."""
        return self._sum / self._weight

    @property
    def deviation(self) -> float:
        """Standard deviation of the log ratio."""
        return math.sqrt(max(self._squares / self._weight - self.mean**2, LEAST_DEVIATION**2))

    def chance_below(self, log_ratio: Floats) -> Floats:
        """Return the chance that the best competing bid is below each ratio; changes nothing.

        Parameters
        ----------
        log_ratio
            ``float64[bid]``: logarithm of a bid over the scale; ``-inf`` for no bid.
        """
        chance: Floats = ndtr((log_ratio - self.mean) / self.deviation)
        return chance

    def learn_told(self, log_ratio: float) -> None:
        """Learn from an auction whose best competing bid became known.

        Raises
        ------
        ModelError
            If the number is not finite; nothing was learned then.
        """
        _check(log_ratio)
        self._add(log_ratio, log_ratio**2)

    def learn_won(self, log_ratio: float) -> None:
        """Learn that the best competing bid was below ours.

        Parameters
        ----------
        log_ratio
            Logarithm of our bid over the scale.

        Raises
        ------
        ModelError
            If the number is not finite; nothing was learned then.
        """
        _check(log_ratio)
        self._add_above(-log_ratio, sign=-1)

    def learn_lost(self, log_ratio: float) -> None:
        """Learn that the best competing bid was above ours.

        Parameters
        ----------
        log_ratio
            Logarithm of our bid over the scale.

        Raises
        ------
        ModelError
            If the number is not finite; nothing was learned then.
        """
        _check(log_ratio)
        self._add_above(log_ratio, sign=1)

    def _add_above(self, edge: float, sign: int) -> None:
        """Add what is expected beyond an edge; below an edge is above it in the mirror."""
        mean, deviation = sign * self.mean, self.deviation
        place = (edge - mean) / deviation
        hazard = _hazard(place)
        expected = mean + deviation * hazard
        # the second moment of a normal that is cut off below
        square = mean**2 + deviation**2 + deviation * hazard * (mean + edge)
        self._add(sign * expected, square)

    def _add(self, value: float, square: float) -> None:
        self._weight = self._memory * self._weight + 1
        self._sum = self._memory * self._sum + value
        self._squares = self._memory * self._squares + square

    def state(self) -> dict[str, Any]:
        """Return the sums as plain numbers."""
        return {
            "memory": self._memory,
            "weight": self._weight,
            "sum": self._sum,
            "squares": self._squares,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`.

        Raises
        ------
        ModelError
            If it is not the state of a distribution of bids.
        """
        try:
            memory, weight, total, squares = (
                float(state[key]) for key in ("memory", "weight", "sum", "squares")
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of a distribution of bids: {error}") from error
        finite = all(map(math.isfinite, (weight, total, squares)))
        if not (0 < memory <= 1 and finite and weight > 0 and squares >= 0):
            raise ModelError("the saved distribution of bids holds impossible numbers; save it again")
        self._memory, self._weight, self._sum, self._squares = memory, weight, total, squares


def _check(log_ratio: float) -> None:
    if not math.isfinite(log_ratio):
        raise ModelError(f"the logarithm of a bid is a finite number, got {log_ratio}", log_ratio=log_ratio)


def _hazard(place: float) -> float:
    """Return density over upper tail of the standard normal."""
    if place > _FAR:
        # the next term of the expansion is below 0.5 % of the excess over the edge
        return place + 1 / place - 2 / place**3
    tail = 0.5 * math.erfc(place / math.sqrt(2))
    return math.exp(-place * place / 2) / math.sqrt(2 * math.pi) / tail
