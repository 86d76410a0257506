"""Sizes and their bounds against integers, exact rationals and an optimiser from outside."""

from __future__ import annotations

import random
from fractions import Fraction
from math import isqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from core.errors import SwapRefused
from core.reasons import Reason
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from scoring.curves import MoebiusCurve, curve_of
from scoring.cycles import CycleIndex
from scoring.exact import profit_of, run_forward
from scoring.sizing import Size, marginal_rate, size_cycle


def cycles_of(markets, seed: int, count: int = 6, noise: float = 0.01):
    pools = {pool.pool_id: pool for pool in markets.pools(seed, count=count, noise=noise)}
    for cycle in CycleIndex(pools.values(), (markets.weth,)).cycles:
        curves = [curve_of(pools[edge.pool_id], edge.token_in, edge.token_out) for edge in cycle.edges]
        yield pools, cycle, curves


def compose(curves, amount: float) -> float:
    for curve in curves:
        amount = curve.evaluate(amount)[0]
    return amount


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), noise=st.sampled_from([0.002, 0.01, 0.05]))
def test_no_integer_input_earns_more_than_the_bound(markets, seed, noise):
    rng = random.Random(seed)
    for pools, cycle, curves in cycles_of(markets, seed, noise=noise):
        size = size_cycle(curves)
        bound = size.upper_bound if isinstance(size, Size) else 1.0
        around = size.amount_in if isinstance(size, Size) else markets.amount(markets.weth, 100.0)
        for spread in (1e-12, 1e-7, 1e-3, 0.3, 1.0, 1.0):
            amount = int(around * abs(1 + rng.uniform(-spread, spread))) + rng.randint(0, 3)
            try:
                profit = profit_of(run_forward(pools, cycle.edges, max(amount, 1)))
            except SwapRefused:
                continue
            assert profit <= bound


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_scipy_finds_no_better_float_input(markets, seed):
    for _, _, curves in cycles_of(markets, seed):
        size = size_cycle(curves)
        if not isinstance(size, Size):
            continue
        found = minimize_scalar(
            lambda x, curves=curves: x - compose(curves, x),
            bounds=(0.0, 4.0 * size.amount_in),
            method="bounded",
            options={"xatol": 1e-9 * size.amount_in},
        )
        assert -found.fun <= size.upper_bound
        assert size.profit >= -found.fun - 1e-12 * size.amount_in
        assert size.upper_bound - size.profit <= 1e-9 * size.profit + 1e-11 * size.amount_in + 2


@settings(max_examples=200, deadline=None)
@given(
    reserves=st.lists(
        st.tuples(st.integers(10**6, 10**27), st.integers(10**6, 10**27), st.sampled_from([500, 2500, 3000])),
        min_size=2,
        max_size=4,
    )
)
def test_the_bound_holds_against_exact_rational_arithmetic(reserves):
    # F(x) = a x / (b + c x) in exact fractions; the best profit is (sqrt a - sqrt b)^2 / c
    a, b, c = Fraction(1), Fraction(1), Fraction(0)
    curves = []
    for number, (reserve_in, reserve_out, fee) in enumerate(reserves):
        spec = PoolSpec("uniswap_v2", str(number), str(number), ("a", "b"), fee)
        pool = UniswapV2Pool(spec=spec, reserve0=reserve_in, reserve1=reserve_out)
        curves.append(curve_of(pool, "a", "b"))
        keep = Fraction(10**6 - fee, 10**6)
        hop = (keep * reserve_out, Fraction(reserve_in), keep)
        a, b, c = a * hop[0], b * hop[1], b * 0 + hop[1] * c + hop[2] * a
    size = size_cycle(curves)
    scale = 10**60
    root = Fraction(isqrt(int(a * b * scale**2)), scale)  # below the true root by less than 1e-60
    best = (a + b - 2 * root) / c if a > b else Fraction(0)
    if isinstance(size, Size):
        assert float(best) <= size.upper_bound
        assert size.upper_bound <= float(best) * (1 + 1e-9) + 1e-11 * size.amount_in + 2
    else:
        assert float(best) < 1.0 or float(a / b) <= 1 + 1e-12


def test_a_rate_below_one_is_the_only_reason_to_refuse_a_cycle_that_is_no_dust(markets):
    for seed in range(20):
        for _, _, curves in cycles_of(markets, seed):
            outcome = size_cycle(curves)
            if outcome is Reason.RATE_BELOW_ONE:
                assert marginal_rate(curves) <= 1.0
                assert compose(curves, 1e15) <= 1e15
            else:
                assert marginal_rate(curves) > 1.0


def test_a_rate_barely_above_one_is_dust_and_the_search_ends():
    curves = [MoebiusCurve(1.0 + 1e-15, 1e-20), MoebiusCurve(1.0, 1e-20)]
    assert size_cycle(curves) is Reason.DUST_PROFIT


def test_a_size_at_the_edge_of_the_known_liquidity_stays_inside_it():
    class Capped:
        excess = 0.0

        def evaluate(self, x):
            return (2.0 * x, 2.0) if x < 1e18 else (2e18, 0.0)

        def inverse(self, y):
            return y / 2.0

        def tangent_map(self):
            return 2.0, 1e-30

    size = size_cycle([Capped(), MoebiusCurve(1.0, 1e-30)])
    assert isinstance(size, Size)
    assert size.amount_in < 1e18
    assert size.amount_in == pytest.approx(1e18, rel=1e-12)
    assert size.upper_bound == pytest.approx(1e18, rel=1e-9)


def test_a_cycle_of_constant_products_needs_one_evaluation_of_the_search(markets, monkeypatch):
    import scoring.sizing as sizing

    calls = 0
    original = sizing._at

    def counted(*arguments):
        nonlocal calls
        calls += 1
        return original(*arguments)

    monkeypatch.setattr(sizing, "_at", counted)
    size_cycle([MoebiusCurve(1.02, 1e-21), MoebiusCurve(1.0, 3e-22), MoebiusCurve(0.999, 1e-20)])
    assert calls <= 4
