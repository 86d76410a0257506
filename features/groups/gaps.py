"""Price gaps: how far pools of one pair stand apart, and for how long."""

from __future__ import annotations

from collections.abc import Mapping

from features.feature import Feature
from features.groups.group import Observed
from features.groups.prices import PPM, Pair

FEATURES = (
    Feature("gap_max_ppm", "ppm", "Widest log price gap between two pools of one pair."),
    Feature("gap_mean_ppm", "ppm", "Mean log price gap over all couples of pools of one pair."),
    Feature("gap_age_blocks", "blocks", "Blocks since another couple of pools had the widest gap."),
)

_Couple = tuple[str, str]


class GapGroup:
    """Gaps between pools of the same pair of tokens, before fees."""

    def __init__(self) -> None:
        self._quotes: Mapping[Pair, Mapping[str, float]] | None = None
        self._widest: _Couple | None = None
        self._gaps: tuple[float, float] | None = None
        self._age = 0

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        before = self._widest
        if observed.book.quotes is not self._quotes:
            self._quotes = observed.book.quotes
            self._widest, self._gaps = _measure(self._quotes)
        self._age = self._age + 1 if self._widest == before else 0
        if self._gaps is None:
            return None, None, None
        return (*self._gaps, float(self._age))


def _measure(
    quotes: Mapping[Pair, Mapping[str, float]],
) -> tuple[_Couple | None, tuple[float, float] | None]:
    """Return the couple with the widest gap (dear pool first), and the widest and mean gap in ppm."""
    widest: tuple[float, _Couple] | None = None
    total, count = 0.0, 0
    for pair in sorted(quotes):
        # ids break ties, so the order in which pools were touched never shows
        prices = sorted((price, pool_id) for pool_id, price in quotes[pair].items())
        size = len(prices)
        if size < 2:
            continue
        gap = prices[-1][0] - prices[0][0]
        if widest is None or gap > widest[0]:
            widest = gap, (prices[-1][1], prices[0][1])
        # of sorted prices, the one at place i is the upper one i times and the lower one the rest
        total += sum(price * (2 * place - size + 1) for place, (price, _) in enumerate(prices))
        count += size * (size - 1) // 2
    if widest is None:
        return None, None
    return widest[1], (widest[0] * PPM, total / count * PPM)
