"""The widest gap of a market: which two pools of one pair stand furthest apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

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


class _Within(NamedTuple):
    """Gaps within one pair, in log units: the widest, whose it is, the sum over couples, their number."""

    widest: float
    couple: Couple
    total: float
    couples: int


class GapBook:
    """Gaps between quotes of the same pair, after a block; an immutable value.

    Examples
    --------
    >>> GapBook().after({("0xa", "0xb"): {"p": 1.0, "q": 1.5}}).gaps
    Gaps(couple=('q', 'p'), widest=500000.0, mean=500000.0)
    """

    __slots__ = ("_quotes", "_within", "gaps")

    def __init__(self) -> None:
        self._quotes: Mapping[Pair, Mapping[str, float]] = {}
        self._within: Mapping[Pair, _Within | None] = {}
        self.gaps = NO_GAPS

    def after(self, quotes: Mapping[Pair, Mapping[str, float]]) -> GapBook:
        """Return the book of other quotes, pairs in order; pairs with a new mapping are measured again."""
        known, within = self._quotes, self._within
        book = object.__new__(GapBook)
        book._quotes = quotes
        book._within = {
            pair: within[pair] if known.get(pair) is prices else _measure(prices)
            for pair, prices in quotes.items()
        }
        book.gaps = _widest(book._within.values())
        return book


def _measure(quotes: Mapping[str, float]) -> _Within | None:
    size = len(quotes)
    if size < 2:
        return None
    # ids break ties, so the order in which pools were touched never shows
    prices = sorted([(price, pool_id) for pool_id, price in quotes.items()])
    # of sorted prices, the one at place i is the upper one i times and the lower one the rest
    total, weight = 0.0, 1 - size
    for price, _ in prices:
        total += price * weight
        weight += 2
    (low, cheap), (high, dear) = prices[0], prices[-1]
    return _Within(high - low, (dear, cheap), total, size * (size - 1) // 2)


def _widest(pairs: Iterable[_Within | None]) -> Gaps:
    widest, couple = 0.0, None
    total, count = 0.0, 0
    for within in pairs:
        if within is None:
            continue
        gap, whose, part, couples = within
        if couple is None or gap > widest:
            widest, couple = gap, whose
        total += part
        count += couples
    return Gaps(couple, widest * PPM, total / count * PPM) if couple else NO_GAPS
