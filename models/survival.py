"""Competing bids counted as they come, with auctions that only bound them shared out over what is possible.

If a bid lost, the competitor was above it; if it won, below. Counting both kinds gives the survival curve of
competing bids without a law for its shape. Where few auctions have been settled, a log-normal fit stands in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr

from core.errors import ModelError
from models.bid_distribution import Floats, LogNormalBids

EDGES: Floats = np.linspace(-5, 5, 501)
"""Edges of the cells, as log ratios; one more cell lies at either end."""

FIT_WEIGHT = 10.0
"""Auctions that the log-normal fit counts for, beside those counted."""

ITERATIONS = 5
"""Steps of the estimation after a censored auction; it starts from the last estimate."""

_LEAST_MASS = 1e-12
_CELLS = len(EDGES) + 1


class CountedBids:
    """A distribution of the best competing bid made of counts and a log-normal fit.

    Counts are what a Dirichlet process expects, with the fit as its base. Without it, and with lost
    auctions alone, they are the Kaplan-Meier curve. Older auctions fade.

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
    Turnbull, "The Empirical Distribution Function with Arbitrarily Grouped, Censored and Truncated
    Data" (1976). Susarla and Van Ryzin, "Nonparametric Bayesian Estimation of Survival Curves from
    Incomplete Observations" (1976).

    Examples
    --------
    >>> bids = CountedBids()
    >>> for bid in (0.1, 0.3) * 500:
    ...     bids.learn_told(bid)
    >>> bids.chance_below(np.array([0.05, 0.2, 0.4])).round(2).tolist()
    [0.0, 0.5, 1.0]
    """

    def __init__(self, memory: float = 0.999) -> None:
        self._memory = memory
        self._fit = LogNormalBids(memory)
        # auctions whose competitor is known, and those with the competitor at most or at least in a cell
        self._told, self._won, self._lost = (np.zeros(_CELLS) for _ in range(3))
        self._counts = np.zeros(_CELLS)
        self._censored = False

    def chance_below(self, log_ratio: Floats) -> Floats:
        """Return the chance that the best competing bid is below each ratio; changes nothing.

        Parameters
        ----------
        log_ratio
            ``float64[bid]``: logarithm of a bid over the scale; ``-inf`` for no bid.
        """
        counted = np.cumsum(self._counts)
        below = np.interp(log_ratio, EDGES, counted[:-1], left=0.0)
        chance: Floats = (FIT_WEIGHT * self._fit.chance_below(log_ratio) + below) / (FIT_WEIGHT + counted[-1])
        return chance

    def learn_told(self, log_ratio: float) -> None:
        """Learn from an auction whose best competing bid became known.

        Raises
        ------
        ModelError
            If the number is not finite; nothing was learned then.
        """
        self._fit.learn_told(log_ratio)
        cell = int(np.searchsorted(EDGES, log_ratio, side="right"))
        self._fade()
        self._told[cell] += 1
        self._counts[cell] += 1
        if self._censored:
            self._share_out()

    def learn_won(self, log_ratio: float) -> None:
        """Learn that the best competing bid was below ours, a log ratio.

        Raises
        ------
        ModelError
            If the number is not finite; nothing was learned then.
        """
        self._fit.learn_won(log_ratio)
        self._fade()
        # up to and with our own cell: a competitor inside it may have been just below us
        self._won[int(np.searchsorted(EDGES, log_ratio, side="left"))] += 1
        self._censored = True
        self._share_out()

    def learn_lost(self, log_ratio: float) -> None:
        """Learn that the best competing bid was above ours, a log ratio.

        Raises
        ------
        ModelError
            If the number is not finite; nothing was learned then.
        """
        self._fit.learn_lost(log_ratio)
        self._fade()
        self._lost[int(np.searchsorted(EDGES, log_ratio, side="right"))] += 1
        self._censored = True
        self._share_out()

    def _fade(self) -> None:
        for each in (self._told, self._won, self._lost, self._counts):
            each *= self._memory

    def _share_out(self) -> None:
        """Share out censored auctions as the distribution has it (expectation, maximisation)."""
        fit = ndtr((EDGES - self._fit.mean) / self._fit.deviation)
        base = FIT_WEIGHT * np.diff(fit, prepend=0.0, append=1.0) + _LEAST_MASS
        for _ in range(ITERATIONS):
            mass = base + self._counts
            below = np.cumsum(mass)
            above = np.cumsum(mass[::-1])[::-1]
            weight = np.cumsum((self._won / below)[::-1])[::-1] + np.cumsum(self._lost / above)
            self._counts = self._told + mass * weight

    def state(self) -> dict[str, Any]:
        """Return counts and the fit's sums as plain values and arrays."""
        return {
            "fit": self._fit.state(),
            "told": self._told.copy(),
            "won": self._won.copy(),
            "lost": self._lost.copy(),
            "counts": self._counts.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`.

        Raises
        ------
        ModelError
            If it is not the state of counted bids.
        """
        fit = LogNormalBids()
        try:
            fit.restore(state["fit"])
            memory = float(state["fit"]["memory"])
            arrays = [np.array(state[key], dtype=np.float64) for key in ("told", "won", "lost", "counts")]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"this is not the state of counted bids: {error}") from error
        if any(each.shape != (_CELLS,) or not (np.isfinite(each) & (each >= 0)).all() for each in arrays):
            raise ModelError(f"counted bids have {_CELLS} cells of finite counts, the saved ones have not")
        self._memory, self._fit = memory, fit
        self._told, self._won, self._lost, self._counts = arrays
        self._censored = bool(self._won.any() or self._lost.any())
