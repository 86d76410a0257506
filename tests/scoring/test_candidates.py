"""Bounds of candidates hold: no loop nets more than its own, and none that is left out more than the rest."""

from __future__ import annotations

import random
from math import inf

import numpy as np
import pytest

from core.reasons import Reason
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from scoring.candidates import believable, listed, rounding_worth, searched, surely_above
from scoring.columns import moebius_columns
from scoring.cycle_table import list_cycles
from scoring.cycles import Edge
from scoring.devices.cpu import CpuDevice
from scoring.edge_table import EdgeTable
from scoring.ranking import Candidates, PricedMarket, Source, canonical, rank
from scoring.search.cycle_search import CycleSearch
from tests.random_pools import DOLLARS, FAMILIES, TOKENS, USDC, WBTC, WETH, random_pool
from tests.scoring.loops_one_by_one import best_loops

POOLS = 12
WORTH = {
    token: DOLLARS[token] / DOLLARS[WETH] * 10 ** (18 - TOKENS[token].decimals)
    for token in (WETH, USDC, WBTC)
}


def market_of(seed: int) -> PricedMarket:
    rng = random.Random(seed)
    families = [list(FAMILIES)[(seed * POOLS + place) % len(FAMILIES)] for place in range(POOLS)]
    pools = [
        random_pool(family, rng, name=f"0x{place + 1:040x}", noise=0.02)
        for place, family in enumerate(families)
    ]
    costs = {pool.pool_id: rng.choice([0, 10**14, 3 * 10**15]) for pool in pools}
    return PricedMarket({pool.pool_id: pool for pool in pools}, WORTH, costs)


def columns_of(market: PricedMarket):
    table = EdgeTable(
        market.pools.values(), TOKENS, {name: float(cost) for name, cost in market.costs.items()}
    )
    worth = np.array([WORTH.get(token, 0.0) for token in table.tokens])
    return table, worth


def by_search(market: PricedMarket, max_gap: float = inf) -> Source:
    table, worth = columns_of(market)
    search = CycleSearch(table.edges, worth, max_rate=surely_above(max_gap))
    return searched(search, table.edges, table.pieces, worth, table.edge)


def by_list(market: PricedMarket, max_gap: float = inf) -> Source:
    table, worth = columns_of(market)
    cycles, withheld = believable(list_cycles(table.edges, worth), table.edges, worth, max_gap)
    device = CpuDevice(table.edges, worth, cycles)
    return listed(device, cycles, table.edges, worth, table.edge, withheld)


@pytest.mark.parametrize("source_of", [by_search, by_list])
@pytest.mark.parametrize("seed", range(6))
def test_no_loop_nets_more_than_its_bound_or_than_the_rest(seed, source_of):
    market = market_of(seed)
    source, real = source_of(market), best_loops(market)
    for count in (1, 5, 1000):
        found = source(count)
        bounds: dict = {}
        for edges, bound in zip(found.edges, found.bounds, strict=True):
            bounds.setdefault(canonical(edges), bound)
        assert list(found.bounds) == sorted(found.bounds, reverse=True)
        for net, trade in real:
            loop = canonical(tuple(Edge(hop.pool_id, hop.token_in, hop.token_out) for hop in trade.hops))
            assert net <= bounds.get(loop, found.rest)


@pytest.mark.parametrize("source_of", [by_search, by_list])
@pytest.mark.parametrize("seed", range(6))
def test_the_best_of_all_are_those_of_scoring_every_cycle(seed, source_of):
    market = market_of(seed)
    real = best_loops(market)
    for count in (1, 8, 1000):
        ranking = rank(source_of(market), market, count)
        assert [(trade.net, trade.opportunity) for trade in ranking.best] == real[:count]


@pytest.mark.parametrize("source_of", [by_search, by_list])
@pytest.mark.parametrize("seed", range(6))
def test_the_best_are_the_same_where_the_source_withholds_some(seed, source_of):
    market = market_of(seed)
    for max_gap in (1.01, 1.03):
        real = best_loops(market, max_gap)
        for count in (1, 8, 1000):
            ranking = rank(source_of(market, max_gap), market, count, max_gap)
            assert [(trade.net, trade.opportunity) for trade in ranking.best] == real[:count]
            assert ranking.complete is (len(real) < count)


@pytest.mark.parametrize("source_of", [by_search, by_list])
def test_many_pools_at_odds_are_withheld_at_once_and_counted_once_each(source_of):
    rng = random.Random(3)
    pools = [
        UniswapV2Pool(
            PoolSpec("uniswap_v2", name, name, (WETH, USDC), 3000),
            round(10**21 * rng.uniform(0.9, 1.1)),
            round(3 * 10**12 * rng.uniform(0.9, 1.1)),
        )
        for name in (f"0x{place:040x}" for place in range(300))
    ]
    market = PricedMarket({pool.pool_id: pool for pool in pools}, WORTH, {pool.pool_id: 0 for pool in pools})
    source, asked = source_of(market, 1.01), []

    def counting(count: int) -> Candidates:
        asked.append(count)
        return source(count)

    ranking = rank(counting, market, 10, 1.01)
    prices = np.array([pool.reserve1 / pool.reserve0 for pool in pools])
    withheld = np.count_nonzero(np.divide.outer(prices, prices) * 0.997**2 > 1.01)
    assert (asked, len(ranking.best)) == ([36], 10)
    assert 0.9 * withheld <= ranking.refused[Reason.GAP_IMPLAUSIBLE] <= withheld


def test_what_rounding_may_gain_is_counted_at_the_end_of_the_best_walk():
    # hub 0, tokens 1 and 2: a unit of token 2 is worth 5 by way of token 1, at a worth of 3 in the end
    rows = [(0, 1, 1.0), (1, 0, 2.5), (2, 1, 2.0), (1, 2, 0.1)]
    token_in, token_out = (np.array([row[place] for row in rows], np.int32) for place in (0, 1))
    rate, pool = np.array([row[2] for row in rows]), np.arange(4, dtype=np.int32)
    edges, _ = moebius_columns(rate, np.full(4, 1e-9), pool, token_in, token_out, np.zeros(4))
    worth = np.array([3.0, 0.0, 0.0])
    assert rounding_worth(edges, worth) == 0.0
    edges.excess[3] = 2.0
    assert rounding_worth(edges, worth) == 4 * 2.0 * 3.0 * 2.5 * 2.0
