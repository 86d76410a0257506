"""A test that may be looked at after every forecast: betting against "the candidate is no better".

Somebody starts with one unit of money and bets, forecast after forecast, that the candidate's error will
be the smaller one. If the candidate is no better the bets are fair at best, and money that grows to
``1 / alpha`` at any time is seen with a probability of ``alpha`` at most, whenever one stops to look.

The gain of forecast ``t``, over a limit fixed when it was issued, is ``g[t]`` in -1 to 1. The hypothesis is
``E[g[t] | what was known when t was issued] <= 0``. The money on bet size ``b`` is the product of
``1 + b g[t]``; the e-value is the mean over a fixed list of sizes, fair because each of them is.

Forecasts of a horizon of ``h`` blocks overlap, so money won on one is not known when the next is issued. The
series is therefore split into ``h`` that do not overlap, and the best of them must reach ``h / alpha``.

References
----------
Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2023), section 4.
Choe and Ramdas, "Comparing Sequential Forecasters" (2023). Ville's inequality (1939).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError

BETS = (0.9, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625)
"""Shares of the money that are bet; a bold one wins fast on a clear case, a timid one survives noise."""
TAIL = 5.0
"""Usual errors of the incumbent beyond which an error counts no more: a bet needs a bound."""
FIRST = 20
"""Forecasts that only say what the usual error is; nothing is bet on them."""


@dataclass(frozen=True, slots=True)
class Bets:
    """What betting on the candidate brought.

    Parameters
    ----------
    e_value
        Most money seen, at any time, divided among the overlapping series; at least ``1 / alpha``
        happens with a probability of ``alpha`` at most if the candidate is no better.
    forecasts
        Forecasts that were bet on.
    """

    e_value: float
    forecasts: int


def needed(alpha: float, attempt: int = 1) -> float:
    """Return the e-value that the ``attempt``-th try of one candidate needs.

    Whoever asks often enough is lucky once. The levels ``alpha / (k (k + 1))`` add up to ``alpha`` over all
    attempts ``k``, so each one asks for more than the one before.

    Raises
    ------
    ModelError
        If ``alpha`` does not lie between 0 and 1, or attempts do not count from 1.

    Examples
    --------
    >>> needed(0.05), needed(0.05, attempt=2)
    (40.0, 120.0)
    """
    if not 0 < alpha < 1 or attempt < 1:
        raise ModelError("alpha lies between 0 and 1 and attempts count from 1", alpha=alpha, attempt=attempt)
    return attempt * (attempt + 1) / alpha


def bet_on_losses(incumbent: NDArray[np.float64], candidate: NDArray[np.float64], horizon: int) -> Bets:
    """Bet that the candidate loses less.

    A loss above :data:`TAIL` times the incumbent's mean loss until then counts as that much.

    Parameters
    ----------
    incumbent, candidate
        ``float64[forecast]``: losses on the same forecasts, in order, finite and not negative.
    horizon
        Forecasts between a forecast and the first one that is issued when its label is known.

    Raises
    ------
    ModelError
        If they differ in length, are not finite or negative, or the horizon is below 1.

    Examples
    --------
    >>> usual, better = np.full(400, 2.0), np.full(400, 1.0)
    >>> bet_on_losses(usual, better, 1).e_value > 1e6, bet_on_losses(better, usual, 1).e_value
    (True, 1.0)
    """
    _check(incumbent, candidate, horizon)
    if (incumbent < 0).any() or (candidate < 0).any():
        raise ModelError("a loss is not negative; give absolute errors")
    limit = TAIL * _usual(incumbent, horizon)
    return _bet(np.minimum(incumbent, limit) - np.minimum(candidate, limit), limit, horizon)


def bet_on_values(incumbent: NDArray[np.float64], candidate: NDArray[np.float64], horizon: int) -> Bets:
    """Bet that the candidate earns more.

    A difference above :data:`TAIL` times what the incumbent usually moves counts as that much.

    Parameters
    ----------
    incumbent, candidate
        ``float64[forecast]``: net value that acting on each forecast brought, in one unit (wei).
    horizon
        As in :func:`bet_on_losses`.

    Raises
    ------
    ModelError
        If they differ in length or are not finite, or the horizon is below 1.
    """
    _check(incumbent, candidate, horizon)
    limit = TAIL * _usual(np.abs(incumbent), horizon)
    return _bet(np.clip(candidate - incumbent, -limit, limit), limit, horizon)


def _check(incumbent: NDArray[np.float64], candidate: NDArray[np.float64], horizon: int) -> None:
    if len(incumbent) != len(candidate) or horizon < 1:
        raise ModelError(
            "both are judged on the same forecasts, and a horizon is at least 1",
            incumbent=len(incumbent),
            candidate=len(candidate),
            horizon=horizon,
        )
    if not (np.isfinite(incumbent).all() and np.isfinite(candidate).all()):
        raise ModelError("a loss or a value is not finite; judge forecasts with a label only")


def _usual(size: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Return the mean of the sizes known when each forecast is issued; 0 where too few are."""
    known = np.arange(len(size)) - horizon + 1
    total = np.concatenate(([0.0], np.cumsum(size)))
    return np.where(known >= FIRST, total[np.maximum(known, 0)] / np.maximum(known, 1), 0.0)


def _bet(gain: NDArray[np.float64], limit: NDArray[np.float64], horizon: int) -> Bets:
    """Return the money that bets on bounded gains bring, over series that do not overlap."""
    usable = limit > 0
    share = np.where(usable, gain / np.where(usable, limit, 1.0), 0.0)
    money = np.log1p(np.multiply.outer(share, np.array(BETS)))
    best = 1.0
    for start in range(min(horizon, len(share))):
        # capped where a float ends; that much money is proof enough
        logs = np.minimum(np.cumsum(money[start::horizon], axis=0), 700.0)
        best = max(best, float(np.exp(logs).mean(axis=1).max()))
    return Bets(best / horizon, int(usable.sum()))
