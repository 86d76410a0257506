"""The widest gap of a market: which two pools of one pair stand furthest apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.groups.prices import PPM, Pair

Couple = tuple[str, str]
"""Ids of two pools, the dear one first."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Log price gaps between pools of one pair, before fees, ppm.

    Parameters
    ----------
    couple
        The two pools with the widest gap; ``None`` if no pair has two prices.
    widest, mean
        That gap, and the mean over all couples of pools of one pair.
    """

    couple: Couple | None
    widest: float
    mean: float


NO_GAPS = Gaps(None, 0.0, 0.0)


def measure(quotes: Mapping[Pair, Mapping[str, float]]) -> Gaps:
    """Return the gaps between quotes of the same pair.

    Examples
    --------
    >>> measure({("0xa", "0xb"): {"p": 1.0, "q": 1.5}})
    Gaps(couple=('q', 'p'), widest=500000.0, mean=500000.0)
    """
    widest, couple = 0.0, None
    total, count = 0.0, 0
    for pair in sorted(quotes):
        size = len(quotes[pair])
        if size < 2:
            continue
        # ids break ties, so the order in which pools were touched never shows
        prices = sorted((price, pool_id) for pool_id, price in quotes[pair].items())
        gap = prices[-1][0] - prices[0][0]
        if couple is None or gap > widest:
            widest, couple = gap, (prices[-1][1], prices[0][1])
        # of sorted prices, the one at place i is the upper one i times and the lower one the rest
        within = 0.0
        for place, (price, _) in enumerate(prices):
            within += price * (2 * place - size + 1)
        total += within
        count += size * (size - 1) // 2
    return Gaps(couple, widest * PPM, total / count * PPM) if couple else NO_GAPS
