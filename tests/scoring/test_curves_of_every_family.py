"""Curves of every family against the pools' integers: never below, concave, invertible, flat at the end."""

from __future__ import annotations

import random
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SwapRefused
from market.pools.amplification import Amplification
from market.pools.concentrated import ConcentratedPool
from market.pools.curve_stable import CurveStablePool
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.quotes.pool_quotes import quote
from scoring.curves import Curve, OffpegCurve, SegmentedCurve, StableCurve, curve_of
from tests.random_pools import FAMILIES, TICKED, amount, random_pool

seeds = st.integers(0, 10**9)
EXACT = 2.0**-42
"""By how much an output is taken larger, twice."""


def draw(family: str, seed: int, noise: float = 0.02) -> tuple[Pool, Curve, tuple[str, str], random.Random]:
    rng = random.Random(seed)
    pool = random_pool(family, rng, noise=noise)
    token_in, token_out = rng.sample(pool.tokens, 2)
    return pool, curve_of(pool, token_in, token_out), (token_in, token_out), rng


def size(rng: random.Random, token: str) -> float:
    return float(max(int(amount(token, 1e7) * 10.0 ** rng.uniform(-25, 1)), 1))


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_no_contract_pays_more_than_the_curve_and_what_it_rounds_the_wrong_way(family, seed):
    pool, curve, pair, rng = draw(family, seed)
    for _ in range(8):
        amount_in = size(rng, pair[0])
        try:
            paid = pool.swap(*pair, int(amount_in)).amount_out
        except SwapRefused:
            continue
        assert paid <= curve.evaluate(amount_in)[0] + curve.excess


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "curve_ng"])
@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_a_curve_is_the_quote_taken_a_little_larger(family, seed):
    pool, curve, pair, rng = draw(family, seed)
    for _ in range(6):
        amount_in = size(rng, pair[0])
        out, quoted = curve.evaluate(amount_in)[0], float(quote(pool, *pair, amount_in))
        assert quoted <= out <= quoted * (1.0 + EXACT) * (1.0 + EXACT)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_a_curve_rises_bends_down_and_lies_below_its_tangents(family, seed):
    _, curve, (token_in, _), rng = draw(family, seed)
    x, y = sorted(size(rng, token_in) for _ in range(2))
    (out_x, rate_x), (out_y, rate_y) = curve.evaluate(x), curve.evaluate(y)
    assert curve.evaluate(0.0)[0] == 0.0
    assert out_y >= out_x * (1 - 1e-13)
    assert rate_y <= rate_x * (1 + 1e-12)
    assert out_y <= (out_x + rate_x * (y - x)) * (1 + 1e-12)
    assert out_x <= (out_y + rate_y * (x - y)) * (1 + 1e-12) + 1e-12 * rate_y * y
    assert curve.evaluate(0.0)[1] == pytest.approx(curve.tangent_map()[0], rel=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_the_inverse_undoes_the_curve(family, seed):
    _, curve, (token_in, _), rng = draw(family, seed)
    x = size(rng, token_in)
    out, rate = curve.evaluate(x)
    if rate == 0.0:
        assert curve.inverse(out * 1.001 + 1.0) == inf
    elif rate * x > 1e-6 * out:  # what is left of the output's balance has digits
        assert curve.evaluate(curve.inverse(out))[0] == pytest.approx(out, rel=1e-9)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in TICKED])
def test_the_tangent_map_has_the_curvature_at_zero(family):
    for seed in range(30):
        _, curve, _, _ = draw(family, seed)
        a, c = curve.tangent_map()
        assert c > 0.0
        rate = curve.evaluate(1e-8 / c)[1]
        straight = isinstance(curve, OffpegCurve) and rate == a
        if a > 0.0 and not straight:
            # the rate of a Moebius map is a / (1 + c x)**2; what is left is of second order
            bent = 1.0 - rate / a
            assert bent <= 2e-8 * (1 + 1e-3)
            # pairs on Solidly's stable curve are nearly straight where their balances are equal
            assert bent >= 2e-8 * (1 - 1e-3) or family == "solidly_stable"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rate_at_zero_is_the_pools_own_unless_a_larger_trade_pays_a_lower_fee(family):
    for seed in range(60):
        pool, curve, pair, _ = draw(family, seed)
        marginal, rate = pool.marginal_rate(*pair), curve.tangent_map()[0]
        if isinstance(curve, OffpegCurve) or (family == "curve_ng" and isinstance(curve, StableCurve)):
            assert rate >= marginal * (1 - 1e-12)
            assert rate <= marginal * 1.02
        else:
            assert rate == pytest.approx(marginal, rel=1e-12)


def test_a_pair_pays_by_the_fee_of_the_side_that_is_paid():
    spec = PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000, fees=(1_000, 9_000))
    pool = UniswapV2Pool(spec, 10**24, 10**24)
    for pair in (("0xa", "0xb"), ("0xb", "0xa")):
        exact = pool.swap(*pair, 10**21).amount_out
        assert curve_of(pool, *pair).evaluate(1e21)[0] == pytest.approx(exact, rel=1e-12)


def test_ticked_pools_pay_the_fee_of_their_next_swap_and_not_the_one_that_is_described():
    for family in TICKED:
        pool, _, _, _ = draw(family, 4)
        assert isinstance(pool, ConcentratedPool)
        for zero_for_one, (token_in, token_out) in ((True, pool.tokens), (False, pool.tokens[::-1])):
            rate = pool.marginal_rate(token_in, token_out)
            curve = SegmentedCurve(pool, zero_for_one=zero_for_one)
            assert curve.tangent_map()[0] == pytest.approx(rate, rel=1e-12)


def test_a_fee_that_falls_toward_balance_is_met_by_a_straight_line_and_then_by_what_is_paid():
    pool, _, _, _ = draw("curve_ng", 0)
    assert isinstance(pool, CurveStablePool)
    count, steep = len(pool.tokens), Amplification.constant(500_000)
    apart = tuple((10**24 if place else 4 * 10**23) * 10**18 // rate for place, rate in enumerate(pool.rates))
    pool = replace(
        pool, balances=apart[:count], fee=10**7, offpeg_multiplier=10 * 10**10, amplification=steep
    )
    token_in, token_out = pool.tokens[0], pool.tokens[1]
    curve = curve_of(pool, token_in, token_out)
    assert isinstance(curve, OffpegCurve)
    rate = curve.tangent_map()[0]
    assert rate > pool.marginal_rate(token_in, token_out) * 1.000001
    touching = 0
    for share in range(1, 200):
        amount_in = pool.balances[0] * share // 50
        paid, out = pool.swap(token_in, token_out, amount_in).amount_out, curve.evaluate(amount_in)[0]
        assert paid <= out + curve.excess
        touching += paid >= out * (1 - 1e-9)
    assert touching > 100
