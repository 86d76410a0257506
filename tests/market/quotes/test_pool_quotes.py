"""Float quotes against the pools' integers, which are held against bytecode elsewhere."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.concentrated import ConcentratedPool
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v4 import DYNAMIC_FEE
from market.quotes.pool_quotes import quote, rates, terms_of
from tests.random_pools import FAMILIES, TICKED, amount, random_pool

seeds = st.integers(0, 10**9)


def draw(family: str, seed: int) -> tuple[Pool, str, str, random.Random]:
    rng = random.Random(seed)
    pool = random_pool(family, rng, noise=0.02)
    return pool, *rng.sample(pool.tokens, 2), rng


def sizes(rng: random.Random, token: str, count: int = 8) -> list[int]:
    """From one unit to more than any of the pools can take."""
    return [max(int(amount(token, 1e7) * 10.0 ** rng.uniform(-25, 1)), 1) for _ in range(count)]


def paid(pool: Pool, token_in: str, token_out: str, amount_in: int) -> int | None:
    """What the contract pays; nothing for too small an input, ``None`` if it is too large."""
    try:
        return pool.swap(token_in, token_out, amount_in).amount_out
    except SwapRefused as refused:
        return 0 if refused.fields["reason"] is Reason.AMOUNT_TOO_SMALL else None


def excess(pool: Pool, token_in: str, token_out: str) -> float:
    return 0.0 if isinstance(pool, ConcentratedPool) else terms_of(pool, token_in, token_out).excess


def rounded_away(family: str, pool: Pool, token_in: str, token_out: str) -> float:
    """Raw output that a contract may keep for itself by rounding, see the family's file."""
    rate = float(rates(pool, token_in, token_out, 0.0))
    each_step = 2.0 * (1.0 + rate) * (20 if family in TICKED else 1)
    if family == "weighted":  # a power is rounded up by 1e-14
        return each_step + 3e-14 * pool.balances[pool.tokens.index(token_out)]
    if family.startswith("balancer_v3"):  # so it is here, and the vault does not trade less than a millionth
        balance = pool.account.balances[pool.tokens.index(token_out)]
        least = max(terms_per_unit(pool, token_out), rate * terms_per_unit(pool, token_in))
        return each_step + 3e-14 * balance + 1.01e6 * least  # of either token
    if family == "composable_stable":  # two terms of the last balance are whole thousands
        return each_step + 4_000 * terms_per_unit(pool, token_out)
    return each_step


def terms_per_unit(pool: Pool, token: str) -> float:
    """Raw units of one unit in 18 decimals, at most: no token here is worth less than a dollar."""
    places = (pool.account if hasattr(pool, "account") else pool).decimals[pool.tokens.index(token)]
    return 1.1 * 10.0 ** (places - 18)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_a_quote_is_what_the_contract_pays_but_for_what_it_rounds_away(family, seed):
    pool, token_in, token_out, rng = draw(family, seed)
    given_in = sizes(rng, token_in)
    quoted = quote(pool, token_in, token_out, np.array(given_in, dtype=np.float64))
    over, under = excess(pool, token_in, token_out), rounded_away(family, pool, token_in, token_out)
    # the newest Curve pools round their fee down to 1e-10, all else agrees to a few 1e-15
    relative = 1.01e-10 if family == "curve_ng" else 1e-14 * (100 if family in TICKED else 1)
    for amount_in, out in zip(given_in, quoted.tolist(), strict=True):
        exact = paid(pool, token_in, token_out, amount_in)
        if exact is not None:
            assert exact <= out * (1 + relative) + over
            assert exact >= out * (1 - relative) - under


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_quotes_rise_and_bend_down(family, seed):
    pool, token_in, token_out, _ = draw(family, seed)
    given_in = amount(token_in, 1.0) * np.geomspace(1e-6, 1e8, 200)
    outs, slopes = quote(pool, token_in, token_out, given_in), rates(pool, token_in, token_out, given_in)
    assert np.isfinite(outs).all()
    assert np.isfinite(slopes).all()
    if family == "curve_ng":
        return  # a fee that moves: more may pay less, and a better price come later
    assert (np.diff(outs) >= -1e-13 * outs[:-1]).all()
    assert (np.diff(slopes) <= 1e-13 * slopes[:-1]).all()
    chords = np.diff(outs) / np.diff(given_in)
    assert (chords <= slopes[:-1] * (1 + 1e-9) + 1e-12 * outs[1:] / given_in[1:]).all()


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=20, deadline=None)
@given(seed=seeds, share=st.floats(-6, 4))
def test_the_rate_is_the_pools_own_and_the_derivative(family, seed, share):
    pool, token_in, token_out, _ = draw(family, seed)
    marginal = pool.marginal_rate(token_in, token_out)
    assert float(rates(pool, token_in, token_out, 0.0)) == pytest.approx(marginal, rel=1e-9)
    size = max(amount(token_in, 1.0) * 10.0**share, 1.0)
    below, here, above = (size * (1 + step) for step in (-1e-5, 0.0, 1e-5))
    outs = quote(pool, token_in, token_out, [below, above])
    chord = (outs[1] - outs[0]) / (above - below)
    slopes = rates(pool, token_in, token_out, [below, here, above])
    # at a kink the chord lies between the rates at its two sides
    assert slopes.min() - 1e-6 * abs(slopes).max() <= chord <= slopes.max() + 1e-6 * abs(slopes).max()


