"""Prices of pools as several groups need them: logarithms without fees, per pair and pool."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import combinations

from chain.blocks import Address
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.tokens import Token

Pair = tuple[Address, Address]
"""Two tokens, the lower address first."""

PPM = 1_000_000


def log_price(pool: Pool, pair: Pair) -> float | None:
    """Return the log of the pool's price without its fee; ``None`` if the pool is dead.

    The fee falls on the input in both directions, so it cancels in the mean of both.
    """
    there, back = pool.marginal_rate(*pair), pool.marginal_rate(pair[1], pair[0])
    if there <= 0 or back <= 0:
        return None
    return (math.log(there) - math.log(back)) / 2


def find_token(tokens: Mapping[Address, Token], symbol: str) -> Address | None:
    """Return the token with this symbol; of several, the one with the lowest address."""
    return min((token.address for token in tokens.values() if token.symbol == symbol), default=None)


class PriceBook:
    """Log prices of every pool after a block; an immutable value.

    ``quotes[pair][pool_id]`` is in raw units of the pair's second token for one of the first, pairs in order.
    Pools that are dead or not loaded have no quote.
    """

    __slots__ = ("_asked", "_pairs", "quotes")

    def __init__(self, specs: Iterable[PoolSpec]) -> None:
        ordered = sorted(specs, key=lambda spec: spec.pool_id)
        self._pairs = {spec.pool_id: tuple(combinations(sorted(spec.tokens), 2)) for spec in ordered}
        self._asked = False
        self.quotes: Mapping[Pair, Mapping[str, float]] = {
            pair: {} for pair in sorted({pair for pairs in self._pairs.values() for pair in pairs})
        }

    def covers(self, pair: Pair, pool_id: str) -> bool:
        """Tell whether a pool trades a pair."""
        return pair in self._pairs[pool_id]

    def after(self, pools: Mapping[str, Pool], touched: Iterable[str]) -> PriceBook:
        """Return the book after a block: touched pools are asked again, the first time all."""
        followed = self._pairs
        ask = [
            pool_id
            for pool_id in (touched if self._asked else followed)
            if pool_id in pools and pool_id in followed
        ]
        if not ask:
            return self
        changed: dict[Pair, dict[str, float]] = {}
        for pool_id in ask:
            for pair in self._pairs[pool_id]:
                if pair not in changed:
                    changed[pair] = dict(self.quotes[pair])
                price = log_price(pools[pool_id], pair)
                if price is None:
                    changed[pair].pop(pool_id, None)
                else:
                    changed[pair][pool_id] = price
        book = object.__new__(PriceBook)
        book._pairs, book._asked, book.quotes = self._pairs, True, {**self.quotes, **changed}
        return book
