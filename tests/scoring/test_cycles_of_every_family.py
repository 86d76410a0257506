"""Cycles over any mix of families: sized by curves, traded in integers, bounded by certificates."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import sqrt

from hypothesis import given, settings
from hypothesis import strategies as st

from chain.blocks import BlockHeader
from core.errors import SwapRefused
from core.reasons import Reason, Refusal
from market.pools.solidly import SolidlyPool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import sqrt_ratio_at_tick
from market.state import MarketState
from scoring.curves import curve_of
from scoring.cycles import Cycle, Edge
from scoring.exact import best_integers, profit_of, run_forward
from scoring.opportunity import Opportunity
from scoring.scorer import CpuScorer
from scoring.sizing import Size, size_cycle
from tests.random_pools import DAI, DOLLARS, FAMILIES, NOW, TOKENS, USDC, WETH, amount, random_pool

HEAD = BlockHeader(100, b"", b"", NOW, 10**9, 0, 30_000_000)
GOLDEN = (sqrt(5.0) - 1.0) / 2.0
REFUSED = -(10**40)
POOLS = 8


def market(seed: int) -> tuple[MarketState, CpuScorer]:
    """Pools of families drawn at random, every fifteen seeds all of them."""
    rng = random.Random(seed)
    names = [list(FAMILIES)[(seed * POOLS + place) % len(FAMILIES)] for place in range(POOLS)]
    noise = rng.choice([0.003, 0.01, 0.03])
    pools = [
        random_pool(family, rng, name=f"0x{place + 1:040x}", noise=noise)
        for place, family in enumerate(names)
    ]
    return MarketState(pools, TOKENS, HEAD), CpuScorer(pools, (WETH, DAI, USDC), max_hops=4)


def profit_at(state: MarketState, cycle: Cycle) -> Callable[[float], int]:
    def profit(amount_in: float) -> int:
        try:
            return profit_of(run_forward(state.pools, cycle.edges, max(round(amount_in), 1)))
        except SwapRefused:
            return REFUSED

    return profit


def golden_search(profit: Callable[[float], int], low: float, high: float) -> int:
    """The best profit between two inputs, were it to have one summit only."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = profit(left), profit(right)
    for _ in range(28):
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = profit(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = profit(right)
    return max(at_left, at_right)


def coarsest_unit(opportunity: Opportunity) -> float:
    """One raw unit of the coarsest token on the way, in raw units of the start token."""
    dollars = max(DOLLARS[hop.token_out] / 10 ** TOKENS[hop.token_out].decimals for hop in opportunity.hops)
    return dollars / DOLLARS[opportunity.token] * 10 ** TOKENS[opportunity.token].decimals


def test_a_search_over_exact_integers_never_beats_the_bound_and_hardly_the_profit():
    rng = random.Random(0)
    profitable = good = 0
    for seed in range(15):
        state, scorer = market(seed)
        found = {each.cycle_id: each for each in scorer.rescore(state, None, found_at_ns=0).opportunities}
        cycles = [cycle for cycle in scorer.index.cycles if cycle.cycle_id in found]
        for cycle in rng.sample(cycles, min(len(cycles), 5)):
            best, profit = found[cycle.cycle_id], profit_at(state, cycle)
            shares = (1e-6, 1e-3, 0.1, 0.5, 0.99, 1.01, 1.5, 3.0, 30.0)
            outside = max(profit(best.amount_in * share) for share in shares)
            around = max(profit(best.amount_in * (1 + rng.uniform(-s, s))) for s in (1e-12, 1e-8, 1e-4))
            summit = golden_search(profit, 0.3 * best.amount_in, 2.5 * best.amount_in)
            outside = max(outside, around, summit)
            assert profit(best.amount_in) == best.gross_profit > 0
            assert outside <= best.certificate.upper_bound
            profitable += 1
            good += best.gross_profit >= 0.999 * outside - 2.0 * coarsest_unit(best)
    assert profitable > 40
    assert good >= 0.99 * profitable


def test_cycles_that_are_refused_earn_nothing_worth_a_name():
    rng = random.Random(1)
    seen = 0
    for seed in range(15, 30):
        state, scorer = market(seed)
        found = {each.cycle_id for each in scorer.rescore(state, None, found_at_ns=0).opportunities}
        refused = [cycle for cycle in scorer.index.cycles if cycle.cycle_id not in found]
        for cycle in rng.sample(refused, min(len(refused), 8)):
            profit = profit_at(state, cycle)
            edges = cycle.edges
            curves = [curve_of(state.pools[edge.pool_id], edge.token_in, edge.token_out) for edge in edges]
            # at a rate below one only what contracts round the wrong way can be earned, and be one unit
            free = 1.0
            for curve in curves:
                free = free * curve.tangent_map()[0] + curve.excess
            assert all(profit(amount(cycle.token, 10.0**power)) <= free for power in range(-6, 7))
            seen += 1
    assert seen > 80


@settings(max_examples=60, deadline=None)
@given(reserves=st.lists(st.tuples(*(st.integers(200, 4000),) * 2), min_size=2, max_size=3))
def test_trades_too_small_for_a_fee_stay_within_the_bound(reserves):
    """Solidly rounds its fee down: below a few hundred units there is none."""
    pools, edges = {}, []
    for place, sides in enumerate(reserves):
        spec = PoolSpec("solidly_volatile", f"p{place}", f"p{place}", ("in", "out"), 3000)
        pools[spec.pool_id] = SolidlyPool(spec, *sides, decimals=(18, 18))
        edges.append(Edge(spec.pool_id, "in", "out"))
    curves = [curve_of(pools[edge.pool_id], "in", "out") for edge in edges]
    best = 0
    for amount_in in range(1, 4000, 3):
        try:
            best = max(best, profit_of(run_forward(pools, edges, amount_in)))
        except SwapRefused:
            continue
    size = size_cycle(curves)
    if isinstance(size, Size):
        assert best <= size.upper_bound
    else:
        units = 0.0
        for curve in curves:
            units = units * curve.tangent_map()[0] + curve.excess
        assert best <= units


def test_a_hop_that_gives_a_little_more_does_not_overfill_the_next_one():
    """The fee of the first pool is rounded down, and the second can only just take the best size."""
    edges = [Edge("p0", "in", "mid"), Edge("p1", "mid", "in")]
    spec = PoolSpec("solidly_volatile", "p0", "p0", ("in", "mid"), 3000)
    first = SolidlyPool(spec, 10**12, 105 * 10**22, decimals=(6, 18))
    spec = PoolSpec("uniswap_v3", "p1", "p1", ("mid", "in"), 100, tick_spacing=1)
    overfilled = 0
    for step in range(120):
        liquidity = 10**17 + step * 123_456_789_012_345
        ticks = {-276_400: liquidity, -276_200: -liquidity}
        second = UniswapV3Pool(spec, sqrt_ratio_at_tick(-276_324), -276_324, liquidity, ticks)
        pools = {"p0": first, "p1": second}
        curves = [curve_of(pools[edge.pool_id], edge.token_in, edge.token_out) for edge in edges]
        size = size_cycle(curves)
        assert isinstance(size, Size)
        try:
            run_forward(pools, edges, int(size.amount_in))
        except SwapRefused:
            overfilled += 1
        profit = profit_of(best_integers(pools, edges, curves, size))
        assert 0.9999 * size.profit <= profit <= size.upper_bound
    assert overfilled > 0


def test_a_suspended_pool_of_any_family_takes_its_cycles_out():
    state, scorer = market(3)
    before = scorer.rescore(state, None, found_at_ns=0).opportunities
    used = {hop.pool_id for each in before for hop in each.hops}
    for pool_id in used:
        state.suspend(pool_id, Refusal(Reason.POOL_QUARANTINED, "under test"))
    result = scorer.rescore(state, used, found_at_ns=0)
    assert not result.opportunities
    assert result.refusals[Reason.POOL_QUARANTINED] >= len(before)
