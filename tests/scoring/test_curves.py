"""Curves against the pools' integer arithmetic, which is tested against bytecode elsewhere."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from core.errors import MarketError, SwapRefused
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import NOTHING_KNOWN, UniswapV3Pool
from market.pools.v3_math import Q96
from scoring.curves import curve_of

FAMILIES = ["v2", "v3", "weighted"]


def build(markets, family: str, seed: int):
    rng = random.Random(seed)
    pair = tuple(sorted(rng.sample(sorted(markets.tokens), 2)))
    pool = getattr(markets, family)(rng, "0x01", pair, 0.01)
    return pool, *(pair if rng.random() < 0.5 else pair[::-1])


def reach(markets, token: str, share: float) -> int:
    """An amount between a dust and more than any of the pools can take."""
    return max(int(markets.amount(token, 10.0 ** (share * 14 - 6))), 1)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**9), share=st.floats(0, 1))
def test_no_contract_pays_more_than_the_curve_and_rarely_less_than_a_few_units(markets, family, seed, share):
    pool, token_in, token_out = build(markets, family, seed)
    amount_in = reach(markets, token_in, share)
    try:
        paid = pool.swap(token_in, token_out, amount_in).amount_out
    except SwapRefused:
        return
    out, marginal = curve_of(pool, token_in, token_out).evaluate(float(amount_in))
    assert paid <= out * (1 + 2**-42)
    # what flooring may take: units of input and output, and the 1e-14 by which a power is rounded up
    balance = max(pool.balances) if family == "weighted" else 0
    steps = 40
    assert paid >= out * (1 - 2**-42) - steps * (1 + marginal) - 3e-14 * balance


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**9), low=st.floats(0, 1), high=st.floats(0, 1))
def test_curves_increase_are_concave_and_lie_below_their_tangents(markets, family, seed, low, high):
    pool, token_in, token_out = build(markets, family, seed)
    curve = curve_of(pool, token_in, token_out)
    x, y = sorted(float(reach(markets, token_in, share)) for share in (low, high))
    (out_x, rate_x), (out_y, rate_y) = curve.evaluate(x), curve.evaluate(y)
    assert curve.evaluate(0.0)[0] == 0.0
    assert out_y >= out_x * (1 - 1e-13)
    assert rate_y <= rate_x * (1 + 1e-13)
    assert out_y <= (out_x + rate_x * (y - x)) * (1 + 1e-12)
    assert out_x <= (out_y + rate_y * (x - y)) * (1 + 1e-12) + 1e-12 * rate_y * y


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), share=st.floats(0.2, 0.8))
def test_the_marginal_rate_is_the_derivative(markets, family, seed, share):
    pool, token_in, token_out = build(markets, family, seed)
    curve = curve_of(pool, token_in, token_out)
    x = float(reach(markets, token_in, share))
    below, above = curve.evaluate(x * (1 - 1e-6))[1], curve.evaluate(x * (1 + 2e-6))[1]
    measured = approx_fprime([x], lambda v: curve.evaluate(float(v[0]))[0], x * 1e-6)[0]
    # at a kink the forward difference lies between the rates at its two sides
    assert above * (1 - 1e-5) - 1e-300 <= measured <= below * (1 + 1e-5) + 1e-300


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**9), share=st.floats(0, 1))
def test_the_inverse_undoes_the_curve(markets, family, seed, share):
    pool, token_in, token_out = build(markets, family, seed)
    curve = curve_of(pool, token_in, token_out)
    x = float(reach(markets, token_in, share))
    out, rate = curve.evaluate(x)
    if rate == 0.0:
        assert curve.inverse(out * 1.001 + 1.0) == float("inf")
        return
    assert curve.evaluate(curve.inverse(out))[0] == pytest.approx(out, rel=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rate_at_zero_is_the_pools_own(markets, family):
    for seed in range(200):
        pool, token_in, token_out = build(markets, family, seed)
        rate = pool.marginal_rate(token_in, token_out)
        if rate == 0.0:
            continue  # between two positions: the curve looks across the gap, the pool does not
        curve = curve_of(pool, token_in, token_out)
        assert curve.evaluate(0.0)[1] == pytest.approx(rate, rel=1e-12)
        assert curve.tangent_map()[0] == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tangent_map_has_the_curvature_at_zero(markets, family):
    for seed in range(30):
        pool, token_in, token_out = build(markets, family, seed)
        curve = curve_of(pool, token_in, token_out)
        a, c = curve.tangent_map()
        if a == 0.0:
            continue
        x = 1e-7 / c
        out, rate = curve.evaluate(x)
        if family == "v3" and curve.evaluate(2 * x)[1] < a * (1 - 5e-7):
            continue  # the first piece is narrower than that
        assert rate == pytest.approx(a * (1 - 2 * c * x), rel=1e-12)
        assert out == pytest.approx(a * x * (1 - c * x), rel=1e-12)


def v3(**changes: object) -> UniswapV3Pool:
    spec = PoolSpec("uniswap_v3", "0x1", "0x1", ("a", "b"), 3000, tick_spacing=60)
    fields = {
        "spec": spec, "sqrt_price_x96": Q96, "tick": 0, "liquidity": 10**18,
        "ticks": {-600: 10**18, 600: -10**18, -1800: 10**18, -1200: -10**18},
    }  # fmt: skip
    return UniswapV3Pool(**{**fields, **changes})


def test_a_curve_crosses_a_gap_between_positions_as_the_contract_does():
    pool = v3()
    curve = curve_of(pool, "a", "b")
    into_gap = int(curve.inverse(curve.evaluate(1e17)[0]))
    for amount in (10**16, 3 * 10**16, 4 * 10**16, 6 * 10**16, into_gap):
        try:
            paid = pool.swap("a", "b", amount).amount_out
        except SwapRefused:
            continue
        assert curve.evaluate(float(amount))[0] == pytest.approx(paid, rel=1e-12)


def test_a_curve_is_flat_where_the_ticks_are_not_known():
    pool = v3(known=(-300, 300), ticks={})
    curve = curve_of(pool, "a", "b")
    edge = curve.inverse(curve.evaluate(1e30)[0])
    assert curve.evaluate(1e30)[1] == 0.0
    pool.swap("a", "b", int(edge * (1 - 1e-12)))
    with pytest.raises(SwapRefused):
        pool.swap("a", "b", int(edge * (1 + 1e-12)) + 2)


@pytest.mark.parametrize(
    "pool",
    [
        v3(sqrt_price_x96=0),
        v3(known=NOTHING_KNOWN),
        v3(liquidity=0, ticks={}),
        UniswapV2Pool(spec=PoolSpec("uniswap_v2", "0x1", "0x1", ("a", "b"), 3000), reserve0=0, reserve1=5),
    ],
    ids=["no price", "nothing known", "no liquidity", "no reserves"],
)
def test_a_dead_pool_gives_nothing(pool):
    curve = curve_of(pool, "a", "b")
    assert curve.evaluate(1e18) == (0.0, 0.0)
    assert curve.tangent_map()[0] == 0.0
    assert curve.inverse(1.0) == float("inf")


def test_an_unknown_family_is_refused_with_what_to_do():
    @dataclass
    class Other:
        family = "other"
        tokens = ("a", "b")

    with pytest.raises(MarketError, match="scoring/curves"):
        curve_of(Other(), "a", "b")