@pytest.mark.parametrize("family", FAMILIES)
def test_any_shape_and_any_number_is_answered(family):
    pool, token_in, token_out, _ = draw(family, 5)
    odd = np.array([[0.0, -1.0, np.nan], [np.inf, 1e300, 5e-324]])
    outs, slopes = quote(pool, token_in, token_out, odd), rates(pool, token_in, token_out, odd)
    assert outs.shape == slopes.shape == odd.shape
    assert np.isfinite(outs).all()
    assert np.isfinite(slopes).all()
    assert (outs[0] == 0.0).all()
    several = quote(pool, token_in, token_out, [1e6, 2e9])
    assert several.tolist() == [float(quote(pool, token_in, token_out, each)) for each in (1e6, 2e9)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pool_that_holds_nothing_gives_nothing(family):
    pool, token_in, token_out, _ = draw(family, 3)
    if isinstance(pool, ConcentratedPool):
        dead: Pool = replace(pool, liquidity=0, ticks={})
    elif hasattr(pool, "reserve0"):
        dead = replace(pool, reserve0=0)
    elif hasattr(pool, "account"):
        nothing = (0,) * len(pool.tokens)
        dead = replace(pool, account=replace(pool.account, balances=nothing, last_live=nothing))
    else:
        dead = replace(pool, balances=(0,) * len(pool.tokens))
    assert quote(dead, token_in, token_out, [1.0, 1e18]).tolist() == [0.0, 0.0]
    assert rates(dead, token_in, token_out, [0.0, 1e18]).tolist() == [0.0, 0.0]


def test_pools_that_state_alone_does_not_tell_give_nothing():
    pool, token_in, token_out, _ = draw("uniswap_v4", 1)
    dynamic = replace(pool, spec=replace(pool.spec, fee=DYNAMIC_FEE))
    hooked = replace(pool, spec=replace(pool.spec, hooks="0x" + "00" * 19 + "80"))
    all_fee = replace(pool, spec=replace(pool.spec, fee=1_000_000))
    for refused in (dynamic, hooked, all_fee):
        assert quote(refused, token_in, token_out, 1e18) == 0.0
    pool, token_in, token_out, _ = draw("balancer_v3_stable", 1)
    hooked = replace(pool, spec=replace(pool.spec, hooks="0x01"))
    assert quote(hooked, token_in, token_out, 1e18) == 0.0


def test_a_balancer_v3_pool_stops_where_its_balances_would_be_too_far_apart():
    pool, token_in, token_out, _ = draw("balancer_v3_stable", 2)
    most = terms_of(pool, token_in, token_out).largest
    flat = quote(pool, token_in, token_out, [most, 10.0 * most])
    assert flat[0] == flat[1]
    assert pool.swap(token_in, token_out, int(most * (1 - 1e-9))).amount_out <= flat[0]
    with pytest.raises(SwapRefused):
        pool.swap(token_in, token_out, int(most * (1 + 1e-9)))


def test_the_fee_of_the_side_that_is_paid_counts():
    spec = PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000, fees=(1_000, 9_000))
    pool = UniswapV2Pool(spec, 10**24, 10**24)
    for pair in (("0xa", "0xb"), ("0xb", "0xa")):
        exact = pool.swap(*pair, 10**21).amount_out
        assert float(quote(pool, *pair, 1e21)) == pytest.approx(exact, rel=1e-14)


def test_tokens_that_a_pool_does_not_hold_are_refused():
    pool, token_in, _, _ = draw("uniswap_v2", 1)
    for pair in ((token_in, token_in), (token_in, "0xother")):
        with pytest.raises(MarketError, match="two different tokens"):
            quote(pool, *pair, 1.0)
