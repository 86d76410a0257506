"""Prices and gaps of every pair over blocks, for pictures; floats that decide nothing."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict

from analysis.records import Series
from chain.blocks import Address
from market.pools.pool import Pool
from market.state import MarketState

PPM = 1_000_000
POINTS = 8192
"""Most points of a series: more than a day of Ethereum's blocks, and than a picture has columns."""


def mid_price(pool: Pool, base: Address, quote: Address) -> float:
    """Return raw quote units per raw base unit between the pool's two directions, fees cancelled.

    Both directions lose the same fee, so the geometric mean of one rate and the inverse of the
    other is free of it. 0.0 if the pool is dead in one direction.
    """
    there, back = pool.marginal_rate(base, quote), pool.marginal_rate(quote, base)
    return math.sqrt(there / back) if there > 0 and back > 0 else 0.0


class _Points:
    """Heights in order, and a number of each."""

    def __init__(self) -> None:
        self.blocks = array("q")
        self._values = array("d")

    def add(self, block: int, value: float) -> None:
        self.blocks.append(block)
        self._values.append(value)

    def keep(self, every: int) -> None:
        """Drop what is not of a height that the number divides."""
        kept = [place for place, block in enumerate(self.blocks) if block % every == 0]
        self.blocks = array("q", (self.blocks[place] for place in kept))
        self._values = array("d", (self._values[place] for place in kept))

    def rollback(self, to_number: int) -> None:
        while self.blocks and self.blocks[-1] > to_number:
            self.blocks.pop()
            self._values.pop()

    def series(self, name: str, unit: str) -> Series:
        return Series(name, unit, tuple(self.blocks), tuple(self._values))


class SeriesRecorder:
    """Collects one point per pool and pair and block, of as many blocks as a series has room for.

    When one is full, every second point of all of them goes, and of later blocks only every second one is
    recorded; so it goes on, and the series reach over all blocks in even steps.

    Parameters
    ----------
    state
        The market; its pools decide which pairs are recorded.
    base
        Token that is priced (wrapped native).
    """

    def __init__(self, state: MarketState, base: Address) -> None:
        self._state = state
        self._base = base
        self._pairs: dict[Address, list[str]] = defaultdict(list)
        for pool in state.pools.values():
            if base in pool.tokens and len(pool.tokens) == 2:
                quote = next(token for token in pool.tokens if token != base)
                self._pairs[quote].append(pool.pool_id)
        self._every = 1
        self._prices: dict[str, _Points] = defaultdict(_Points)
        self._gaps: dict[Address, _Points] = defaultdict(_Points)

    def record(self, block_number: int) -> None:
        """Add the market's present prices under this height, if it is one of those that are recorded."""
        if block_number % self._every:
            return
        for quote, pool_ids in self._pairs.items():
            scale = 10.0 ** (self._state.tokens[self._base].decimals - self._state.tokens[quote].decimals)
            prices = []
            for pool_id in pool_ids:
                price = mid_price(self._state.pools[pool_id], self._base, quote) * scale
                if price > 0:
                    self._prices[pool_id].add(block_number, price)
                    prices.append(price)
            if len(prices) > 1:
                self._gaps[quote].add(block_number, (max(prices) / min(prices) - 1) * PPM)
        self._thin()

    def rollback(self, to_number: int) -> None:
        """Forget every point above a height: its block was replaced."""
        for points in (*self._prices.values(), *self._gaps.values()):
            points.rollback(to_number)

    def prices(self) -> dict[str, tuple[Series, ...]]:
        """Return pair name to one price series per pool."""
        result = {}
        for quote, pool_ids in self._pairs.items():
            unit = f"{self._symbol(quote)} per {self._symbol(self._base)}"
            series = [
                self._prices[pool_id].series(self._label(pool_id), unit)
                for pool_id in pool_ids
                if self._prices[pool_id].blocks
            ]
            if series:
                result[self._pair(quote)] = tuple(series)
        return result

    def gaps(self) -> tuple[Series, ...]:
        """Return per pair how much dearer its dearest pool is than its cheapest, in ppm."""
        return tuple(points.series(self._pair(quote), "ppm") for quote, points in self._gaps.items())

    def _thin(self) -> None:
        every = (*self._prices.values(), *self._gaps.values())
        while any(len(points.blocks) > POINTS for points in every):
            self._every *= 2
            for points in every:
                points.keep(self._every)

    def _symbol(self, token: Address) -> str:
        return self._state.tokens[token].symbol

    def _pair(self, quote: Address) -> str:
        return f"{self._symbol(self._base)}/{self._symbol(quote)}"

    def _label(self, pool_id: str) -> str:
        spec = self._state.pools[pool_id].spec
        return f"{spec.venue} {spec.fee / 10_000:g} %"
