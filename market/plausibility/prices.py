"""Prices that a set of pools agrees on: given ones, and for the rest what the pools around them say.

Floats: they rank and filter, nothing is traded at them. A price is wei of the native token per raw
unit, so that no decimals are needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

from chain.blocks import Address
from market.plausibility.holdings import holdings
from market.pools.pool import Pool


@dataclass(frozen=True, slots=True)
class PairPrice:
    """What one pool says two of its tokens are worth in each other.

    Parameters
    ----------
    first, second
        The tokens.
    ratio
        Raw units of ``second`` per raw unit of ``first``, in the middle between buying and selling, so
        that fees cancel.
    held_first, held_second
        What the pool can pay of each, raw units.
    """

    first: Address
    second: Address
    ratio: float
    held_first: int
    held_second: int


def pair_prices(pool: Pool) -> Iterator[PairPrice]:
    """Yield what a pool says about each two of its tokens that it trades both ways."""
    held = dict(zip(pool.tokens, holdings(pool), strict=True))
    for first, second in combinations(pool.tokens, 2):
        there, back = pool.marginal_rate(first, second), pool.marginal_rate(second, first)
        if there > 0 and back > 0:
            yield PairPrice(first, second, sqrt(there / back), held[first], held[second])


def agreed_prices(
    pools: Iterable[Pool], reference: Mapping[Address, float], least_value: float
) -> dict[Address, float]:
    """Return a price for every token that the pools connect with one that has a price.

    Given prices stand. The others follow in rounds: a token's price is the median of what the pools say
    that pair it with priced tokens, weighted by how much value of priced tokens lies in them.

    Parameters
    ----------
    pools
        The market.
    reference
        Given prices, wei per raw unit.
    least_value
        Value that a pool must hold of the priced token for its word to count, wei.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> from market.pools.uniswap_v2 import UniswapV2Pool
    >>> pool = UniswapV2Pool(PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000), 10**6, 10**4)
    >>> agreed_prices([pool], {"0xa": 1.0}, least_value=0)
    {'0xa': 1.0, '0xb': 100.0}
    """
    said: dict[Address, list[tuple[Address, float, int]]] = defaultdict(list)
    for pool in pools:
        for pair in pair_prices(pool):
            said[pair.first].append((pair.second, pair.ratio, pair.held_second))
            said[pair.second].append((pair.first, 1.0 / pair.ratio, pair.held_first))
    prices = dict(reference)
    while found := _next_round(said, prices, least_value):
        prices.update(found)
    return prices


def _next_round(
    said: Mapping[Address, list[tuple[Address, float, int]]],
    prices: Mapping[Address, float],
    least_value: float,
) -> dict[Address, float]:
    found: dict[Address, float] = {}
    for token, sayings in said.items():
        if token in prices:
            continue
        words = [
            (ratio * prices[other], held * prices[other]) for other, ratio, held in sayings if other in prices
        ]
        weighty = [(price, value) for price, value in words if value >= least_value]
        if weighty:
            found[token] = _weighted_median(weighty)
    return found


def _weighted_median(words: list[tuple[float, float]]) -> float:
    """Return the price at which half of the value is reached, from below."""
    ordered = sorted(words)
    half = sum(value for _, value in ordered) / 2
    passed = 0.0
    for price, value in ordered:
        passed += value
        if passed >= half:
            return price
    return ordered[-1][0]
