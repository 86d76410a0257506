"""A test that may be looked at after every forecast: betting against "the candidate is no better".

Somebody starts with one unit of money and bets, forecast after forecast, that the candidate's error will
be the smaller one. If the candidate is no better the bets are fair at best, and money that grows to
``1 / alpha`` at any time is seen with a probability of ``alpha`` at most, whenever one stops to look.

The gain of forecast ``t``, over a limit fixed when it was issued, is ``g[t]`` in -1 to 1. The hypothesis is
``E[g[t] | what was known when t was issued] <= 0``. The money on bet size ``b`` is the product of
``1 + b g[t]``; the e-value is the mean over a fixed list of sizes, fair because each of them is.

A label comes some time after its forecast, so money won on one is not known yet when the next is issued. The
forecasts are therefore dealt out to chains in which none is issued before the label of the one before is
known: each joins the first chain that it may, or opens another. That looks at nothing but what is known by
then. Each chain has its own money; money of chain ``j`` counts ``1 / (j (j + 1))``, which adds up to 1 over
all ``j``, so the best of them reaches ``1 / alpha`` with a probability of ``alpha`` at most all the same.

References
----------
Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2023), section 4.
Choe and Ramdas, "Comparing Sequential Forecasters" (2023), on forecasts that overlap.
Ville's inequality (1939).
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
"""Labels that must be known, to say what the usual error is, before anything is bet."""
LOOKAHEAD = 32
"""Times as many forecasts as there are among which it is looked for how many would do."""


@dataclass(frozen=True, slots=True)
class Bets:
    """What betting on the candidate brought.

    Parameters
    ----------
    e_value
        Most money seen in a chain, at any time, times what the chain counts; at least ``1 / alpha``
        happens with a probability of ``alpha`` at most if the candidate is no better.
    forecasts
        Forecasts that were bet on.
    """

    e_value: float
    forecasts: int


def needed(alpha: float, attempt: int = 1) -> float:
    """Return the e-value that the ``attempt``-th try needs.

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


def bet_on_losses(
    incumbent: NDArray[np.float64], candidate: NDArray[np.float64], arrival: NDArray[np.int64]
) -> Bets:
    """Bet that the candidate loses less.

    A loss above :data:`TAIL` times the mean of the incumbent's losses known until then counts as that much.

    Parameters
    ----------
    incumbent, candidate
        ``float64[forecast]``: losses on the same forecasts, in order, finite and not negative.
    arrival
        ``int64[forecast]``: first forecast that is issued when the label of this one is known.

    Raises
    ------
    ModelError
        If they differ in length, are not finite or negative, or a label comes before its forecast.

    Examples
    --------
    >>> usual, better, next_one = np.full(400, 2.0), np.full(400, 1.0), np.arange(400) + 1
    >>> bet_on_losses(usual, better, next_one).e_value > 1e6, bet_on_losses(better, usual, next_one).e_value
    (True, 0.5)
    """
    _check(incumbent, candidate, arrival)
    if (incumbent < 0).any() or (candidate < 0).any():
        raise ModelError("a loss is not negative; give absolute errors")
    limit = TAIL * _usual(incumbent, arrival)
    gain = np.minimum(incumbent, limit) - np.minimum(candidate, limit)
    return Bets(float(_evidence(gain, limit, arrival)[-1]), int((limit > 0).sum()))


def bet_on_values(
    incumbent: NDArray[np.float64], candidate: NDArray[np.float64], arrival: NDArray[np.int64]
) -> Bets:
    """Bet that the candidate earns more.

    A difference above :data:`TAIL` times what the incumbent usually moves counts as that much.

    Parameters
    ----------
    incumbent, candidate
        ``float64[forecast]``: net value that acting on each forecast brought, in one unit (wei).
    arrival
        As in :func:`bet_on_losses`.

    Raises
    ------
    ModelError
        If they differ in length or are not finite, or a label comes before its forecast.
    """
    _check(incumbent, candidate, arrival)
    limit = TAIL * _usual(np.abs(incumbent), arrival)
    gain = np.clip(candidate - incumbent, -limit, limit)
    return Bets(float(_evidence(gain, limit, arrival)[-1]), int((limit > 0).sum()))


