"""The bound by prices against an optimiser of trades, and against whatever swaps anybody tries."""

from __future__ import annotations

import math
import random
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from core.errors import InputError, SwapRefused
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from scoring.curves import curve_of
from scoring.dual_prices import dual_prices
from tests.random_pools import DAI, FAMILIES, TICKED, TOKENS, USDC, WETH, amount, random_pool

ETHER = 10**18
PAIRS = tuple(family for family in FAMILIES if family in (*TICKED, "uniswap_v2", "uniswap_v2_by_side"))
SOLIDLY = ("solidly_volatile", "solidly_stable")


def pair(name: str, tokens: tuple[str, str], reserves: tuple[float, float], fee: int = 3000) -> UniswapV2Pool:
    return UniswapV2Pool(PoolSpec("uniswap_v2", name, name, tokens, fee), *(int(each) for each in reserves))


def small_network(seed: int, pools: int, tokens: int, noise: float = 0.03) -> list[UniswapV2Pool]:
    """Pairs among a few tokens of one price, about a thousand whole tokens each, and slightly off."""
    rng = random.Random(seed)
    names = [f"t{place}" for place in range(tokens)]
    found = []
    for place in range(pools):
        chosen = tuple(sorted(rng.sample(names, 2)))
        size = 10 ** rng.uniform(2, 3.5) * ETHER
        found.append(pair(f"p{place}", chosen, (size, size * math.exp(rng.gauss(0, noise)))))
    return found


def best_trades(pools: list[UniswapV2Pool], hub: str) -> float:
    """What an optimiser over all sizes earns of the hub token when no other token is left short, in wei."""
    edges = [(pool, *way) for pool in pools for way in permutations(pool.tokens, 2)]
    curves = [curve_of(*edge) for edge in edges]
    tokens = sorted({token for pool in pools for token in pool.tokens} - {hub})

    def flow(sizes, token: str) -> float:
        given = sum(size for size, edge in zip(sizes, edges, strict=True) if edge[1] == token)
        got = sum(
            curve.evaluate(size * ETHER)[0] / ETHER
            for size, edge, curve in zip(sizes, edges, curves, strict=True)
            if edge[2] == token
        )
        return got - given

    limits = [
        {"type": "ineq", "fun": lambda sizes, token=token: flow(np.abs(sizes), token)} for token in tokens
    ]
    found = minimize(
        lambda sizes: -flow(np.abs(sizes), hub),
        np.full(len(edges), 0.1),
        constraints=limits,
        bounds=[(0.0, None)] * len(edges),
        method="SLSQP",
        options={"maxiter": 300, "ftol": 1e-12},
    )
    short = sum(min(flow(found.x, token), 0.0) for token in tokens)
    return ETHER * (-found.fun + 2.0 * short)


@pytest.mark.parametrize(("pools", "tokens"), [(2, 2), (4, 2), (4, 3), (6, 3), (7, 4)])
def test_the_bound_is_what_an_optimiser_over_all_trades_finds(pools, tokens):
    for seed in range(6):
        network = small_network(seed, pools, tokens)
        if not any("t0" in pool.tokens for pool in network):
            continue
        found = dual_prices(network, {"t0": 1.0})
        earned = best_trades(network, "t0")
        assert earned <= found.upper_bound + 1e-6 * ETHER
        assert found.residual <= earned + 1e-3 * earned + 1e-6 * ETHER
        assert found.margin <= 1e-9 * ETHER


@pytest.mark.parametrize("seed", range(5))
def test_the_prices_of_two_tokens_are_the_best_of_a_grid(seed):
    network = small_network(seed, 5, 2)
    found = dual_prices(network, {"t0": 1.0})

    def bound_at(price: float) -> float:
        total = 0.0
        for pool in network:
            for token_in, token_out in permutations(pool.tokens, 2):
                a, c = curve_of(pool, token_in, token_out).tangent_map()
                pays, gets = (1.0, price) if token_in == "t0" else (price, 1.0)
                ratio = math.sqrt(a * gets / pays)
                total += pays * (ratio - 1.0) ** 2 / c if ratio > 1.0 else 0.0
        return total

    grid = [bound_at(math.exp(step / 2000)) for step in range(-300, 301)]
    assert found.residual <= min(grid) * (1.0 + 1e-9) + 1.0
    assert found.residual == pytest.approx(bound_at(found.prices["t1"]), rel=1e-9, abs=1.0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**9), noise=st.sampled_from([0.005, 0.05]))
