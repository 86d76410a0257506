"""Real markets to search: pools of the recorded snapshots that are worth believing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import sqrt
from pathlib import Path

import numpy as np

from benchmarks.scoring_fit import Sample
from market.plausibility.holdings import holdings
from market.plausibility.judgement import judge
from market.plausibility.prices import pair_prices
from market.pools.pool import Pool
from market.snapshots.formats import read_snapshots
from market.snapshots.snapshot import MarketSnapshot
from market.tokens import Token

AUCTIONS = ("cow_auctions_2.json.zst", "cow-auction")
"""Two whole markets, minutes apart, of every family: the seeded market is fitted to the larger."""

OTHERS = (("tycho_data.json.zst", "tycho-pools"), ("tycho_snapshot.json.zst", "tycho-snapshot"))
"""Parts of markets: a few concentrated pools, and pairs of one exchange, nearly all of different tokens."""

_UNIT = 1e18
_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class RealMarket:
    """The plausible part of a snapshot.

    Parameters
    ----------
    source
        Where it came from, for people.
    pools
        Of every family.
    prices
        Wei of the native token per raw unit of every token of the pools.
    swap_costs
        Wei of the native token by pool id; empty where the file tells none.
    tokens
        What is known of tokens; some files tell nothing.
    left_out
        How many pools of the snapshot were not plausible.
    """

    source: str
    pools: tuple[Pool, ...]
    prices: Mapping[str, float]
    swap_costs: Mapping[str, int]
    tokens: Mapping[str, Token]
    left_out: int


def real_markets(root: Path) -> tuple[RealMarket, ...]:
    """Return the recorded markets of a data root: the two auctions, then the others.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    read = (read_snapshots(root / file, name) for file, name in (AUCTIONS, *OTHERS))
    return tuple(plausible(snapshot) for snapshot in chain.from_iterable(read))


def plausible(snapshot: MarketSnapshot) -> RealMarket:
    """Return the pools of a snapshot that are worth believing, sorted by id."""
    judged = judge(snapshot.pools, snapshot.reference_prices)
    kept = tuple(sorted(judged.plausible, key=lambda pool: pool.pool_id))
    return RealMarket(
        snapshot.source,
        kept,
        {token: judged.prices[token] for pool in kept for token in pool.tokens},
        {pool.pool_id: snapshot.swap_costs[pool.pool_id] for pool in kept if snapshot.swap_costs},
        snapshot.tokens,
        len(snapshot.pools) - len(kept),
    )


def largest(markets: Sequence[RealMarket]) -> RealMarket:
    """Return the auction with more pools: of the recorded markets that hold every family, the larger."""
    return max(markets[:2], key=lambda market: len(market.pools))


def real_sample(market: RealMarket) -> Sample:
    """Return a market's pools of two tokens as a sample; a token of unknown decimals counts as one of 18."""
    pools = [pool for pool in market.pools if len(pool.tokens) == 2]
    said = [next(pair_prices(pool)) for pool in pools]
    upward = [one.first < one.second for one in said]
    tokens = sorted({token for pool in pools for token in pool.tokens})
    decimals = {token: market.tokens[token].decimals if token in market.tokens else 18 for token in tokens}
    return Sample(
        tuple((min(pool.tokens), max(pool.tokens)) for pool in pools),
        np.array([_log_depth(pool, market.prices) for pool in pools]),
        np.array([np.log(one.ratio) * (1 if up else -1) for one, up in zip(said, upward, strict=True)]),
        np.array([_fee(pool) for pool in pools], dtype=np.int64),
        decimals,
        {token: market.prices[token] * 10.0 ** decimals[token] / _UNIT for token in tokens},
        np.array([market.swap_costs.get(pool.pool_id, 0) for pool in pools], dtype=np.float64),
    )


def _log_depth(pool: Pool, prices: Mapping[str, float]) -> float:
    worth = [held * prices[token] for token, held in zip(pool.tokens, holdings(pool), strict=True)]
    return float(np.log(worth).mean())


def _fee(pool: Pool) -> int:
    """Return what a round trip through the pool loses at size zero, halved, in ppm."""
    first, second = pool.tokens
    kept = pool.marginal_rate(first, second) * pool.marginal_rate(second, first)
    return round(_PPM * (1.0 - sqrt(kept)))
