"""Prices and gaps of every pair over blocks, for pictures; floats that decide nothing."""

from __future__ import annotations

import math
from collections import defaultdict

from analysis.records import Series
from chain.blocks import Address
from market.pools.pool import Pool
from market.state import MarketState

PPM = 1_000_000


def mid_price(pool: Pool, base: Address, quote: Address) -> float:
    """Return raw quote units per raw base unit between the pool's two directions, fees cancelled.

    Both directions lose the same fee, so the geometric mean of one rate and the inverse of the
    other is free of it. 0.0 if the pool is dead in one direction.
    """
    there, back = pool.marginal_rate(base, quote), pool.marginal_rate(quote, base)
    return math.sqrt(there / back) if there > 0 and back > 0 else 0.0


class SeriesRecorder:
    """Collects one point per pool and pair and block.

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
        self._blocks: dict[str, list[int]] = defaultdict(list)
        self._prices: dict[str, list[float]] = defaultdict(list)
        self._gap_blocks: dict[Address, list[int]] = defaultdict(list)
        self._gaps: dict[Address, list[float]] = defaultdict(list)

    def record(self, block_number: int) -> None:
        """Add the market's present prices under this height."""
        for quote, pool_ids in self._pairs.items():
            scale = 10.0 ** (self._state.tokens[self._base].decimals - self._state.tokens[quote].decimals)
            prices = []
            for pool_id in pool_ids:
                price = mid_price(self._state.pools[pool_id], self._base, quote) * scale
                if price > 0:
                    self._blocks[pool_id].append(block_number)
                    self._prices[pool_id].append(price)
                    prices.append(price)
            if len(prices) > 1:
                self._gap_blocks[quote].append(block_number)
                self._gaps[quote].append((max(prices) / min(prices) - 1) * PPM)

    def rollback(self, to_number: int) -> None:
        """Forget every point above a height: its block was replaced."""
        for blocks, values in (
            *((self._blocks[pool_id], self._prices[pool_id]) for pool_id in self._blocks),
            *((self._gap_blocks[quote], self._gaps[quote]) for quote in self._gap_blocks),
        ):
            while blocks and blocks[-1] > to_number:
                blocks.pop()
                values.pop()

    def prices(self) -> dict[str, tuple[Series, ...]]:
        """Return pair name to one price series per pool."""
        result = {}
        for quote, pool_ids in self._pairs.items():
            unit = f"{self._symbol(quote)} per {self._symbol(self._base)}"
            series = [
                Series(self._label(pool_id), unit, tuple(self._blocks[pool_id]), tuple(self._prices[pool_id]))
                for pool_id in pool_ids
                if self._blocks[pool_id]
            ]
            if series:
                result[self._pair(quote)] = tuple(series)
        return result

    def gaps(self) -> tuple[Series, ...]:
        """Return per pair how much dearer its dearest pool is than its cheapest, in ppm."""
        return tuple(
            Series(self._pair(quote), "ppm", tuple(blocks), tuple(self._gaps[quote]))
            for quote, blocks in self._gap_blocks.items()
        )

    def _symbol(self, token: Address) -> str:
        return self._state.tokens[token].symbol

    def _pair(self, quote: Address) -> str:
        return f"{self._symbol(self._base)}/{self._symbol(quote)}"

    def _label(self, pool_id: str) -> str:
        spec = self._state.pools[pool_id].spec
        return f"{spec.venue} {spec.fee / 10_000:g} %"
