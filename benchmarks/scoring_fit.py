"""What a market looks like in numbers: the parameters that a seeded one needs to look the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarks.scoring_market import BenchMarket
from benchmarks.scoring_parameters import MarketParameters
from core.errors import InputError

HUBS = 6
"""Tokens taken for hubs: those in most pools."""

_MEDIAN_OF_NORMAL = 0.6744897501960817
_LEAST_SHARE = 0.01
_STEEPEST = 1.0
_PPM = 1_000_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Pools of two tokens, as far as the shape of a market depends on them; arrays are by pool.

    Parameters
    ----------
    tokens
        Names of the two tokens, the smaller first.
    log_depth
        Natural logarithm of what one side is worth, in wei of the native token; the mean of both sides.
    log_price
        Natural logarithm of raw units of the second token per raw unit of the first, between buy and sell.
    fee
        Ppm.
    decimals, whole_price
        Of tokens: decimals, and the price of a whole one in the native token.
    swap_cost
        Of each pool, wei of the native token.
    """

    tokens: tuple[tuple[str, str], ...]
    log_depth: Floats
    log_price: Floats
    fee: NDArray[np.int64]
    decimals: dict[str, int]
    whole_price: dict[str, float]
    swap_cost: Floats


@dataclass(frozen=True, slots=True)
class Parallel:
    """Pairs of pools that trade the same tokens, each array by pair.

    Parameters
    ----------
    gap
        How far apart the logarithms of their prices are.
    fees
        What passing through both costs, as a share: a gap beyond it can be traded.
    first, second
        Places of the two pools in the sample.
    """

    gap: Floats
    fees: Floats
    first: NDArray[np.int64]
    second: NDArray[np.int64]


def sample_of(market: BenchMarket) -> Sample:
    """Return a seeded market as a sample."""
    held = np.array(market.reserves, dtype=np.float64)
    log_depth = 0.5 * np.log(held[:, 0] * market.price[market.token0]) + 0.5 * np.log(
        held[:, 1] * market.price[market.token1]
    )
    names, whole = market.tokens, market.price * 10.0 ** (market.decimals - 18.0)
    return Sample(
        tuple((names[one], names[other]) for one, other in zip(market.token0, market.token1, strict=True)),
        log_depth,
        np.log(held[:, 1] / held[:, 0]),
        market.fees,
        dict(zip(names, market.decimals.tolist(), strict=True)),
        dict(zip(names, whole.tolist(), strict=True)),
        market.edges.cost[:-1:2],
    )


def fit(sample: Sample) -> MarketParameters:
    """Return the parameters of a market that looks like this one.

    Every number is a share, a mean, a median or a spread; the noise is what makes half of
    the gaps between parallel pools as wide as they are, among the shallow and among the deep.

    Raises
    ------
    InputError
        If there are too few pools: some of every kind of pair, and some that are parallel, are needed.
    """
    degree = Counter(token for pair in sample.tokens for token in pair)
    ranked = sorted(degree, key=lambda token: (-degree[token], token))
    hubs, others = ranked[:HUBS], ranked[HUBS:]
    held = [sum(token in hubs for token in pair) for pair in sample.tokens]
    alone = Counter(
        next(token for token in pair if token in hubs)
        for pair, count in zip(sample.tokens, held, strict=True)
        if count == 1
    )
    pools, single = len(held), sum(alone.values())
    if not single or not others:
        raise InputError(f"{pools} pools are too few to tell hubs from other tokens", pools=pools)
    noise, slope = _noise(sample)
    prices = np.log([sample.whole_price[token] for token in ranked])
    return MarketParameters(
        hubs_in_pool=(held.count(0) / pools, single / pools, held.count(2) / pools),
        hub_shares=tuple(alone[token] / single for token in hubs),
        hub_decimals=tuple(sample.decimals[token] for token in hubs),
        tokens_per_pool=len(degree) / pools,
        depth_mean=float(sample.log_depth.mean()),
        depth_std=float(sample.log_depth.std()),
        price_mean=float(np.median(prices)),
        price_std=float(np.median(np.abs(prices - np.median(prices)))) / _MEDIAN_OF_NORMAL,
        decimals=_shares(sample.decimals[token] for token in others),
        fees=_shares(sample.fee.tolist()),
        noise=noise,
        noise_slope=slope,
        swap_cost=float(np.median(sample.swap_cost)),
        starts=HUBS,
    )


def pools_per_pair(sample: Sample) -> float:
    """Return how many pools a pair of tokens that has any has, on average."""
    return len(sample.tokens) / len(set(sample.tokens))


def parallel(sample: Sample) -> Parallel:
    """Return all pairs of pools that trade the same two tokens."""
    beside: dict[Hashable, list[int]] = {}
    for place, pair in enumerate(sample.tokens):
        beside.setdefault(pair, []).append(place)
    both = [pair for places in beside.values() for pair in combinations(places, 2)]
    first, second = np.array(both, dtype=np.int64).reshape(-1, 2).T
    cost = -np.log1p(-sample.fee / _PPM)
    gap = np.abs(sample.log_price[first] - sample.log_price[second])
    return Parallel(gap, cost[first] + cost[second], first, second)


def open_share(sample: Sample) -> float:
    """Return the share of pairs of parallel pools whose gap is wider than both fees."""
    pairs = parallel(sample)
    return float((pairs.gap > pairs.fees).mean()) if len(pairs.gap) else 0.0


def _noise(sample: Sample) -> tuple[float, float]:
    """Return the noise at the mean depth and its slope.

    Medians decide, so that a few stale pools do not. For each slope the noise follows from the median of
    all gaps; the slope is where the deeper half of the pairs has the same median as the other.
    """
    pairs = parallel(sample)
    if len(pairs.gap) < 2 * HUBS:
        raise InputError("too few pools trade the same tokens to tell how far prices are apart")
    deeper = sample.log_depth - sample.log_depth.mean()
    shallowest = np.minimum(deeper[pairs.first], deeper[pairs.second])
    deep = shallowest > np.median(shallowest)

    def standardised(slope: float) -> Floats:
        spread = np.exp(-2 * slope * deeper[pairs.first]) + np.exp(-2 * slope * deeper[pairs.second])
        scaled: Floats = pairs.gap / np.sqrt(spread)
        return scaled

    low, high = 0.0, _STEEPEST
    for _ in range(40):
        slope = 0.5 * (low + high)
        scaled = standardised(slope)
        low, high = (slope, high) if np.median(scaled[deep]) < np.median(scaled[~deep]) else (low, slope)
    return float(np.median(standardised(low))) / _MEDIAN_OF_NORMAL, low


def _shares(values: Iterable[int]) -> tuple[tuple[int, float], ...]:
    """Return shares of values, ascending; those below one in a hundred are left out."""
    counts = Counter(values)
    least = _LEAST_SHARE * sum(counts.values())
    kept = {value: count for value, count in sorted(counts.items()) if count >= least}
    return tuple((value, count / sum(kept.values())) for value, count in kept.items())
