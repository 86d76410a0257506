"""The ranking by bounds gives what scoring every cycle gives, whatever the source lists at a time."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.reasons import Reason
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from scoring.curves import curve_of
from scoring.cycles import CycleIndex
from scoring.ranking import Candidates, PricedMarket, Source, canonical, rank
from scoring.sizing import Size, size_cycle
from tests.random_pools import DOLLARS, FAMILIES, TOKENS, USDC, WBTC, WETH, random_pool
from tests.scoring.loops_one_by_one import best_loops

WORTH = {
    token: 1.0 if token == WETH else DOLLARS[token] / 10 ** TOKENS[token].decimals / DOLLARS[WETH] * 10**18
    for token in (WETH, USDC, WBTC)
}
POOLS = 12


def market_of(pools: list[Pool], cost: int) -> PricedMarket:
    return PricedMarket({pool.pool_id: pool for pool in pools}, WORTH, dict.fromkeys(map(id_of, pools), cost))


def id_of(pool: Pool) -> str:
    return pool.pool_id


def random_market(seed: int, cost: int) -> PricedMarket:
    """Return pools of families drawn in turn, so that a dozen seeds hold all of them."""
    rng = random.Random(seed)
    names = [list(FAMILIES)[(seed * POOLS + place) % len(FAMILIES)] for place in range(POOLS)]
    return market_of(
        [random_pool(name, rng, name=f"0x{place + 1:040x}", noise=0.02) for place, name in enumerate(names)],
        cost,
    )


def curves_of(market: PricedMarket, edges):
    return [curve_of(market.pools[edge.pool_id], edge.token_in, edge.token_out) for edge in edges]


def source_of(market: PricedMarket, calls: list[int]) -> Source:
    """List cycles by the bound of their best start."""
    bounds: dict = {}
    for cycle in CycleIndex(market.pools.values(), list(WORTH)).cycles:
        size = size_cycle(curves_of(market, cycle.edges))
        if isinstance(size, Size):
            cost = sum(market.costs[edge.pool_id] for edge in cycle.edges)
            bound = size.upper_bound * WORTH[cycle.token] * (1 + 1e-15) - cost
            loop = canonical(cycle.edges)
            bounds[loop] = max(bounds.get(loop, -inf), bound)
    ordered = sorted(bounds, key=lambda loop: -bounds[loop])

    def source(count: int) -> Candidates:
        calls.append(count)
        listed = ordered[:count]
        rest = bounds[ordered[count]] if count < len(ordered) else -inf
        return Candidates(listed, [bounds[loop] for loop in listed], rest)

    return source


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 11),
    count=st.sampled_from([1, 3, 10, 1000]),
    cost=st.sampled_from([0, 10**14, 10**16]),
    max_gap=st.sampled_from([inf, 1.03]),
)
def test_the_best_are_those_that_scoring_every_cycle_gives(seed, count, cost, max_gap):
    market = random_market(seed, cost)
    expected = best_loops(market, max_gap)
    ranking = rank(source_of(market, []), market, count, max_gap)
    assert [(trade.net, trade.opportunity) for trade in ranking.best] == expected[:count]
    assert ranking.complete is (len(expected) < count)


def pair(name: str, weth: int, usdc: int) -> UniswapV2Pool:
    return UniswapV2Pool(PoolSpec("uniswap_v2", name, name, (WETH, USDC), 3000), weth, usdc)


def twins() -> PricedMarket:
    """Two dear pools, two cheap ones, each two alike: four loops that earn the same."""
    ether, dollar = 10**21, 10**9
    pools = [pair(name, ether, 2_000 * dollar) for name in ("0x1", "0x2")]
    pools += [pair(name, ether, 2_100 * dollar) for name in ("0x3", "0x4")]
    return market_of(pools, 0)


def test_equal_loops_are_ordered_by_their_hops_even_where_the_list_ends_between_them():
    market = twins()
    ranking = rank(source_of(market, []), market, 3)
    assert len({trade.net for trade in ranking.best}) == 1
    routes = [[hop.pool_id for hop in trade.opportunity.hops] for trade in ranking.best]
    assert routes == [route for _, route in zip(range(3), sorted(routes), strict=True)]
    everyone = best_loops(market)
    assert [trade.opportunity for trade in ranking.best] == [found for _, found in everyone[:3]]


def test_more_is_asked_for_only_when_the_list_does_not_decide():
    market, calls = random_market(3, 0), []
    rank(source_of(market, calls), market, 1)
    assert calls == [18]
    calls.clear()
    ranking = rank(source_of(market, calls), market, 1, max_gap=1.0 + 1e-7)
    assert len(calls) > 1
    assert calls == [18 * 2**place for place in range(len(calls))]
    assert ranking.refused[Reason.GAP_IMPLAUSIBLE] > 18


def test_every_loop_that_was_looked_at_is_a_trade_or_has_a_reason():
    market, calls = random_market(2, 10**16), []
    ranking = rank(source_of(market, calls), market, 1000)
    assert ranking.complete
    assert ranking.solved == len(ranking.best) + ranking.refused.total()
    withheld = rank(source_of(market, calls), market, 1000, max_gap=1.01)
    left = withheld.refused[Reason.GAP_IMPLAUSIBLE]
    assert left > 0
    assert withheld.solved == len(withheld.best) + withheld.refused.total() - left


def test_what_the_source_withholds_is_counted_with_what_is_withheld_here():
    market = random_market(2, 10**16)
    source = source_of(market, [])

    def withholding(count: int) -> Candidates:
        return replace(source(count), withheld=5)

    here = rank(source, market, 1000, max_gap=1.01).refused
    assert rank(withholding, market, 1000, max_gap=1.01).refused == here + Counter(
        {Reason.GAP_IMPLAUSIBLE: 5}
    )


@pytest.mark.parametrize(("count", "max_gap"), [(0, 2.0), (-1, 2.0), (1, 1.0), (1, float("nan"))])
def test_senseless_wishes_are_refused(count, max_gap):
    with pytest.raises(InputError):
        rank(lambda count: Candidates([], []), market_of([], 0), count, max_gap)