def enough_forecasts(incumbent: NDArray[np.float64], arrival: NDArray[np.int64], level: float) -> int | None:
    """Return how many forecasts a candidate that never errs would need to reach a level.

    Where these do not do, it is an estimate: the incumbent is taken to go on losing as it did on them.

    Parameters
    ----------
    incumbent, arrival
        As in :func:`bet_on_losses`.
    level
        E-value that is needed.

    Returns
    -------
    int or None
        ``None`` if :data:`LOOKAHEAD` times as many would not do either: the incumbent errs next to never.

    Examples
    --------
    >>> enough_forecasts(np.full(30, 2.0), np.arange(30) + 1, 40.0)
    58
    """
    _check(incumbent, incumbent, arrival)
    for copies in (1, LOOKAHEAD):
        losses = np.tile(incumbent, copies)
        later = np.repeat(np.arange(copies) * len(incumbent), len(incumbent))
        after = np.tile(arrival, copies) + later
        limit = TAIL * _usual(losses, after)
        reached = np.flatnonzero(_evidence(np.minimum(losses, limit), limit, after) >= level)
        if len(reached):
            return int(reached[0]) + 1
    return None


def chains(arrival: NDArray[np.int64]) -> NDArray[np.int64]:
    """Deal forecasts out to chains that do not overlap, each to the first that it may join.

    Parameters
    ----------
    arrival
        As in :func:`bet_on_losses`.

    Returns
    -------
    ndarray
        ``int64[forecast]``: chain of each, from 0 in the order in which they were opened.

    Examples
    --------
    >>> chains(np.array([3, 2, 3, 4])).tolist()
    [0, 1, 1, 0]
    """
    free: list[int] = []
    chain = np.empty(len(arrival), dtype=np.int64)
    for at, known in enumerate(arrival.tolist()):
        place = next((place for place, since in enumerate(free) if since <= at), len(free))
        free[place : place + 1] = [known]
        chain[at] = place
    return chain


def _check(
    incumbent: NDArray[np.float64], candidate: NDArray[np.float64], arrival: NDArray[np.int64]
) -> None:
    if not len(incumbent) == len(candidate) == len(arrival) > 0:
        raise ModelError(
            "both are judged on the same forecasts, at least one, each of which has a label that comes",
            incumbent=len(incumbent),
            candidate=len(candidate),
            arrival=len(arrival),
        )
    if (arrival <= np.arange(len(arrival))).any():
        raise ModelError("a label is known to a later forecast than its own at the earliest")
    if not (np.isfinite(incumbent).all() and np.isfinite(candidate).all()):
        raise ModelError("a loss or a value is not finite; judge forecasts with a label only")


def _usual(size: NDArray[np.float64], arrival: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean of the sizes known when each forecast is issued; 0 where too few are."""
    order = np.argsort(arrival, kind="stable")
    known = np.searchsorted(arrival[order], np.arange(len(size)), side="right")
    total = np.concatenate(([0.0], np.cumsum(size[order])))
    return np.where(known >= FIRST, total[known] / np.maximum(known, 1), 0.0)


def _evidence(
    gain: NDArray[np.float64], limit: NDArray[np.float64], arrival: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return what bets on bounded gains brought by each forecast, ``float64[forecast]``, never falling."""
    usable = limit > 0
    share = np.where(usable, gain / np.where(usable, limit, 1.0), 0.0)
    money = np.log1p(np.multiply.outer(share, np.array(BETS)))
    chain, evidence = chains(arrival), np.full(len(gain), 0.5)
    for place in range(int(chain.max()) + 1):
        rows = chain == place
        # capped where a float ends; that much money is proof enough
        logs = np.minimum(np.cumsum(money[rows], axis=0), 700.0)
        evidence[rows] = np.maximum(evidence[rows], np.exp(logs).mean(axis=1) / ((place + 1) * (place + 2)))
    return np.maximum.accumulate(evidence)
