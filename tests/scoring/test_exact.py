"""Integer sizes against every integer there is, on pools small enough to try them all."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SwapRefused
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import Q96
from market.pools.weighted import WeightedPool
from scoring.curves import curve_of
from scoring.cycles import CycleIndex, Edge
from scoring.exact import best_integers, profit_of, run_forward, smallest_input
from scoring.sizing import Size, size_cycle

reserve = st.integers(50, 4000)
TOKENS = ("a", "b", "c", "d")


def pair(number: int, reserve_in: int, reserve_out: int) -> UniswapV2Pool:
    return UniswapV2Pool(
        spec=PoolSpec("uniswap_v2", f"p{number}", f"p{number}", ("in", "out"), 3000),
        reserve0=reserve_in,
        reserve1=reserve_out,
    )


def ring(pools):
    return {pool.pool_id: pool for pool in pools}, [Edge(pool.pool_id, "in", "out") for pool in pools]


def every_integer(pools, edges, most: int) -> int:
    best = 0
    for amount in range(1, most):
        try:
            best = max(best, profit_of(run_forward(pools, edges, amount)))
        except SwapRefused:
            continue
    return best


@settings(max_examples=150, deadline=None)
@given(reserves=st.lists(st.tuples(reserve, reserve), min_size=2, max_size=4))
def test_brute_force_over_all_integers_stays_within_the_bound_and_near_the_found(reserves):
    pools, edges = ring([pair(number, *sides) for number, sides in enumerate(reserves)])
    curves = [curve_of(pools[edge.pool_id], "in", "out") for edge in edges]
    size = size_cycle(curves)
    brute = every_integer(pools, edges, 4000)
    if not isinstance(size, Size):
        assert brute <= 0
        return
    assert brute <= size.upper_bound
    try:
        found = profit_of(best_integers(pools, edges, curves, size))
    except SwapRefused:
        return
    assert found <= brute
    # each hop floors at most one unit, which is worth the rate of the hops after it at most
    slack, worth = 1.0, 1.0
    for curve in reversed(curves):
        slack += worth
        worth *= curve.tangent_map()[0]
    assert brute - found <= slack + 1


@settings(max_examples=200, deadline=None)
@given(reserves=st.tuples(st.integers(2, 10**6), st.integers(2, 10**6)), wanted=st.integers(1, 1000))
def test_the_smallest_input_is_the_smallest(reserves, wanted):
    pool = pair(0, *reserves)
    found = smallest_input(pool, curve_of(pool, "in", "out"), ("in", "out"), wanted)
    if found is None:
        assert wanted >= reserves[1]
        return
    assert pool.swap("in", "out", found).amount_out >= wanted
    if found > 1:
        with suppress(SwapRefused):
            assert pool.swap("in", "out", found - 1).amount_out < wanted


@settings(max_examples=100, deadline=None)
@given(
    seed_out=st.integers(10**6, 10**24),
    balance=st.integers(10**12, 10**27),
    share=st.floats(1e-9, 0.05),
    resolution=st.sampled_from([1, 1000, 10**9]),
)
def test_the_resolution_is_kept_on_every_family(seed_out, balance, share, resolution):
    v3 = UniswapV3Pool(
        spec=PoolSpec("uniswap_v3", "v3", "v3", ("in", "out"), 500, tick_spacing=10),
        sqrt_price_x96=Q96,
        tick=0,
        liquidity=balance,
        ticks={-20000: balance, 20000: -balance},
    )
    weighted = WeightedPool(
        spec=PoolSpec("weighted", "w", "v", ("in", "out"), 1000, weights=(2 * 10**17, 8 * 10**17)),
        balances=(balance, seed_out),
        decimals=(18, 18),
    )
    for pool in (pair(1, balance, seed_out), v3, weighted):
        try:
            wanted = pool.swap("in", "out", int(share * balance) + 1).amount_out
        except SwapRefused:
            continue
        if wanted == 0:
            continue
        found = smallest_input(pool, curve_of(pool, "in", "out"), ("in", "out"), wanted, resolution)
        if found is None:
            continue
        assert pool.swap("in", "out", found).amount_out >= wanted
        if found > resolution:
            with suppress(SwapRefused):
                assert pool.swap("in", "out", found - resolution).amount_out < wanted


def test_trimming_saves_what_six_decimals_would_waste():
    # 0.3 ETH of profit through a token of six decimals: a unit of it is worth 5e8 wei
    cheap = UniswapV2Pool(
        spec=PoolSpec("uniswap_v2", "p0", "p0", ("in", "out"), 3000),
        reserve0=50 * 10**18,
        reserve1=105_000 * 10**6,
    )
    dear = UniswapV2Pool(
        spec=PoolSpec("uniswap_v2", "p1", "p1", ("in", "out"), 3000),
        reserve0=100_000 * 10**6,
        reserve1=50 * 10**18,
    )
    pools, edges = ring([cheap, dear])
    curves = [curve_of(pools[edge.pool_id], "in", "out") for edge in edges]
    size = size_cycle(curves)
    assert isinstance(size, Size)
    plain = profit_of(run_forward(pools, edges, int(size.amount_in)))
    tight = Size(size.amount_in, 0.0, size.low, size.high, size.upper_bound)  # nothing is good enough
    trimmed = best_integers(pools, edges, curves, tight)
    assert profit_of(trimmed) > plain
    assert size.upper_bound - profit_of(trimmed) < size.upper_bound - plain
    assert profit_of(best_integers(pools, edges, curves, size, tolerance=10**12)) == plain


def test_hops_pass_on_exactly_what_they_got(markets):
    pools = {pool.pool_id: pool for pool in markets.pools(0)}
    for cycle in CycleIndex(pools.values(), (markets.weth,)).cycles:
        curves = [curve_of(pools[edge.pool_id], edge.token_in, edge.token_out) for edge in cycle.edges]
        size = size_cycle(curves)
        if not isinstance(size, Size):
            continue
        hops = best_integers(pools, cycle.edges, curves, size)
        assert all(left.amount_out == right.amount_in for left, right in pairwise(hops))
        assert hops == run_forward(pools, cycle.edges, hops[0].amount_in)