def test_no_swaps_of_pairs_in_any_order_are_worth_more_than_the_bound(seed, noise):
    assert_no_swaps_are_worth_more(random.Random(seed), (*PAIRS, *SOLIDLY), noise)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**9), noise=st.sampled_from([0.005, 0.05]))
def test_no_swaps_are_worth_more_than_the_bound_where_other_families_swap_once(seed, noise):
    assert_no_swaps_are_worth_more(random.Random(seed), tuple(FAMILIES), noise)


def assert_no_swaps_are_worth_more(rng: random.Random, families: tuple[str, ...], noise: float) -> None:
    """Swap at random, most of the time at a gain; any number of times only where that is proven."""
    names = [rng.choice(families) for _ in range(5)]
    pools = {
        f"0x{place:040x}": random_pool(family, rng, name=f"0x{place:040x}", noise=noise)
        for place, family in enumerate(names)
    }
    once = {name for name, family in zip(pools, names, strict=True) if family not in (*PAIRS, *SOLIDLY)}
    found = dual_prices(pools.values(), {WETH: 1.0, DAI: 1 / 2000, USDC: 10**12 / 2000})
    value = excess = 0.0
    left = set(pools)
    for _ in range(40):
        if not left:
            break
        name = rng.choice(sorted(left))
        token_in, token_out = rng.sample(pools[name].tokens, 2)
        if token_in not in found.prices:
            continue
        given = max(amount(token_in, 10 ** rng.uniform(0, 5.5)), 1)
        try:
            swap = pools[name].swap(token_in, token_out, given)
        except SwapRefused:
            continue
        gain = found.prices[token_out] * swap.amount_out - found.prices[token_in] * given
        if gain > 0.0 or rng.random() < 0.1:
            value += gain
            excess += 2 * curve_of(pools[name], token_in, token_out).excess * found.prices[token_out]
            pools[name] = swap.pool
            left -= once & {name}
        assert value <= found.upper_bound + excess


@pytest.mark.parametrize("seed", range(4))
def test_pools_at_one_price_leave_no_residual(seed):
    rng = random.Random(seed)
    whole = {token: amount(token, 1.0) for token in TOKENS}
    pools = []
    for place in range(60):
        tokens = tuple(sorted(rng.sample(sorted(TOKENS), 2)))
        dollars = 10 ** rng.uniform(4, 7)
        off = math.exp(rng.uniform(-0.0014, 0.0014))  # within the fee of 0.3 percent, on either side
        reserves = dollars * whole[tokens[0]], dollars * off * whole[tokens[1]]
        pools.append(pair(f"p{place:02}", tokens, reserves))
    found = dual_prices(pools, {WETH: 1.0})
    assert found.residual <= 1.0
    assert found.margin <= 1e-6 * ETHER


def test_a_worth_beside_the_markets_price_is_no_arbitrage():
    pools = [pair("p0", ("t0", "t1"), (1000 * ETHER, 1000 * ETHER))]
    for off in (0.9, 0.99, 1.0, 1.01, 1.1):
        found = dual_prices(pools, {"t0": 1.0, "t1": off})
        assert found.residual <= 1.0
        assert found.prices["t0"] >= 1.0
        assert found.prices["t1"] >= off


def test_twice_the_worth_is_twice_the_bound_and_the_order_of_pools_is_nothing():
    pools = small_network(3, 12, 4)
    once, twice = dual_prices(pools, {"t0": 1.0}), dual_prices(pools, {"t0": 2.0})
    assert twice.residual == pytest.approx(2.0 * once.residual, rel=1e-6)
    assert dual_prices(pools[::-1], {"t0": 1.0}) == once


def test_tokens_that_nothing_leads_to_have_no_price_and_earn_nothing():
    rich = pair("p0", ("t0", "t1"), (10 * ETHER, ETHER))
    apart = [pair(f"q{place}", ("x", "y"), (ETHER, (1 + 9 * place) * ETHER)) for place in range(2)]
    found = dual_prices([rich, *apart], {"t0": 1.0})
    assert set(found.prices) == {"t0", "t1"}
    assert found.residual <= 1.0


def test_a_market_without_pools_earns_nothing():
    assert dual_prices([], {"t0": 1.0}).upper_bound == 0.0


@pytest.mark.parametrize("worth", [{}, {"t0": 0.0}, {"t0": -1.0}, {"t0": math.nan}, {"t0": math.inf}])
def test_a_worth_that_is_none_is_refused(worth):
    with pytest.raises(InputError):
        dual_prices([], worth)
