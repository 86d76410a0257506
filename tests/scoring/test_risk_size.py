"""Sizes under uncertainty against grids of inputs, sampled futures, and the size of a certain state."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.reasons import Reason
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from scoring.curves import MoebiusCurve, curve_of
from scoring.cycles import Edge
from scoring.risk_size import RiskSize, Scenario, Stakes, size_under_risk
from scoring.scenarios import PriceMove, forecast_scenarios, moved_along_curve
from scoring.sizing import Size, size_cycle
from tests.random_pools import DAI, WETH, random_pool

ETHER = 10**18
EDGES = (Edge("p0", "weth", "t"), Edge("p1", "t", "weth"))


def pair(name: str, reserves: tuple[float, float], fee: int = 3000) -> UniswapV2Pool:
    spec = PoolSpec("uniswap_v2", name, name, ("t", "weth"), fee)
    return UniswapV2Pool(spec, *(int(each) for each in reserves))


def ring(off: float) -> dict[str, UniswapV2Pool]:
    """Two pools of one pair whose log prices are apart."""
    return {
        "p0": pair("p0", (1000 * ETHER, 1000 * ETHER)),
        "p1": pair("p1", (1500 * ETHER, 1500 * ETHER * math.exp(off))),
    }


def curves_of(pools) -> tuple[MoebiusCurve, ...]:
    return tuple(curve_of(pools[edge.pool_id], edge.token_in, edge.token_out) for edge in EDGES)


def outlook(seed: int, states: int) -> tuple[tuple[MoebiusCurve, ...], list[Scenario]]:
    """A present state, and some to come that are better and worse."""
    rng = random.Random(seed)
    shares = [rng.random() for _ in range(states)]
    total = sum(shares) * rng.choice([1.0, 1.3])
    scenarios = [Scenario(share / total, curves_of(ring(rng.gauss(0.03, 0.02)))) for share in shares]
    return curves_of(ring(0.03)), scenarios


def profit(curves, amount_in: float) -> float:
    amount = amount_in
    for curve in curves:
        amount = curve.evaluate(amount)[0]
    return amount - amount_in


def expectation(scenarios, stakes: Stakes, amount_in: float) -> float:
    """What an input earns on average, written down once more."""
    total = 0.0
    for each in scenarios:
        earned = profit(each.curves, amount_in)
        landed = stakes.worth * earned - stakes.cost
        total += each.probability * (landed if earned >= stakes.minimum_profit else -stakes.revert_cost)
    return total


stakes_drawn = st.builds(
    Stakes,
    worth=st.sampled_from([1.0, 2.5]),
    minimum_profit=st.sampled_from([0, ETHER // 100, ETHER // 5]),
    cost=st.sampled_from([0.0, 0.02 * ETHER]),
    revert_cost=st.sampled_from([0.0, 0.05 * ETHER]),
)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**9), states=st.integers(1, 6), stakes=stakes_drawn)
def test_no_input_of_a_fine_grid_earns_more_on_average(seed, states, stakes):
    now, scenarios = outlook(seed, states)
    found = size_under_risk(now, scenarios, stakes)
    best = found.expected_net if isinstance(found, RiskSize) else 0.0
    grid = np.geomspace(1e12, 2e20, 300)
    assert max(expectation(scenarios, stakes, float(amount)) for amount in grid) <= best + 1e-9 * ETHER
    if isinstance(found, RiskSize):
        assert found.expected_net == pytest.approx(expectation(scenarios, stakes, found.amount_in), rel=1e-12)
        assert found.expected_net >= found.plain_expected_net
        landing = [
            each.probability
            for each, earned in zip(scenarios, found.profits, strict=True)
            if earned >= stakes.minimum_profit
        ]
        assert found.landing_probability == pytest.approx(sum(landing))
    else:
        assert found is Reason.EXPECTATION_NOT_POSITIVE


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**9), states=st.integers(1, 5), stakes=stakes_drawn)
def test_a_dearer_revert_never_raises_the_expectation(seed, states, stakes):
    now, scenarios = outlook(seed, states)
    nets = []
    for revert_cost in (0.0, 0.01 * ETHER, 0.1 * ETHER, ETHER):
        dearer = Stakes(stakes.worth, stakes.minimum_profit, stakes.cost, revert_cost)
        found = size_under_risk(now, scenarios, dearer)
        nets.append(found.expected_net if isinstance(found, RiskSize) else 0.0)
    assert nets == sorted(nets, reverse=True)


@pytest.mark.parametrize("probability", [1.0, 0.3])
@pytest.mark.parametrize("seed", range(8))
def test_the_size_of_one_certain_state_is_its_plain_size(seed, probability):
    rng = random.Random(seed)
    family = ["uniswap_v2", "uniswap_v3", "weighted", "solidly_volatile"][seed % 4]
    curves = []
    for place, (token_in, token_out) in enumerate([(WETH, DAI), (DAI, WETH)]):
        pool = random_pool(family, rng, name=f"p{place}", noise=0.05)
        while not {token_in, token_out} <= set(pool.tokens):
            pool = random_pool(family, rng, name=f"p{place}", noise=0.05)
        curves.append(curve_of(pool, token_in, token_out))
    plain = size_cycle(curves)
    found = size_under_risk(curves, [Scenario(probability, tuple(curves))], Stakes())
    if not isinstance(plain, Size):
        assert found is Reason.EXPECTATION_NOT_POSITIVE
        return
    assert isinstance(found, RiskSize)
    assert found.plain_amount_in == pytest.approx(plain.amount_in, rel=1e-12, abs=1.0)
    assert found.expected_net == pytest.approx(probability * plain.profit, rel=1e-9)
    assert found.expected_net >= found.plain_expected_net
    assert found.landing_probability == probability


def test_a_smaller_gap_to_come_makes_the_size_smaller_and_the_trade_surer():
    now = curves_of(ring(0.04))
    scenarios = [Scenario(0.5, now), Scenario(0.5, curves_of(ring(0.012)))]
    found = size_under_risk(now, scenarios, Stakes(revert_cost=0.2 * ETHER))
    assert isinstance(found, RiskSize)
    assert found.amount_in < found.plain_amount_in
    assert found.landing_probability == 1.0
    assert found.expected_net > found.plain_expected_net


def test_nobody_pays_to_trade_where_nothing_can_be_earned():
    worse = curves_of(ring(-0.03))
    assert size_under_risk(worse, [Scenario(1.0, worse)], Stakes()) is Reason.EXPECTATION_NOT_POSITIVE
    assert size_under_risk(worse, [], Stakes()) is Reason.EXPECTATION_NOT_POSITIVE
    better = curves_of(ring(0.03))
    dear = Stakes(cost=100.0 * ETHER)
    assert size_under_risk(better, [Scenario(1.0, better)], dear) is Reason.EXPECTATION_NOT_POSITIVE


@pytest.mark.parametrize(
    "probabilities", [(math.nan,), (-0.1,), (0.6, 0.6), (math.inf,), (1.1,), (0.5, math.nan)]
)
def test_probabilities_that_are_no_distribution_are_refused(probabilities):
    curves = curves_of(ring(0.03))
    with pytest.raises(InputError):
        size_under_risk(curves, [Scenario(each, curves) for each in probabilities], Stakes())


@pytest.mark.parametrize(
    "stakes",
    [
        Stakes(worth=0.0),
        Stakes(worth=math.nan),
        Stakes(cost=-1.0),
        Stakes(cost=math.nan),
        Stakes(revert_cost=math.inf),
        Stakes(minimum_profit=-1),
    ],
)
def test_stakes_that_are_none_are_refused(stakes):
    curves = curves_of(ring(0.03))
    with pytest.raises(InputError):
        size_under_risk(curves, [Scenario(1.0, curves)], stakes)


@settings(max_examples=60, deadline=None)
@given(
    reserves=st.tuples(st.integers(10**15, 10**27), st.integers(10**15, 10**27)),
    move=st.floats(-1.0, 1.0),
)
def test_a_moved_pool_has_the_moved_price_on_the_same_curve(reserves, move):
    pool = pair("p0", reserves)
    moved = moved_along_curve(pool, move)
    price = math.log(moved.reserve1 / moved.reserve0) - math.log(pool.reserve1 / pool.reserve0)
    assert price == pytest.approx(move, abs=1e-12)
    assert moved.reserve0 * moved.reserve1 == pytest.approx(pool.reserve0 * pool.reserve1, rel=1e-12)


def test_states_of_a_forecast_give_the_expectation_of_sampled_futures():
    pools = ring(0.05)
    moves = {"p0": PriceMove(0.002, 0.004), "p1": PriceMove(-0.004, 0.003)}
    scenarios = forecast_scenarios(pools, EDGES, moves, nodes=5, inclusion=0.8)
    assert len(scenarios) == 25
    assert sum(each.probability for each in scenarios) == pytest.approx(0.8)
    rng = np.random.default_rng(0)
    earned = []
    for _ in range(3000):
        future = {
            name: moved_along_curve(pools[name], float(rng.normal(move.mean, move.deviation)))
            for name, move in moves.items()
        }
        earned.append(profit(curves_of(future), 3.0 * ETHER))
    mean, error = 0.8 * float(np.mean(earned)), 0.8 * float(np.std(earned)) / math.sqrt(len(earned))
    quadrature = sum(each.probability * profit(each.curves, 3.0 * ETHER) for each in scenarios)
    assert abs(quadrature - mean) < 4.0 * error


def test_a_forecast_without_spread_is_the_moved_state():
    pools = ring(0.05)
    (only,) = forecast_scenarios(pools, EDGES, {"p1": PriceMove(-0.01, 0.0)}, nodes=1)
    assert only.probability == 1.0
    assert profit(only.curves, ETHER) == pytest.approx(profit(curves_of(ring(0.04)), ETHER), rel=0.02)
    (still,) = forecast_scenarios(pools, EDGES, {})
    assert profit(still.curves, ETHER) == profit(curves_of(pools), ETHER)


def test_forecasts_that_are_none_are_refused():
    pools = ring(0.05)
    for mean, deviation in ((math.nan, 0.1), (0.0, -0.1), (0.0, math.inf), (1e3, 0.0)):
        with pytest.raises(InputError):
            forecast_scenarios(pools, EDGES, {"p1": PriceMove(mean, deviation)})
    with pytest.raises(InputError):
        forecast_scenarios(pools, EDGES, {"elsewhere": PriceMove(0.0, 0.1)})
    with pytest.raises(InputError):
        forecast_scenarios(pools, EDGES, {}, inclusion=1.1)
    both = dict.fromkeys(("p0", "p1"), PriceMove(0.0, 0.01))
    for nodes in (0, 40):
        with pytest.raises(InputError):
            forecast_scenarios(pools, EDGES, both, nodes=nodes)
    weighted = {**pools, "p1": random_pool("weighted", random.Random(0), name="p1")}
    with pytest.raises(InputError):
        forecast_scenarios(weighted, EDGES, {"p1": PriceMove(0.0, 0.1)})
