"""Pairs of halves that promise too much, passed over many at a time.

Coming halves stand by falling rate, so those that promise too much with a leaving half are the first ones.
Of their cycles each is counted at one of its hubs and one of its mids only; a few that are counted use a pool
or a token twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled


@compiled
def composed_rate(rates: NDArray[np.float64], hops: NDArray[np.int32]) -> float:
    """Return the rate of a padded cycle, rounded as that of its two halves is."""
    return (rates[hops[0]] * rates[hops[1]]) * (rates[hops[2]] * rates[hops[3]])  # type: ignore[no-any-return]


@compiled
def believed_from(coming_rates: NDArray[np.float64], rate: float, max_rate: float) -> int:
    """Return the place of the first coming half that makes no more than ``max_rate`` with a leaving half.

    Parameters
    ----------
    coming_rates
        Rates of coming halves; falling.
    rate
        Of the leaving half.
    max_rate
        What a pair may make at most.
    """
    low, high = 0, len(coming_rates)
    while low < high:
        middle = (low + high) // 2
        if rate * coming_rates[middle] > max_rate:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def tally(
    token_out: NDArray[np.int32],
    worth: NDArray[np.float64],
    hub: int,
    paths: NDArray[np.int32],
    others: NDArray[np.int32],
    tallies: NDArray[np.int64],
) -> None:
    """Count along the coming halves of a bucket those whose cycles are counted at its hub.

    Parameters
    ----------
    token_out, worth
        Of all edges, and of all tokens.
    hub
        The token that the halves come back to.
    paths, others
        Edges of all coming halves, and which of them are meant.
    tallies
        Written, of shape ``(len(others) + 1, 2)``: how many of the first so many halves there are of one hop,
        and in all.
    """
    padding = len(token_out) - 1
    tallies[0] = 0
    for at in range(len(others)):
        path = paths[others[at]]
        is_short = path[1] == padding
        is_counted = is_short or _comes_later(worth, hub, token_out[path[0]])
        tallies[at + 1, 0] = tallies[at, 0] + (is_counted and is_short)
        tallies[at + 1, 1] = tallies[at, 1] + is_counted


@compiled
def counted_among(
    token_out: NDArray[np.int32],
    worth: NDArray[np.float64],
    hub: int,
    path: NDArray[np.int32],
    tallied: NDArray[np.int64],
) -> int:
    """Return how many cycles of a leaving half and so many coming ones are counted at its hub.

    One hop and then two is the cycle that another mid makes of two hops and then one.
    """
    if not _comes_later(worth, hub, token_out[path[0]]):
        return 0
    if path[1] == len(token_out) - 1:
        return tallied[0]  # type: ignore[no-any-return]
    return tallied[1] if _comes_later(worth, hub, token_out[path[1]]) else 0


@compiled
def _comes_later(worth: NDArray[np.float64], hub: int, token: int) -> bool:
    """Return whether a token is no hub, or one that stands behind."""
    return token > hub or not worth[token] > 0.0
