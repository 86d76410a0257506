"""Sets of opportunities: replayed on the pools, against single ones, grids of sizes and the bound."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, MarketError
from core.reasons import Reason
from market.pools.amplification import Amplification
from market.pools.balancer_v3 import VaultAccount
from market.pools.balancer_v3_weighted import BalancerV3WeightedPool
from market.pools.curve_stable import CurveStablePool, Generation
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.weighted import WeightedPool
from scoring.curves import curve_of
from scoring.cycles import Cycle, CycleIndex
from scoring.exact import profit_of, run_forward
from scoring.joint import after
from scoring.one_cycle import score_cycle
from scoring.opportunity import Opportunity
from scoring.portfolio import choose_portfolio
from tests.random_pools import DAI, FAMILIES, MANY, USDC, WETH, Draw, amount

ETHER = 10**18
BLOCK = 100


def pair(name: str, tokens: tuple[str, str], reserves: tuple[float, float], fee: int = 3000) -> UniswapV2Pool:
    return UniswapV2Pool(PoolSpec("uniswap_v2", name, name, tokens, fee), *(int(each) for each in reserves))


def scored(pools, starts, most: int = 12) -> list[Opportunity]:
    """The best opportunities of a market, each scored as if it were alone."""
    found = []
    for cycle in CycleIndex(pools.values(), starts, max_hops=3).cycles:
        each = opportunity_of(pools, cycle)
        if each is not None:
            found.append(each)
    return sorted(found, key=lambda each: (-each.gross_profit, each.cycle_id))[:most]


def opportunity_of(pools, cycle: Cycle) -> Opportunity | None:
    curves = [curve_of(pools[edge.pool_id], edge.token_in, edge.token_out) for edge in cycle.edges]
    found = score_cycle(pools, cycle, curves, block=BLOCK, found_at_ns=0)
    return found if isinstance(found, Opportunity) else None


def chosen(pools, opportunities, cost: int = 0):
    tokens = {each.token for each in opportunities}
    return choose_portfolio(
        pools,
        opportunities,
        worth=dict.fromkeys(tokens, 1.0),
        costs={each.cycle_id: cost for each in opportunities},
    )


def paid(pools, opportunities) -> int:
    """What the pools really pay when these are carried out one after the other; raw units."""
    held = dict(pools)
    total = 0
    for each in opportunities:
        amount = each.amount_in
        for hop in each.hops:
            swap = held[hop.pool_id].swap(hop.token_in, hop.token_out, amount)
            assert (hop.amount_in, hop.amount_out) == (amount, swap.amount_out)
            held[hop.pool_id], amount = swap.pool, swap.amount_out
        total += amount - each.amount_in
    return total


def market(markets, seed: int, noise: float):
    """Pairs and concentrated pools among four tokens, and weighted pools of two and three."""
    return {pool.pool_id: pool for pool in markets.pools(seed, count=7, noise=noise)}


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    noise=st.sampled_from([0.005, 0.02]),
    cost=st.sampled_from([0, 10**14, 10**16]),
)
def test_a_portfolio_is_what_the_pools_pay_and_between_the_best_single_and_the_bound(
    markets, seed, noise, cost
):
    pools = market(markets, seed, noise)
    opportunities = scored(pools, (markets.weth,), most=8)
    found = chosen(pools, opportunities, cost)
    assert found.total_net == pytest.approx(
        paid(pools, found.opportunities) - cost * len(found.opportunities), rel=1e-12
    )
    single = max((each.gross_profit - cost for each in opportunities), default=0)
    assert found.total_net >= max(single, 0) * (1.0 - 1e-12)
    assert found.total_net <= found.upper_bound
    names = [each.cycle_id for each in found.opportunities] + [each.cycle_id for each in found.dropped]
    assert sorted(names) == sorted(each.cycle_id for each in opportunities)
    for each in found.opportunities:
        assert 0 < each.gross_profit <= each.certificate.upper_bound
        assert each.certificate.gap == each.certificate.upper_bound - each.gross_profit
        assert all(left.amount_out == right.amount_in for left, right in pairwise(each.hops))


@pytest.mark.parametrize("seed", range(4))
def test_the_order_and_repetition_of_opportunities_do_not_matter(markets, seed):
    pools = market(markets, seed, 0.02)
    opportunities = scored(pools, (markets.weth,), most=6)
    shuffled = [*opportunities, *opportunities]
    random.Random(seed).shuffle(shuffled)
    assert chosen(pools, shuffled, 10**14) == chosen(pools, opportunities, 10**14)


def test_opportunities_that_share_no_pool_earn_what_they_earn_alone():
    pools = {}
    for place in range(4):
        for side, price in (("a", 1.0), ("b", 1.0 + 0.02 * (place + 1))):
            pool = pair(f"{side}{place}", ("weth", f"t{place}"), (1000 * ETHER, 1000 * ETHER * price))
            pools[pool.pool_id] = pool
    opportunities = scored(pools, ("weth",))
    assert len(opportunities) == 4
    found = chosen(pools, opportunities)
    assert {each.cycle_id: each.gross_profit for each in found.opportunities} == {
        each.cycle_id: each.gross_profit for each in opportunities
    }
    assert found.total_net == pytest.approx(sum(each.gross_profit for each in opportunities), rel=1e-12)
    assert found.upper_bound == pytest.approx(found.total_net, rel=1e-6)


def competing() -> dict[str, UniswapV2Pool]:
    """One dear pool, and two cheap ones from which cycles through it may buy."""
    pools = [
        pair("dear", ("t", "weth"), (1000 * ETHER, 1060 * ETHER)),
        pair("cheap0", ("t", "weth"), (700 * ETHER, 700 * ETHER)),
        pair("cheap1", ("t", "weth"), (400 * ETHER, 399 * ETHER)),
    ]
    return {pool.pool_id: pool for pool in pools}


def both_ways() -> dict[str, UniswapV2Pool]:
    """A middle pool that one cycle sells to and another one buys from, through other tokens."""
    pools = [
        pair("middle", ("t", "u"), (1000 * ETHER, 1000 * ETHER)),
        pair("there0", ("t", "weth"), (900 * ETHER, 900 * ETHER)),
        pair("there1", ("u", "weth"), (900 * ETHER, 930 * ETHER)),
        pair("back0", ("u", "weth"), (800 * ETHER, 770 * ETHER)),
        pair("back1", ("t", "weth"), (800 * ETHER, 810 * ETHER)),
    ]
    return {pool.pool_id: pool for pool in pools}


def grid_of_two(pools, first: Opportunity, second: Opportunity) -> int:
    """The most that two cycles earn in either order, over a fine grid of both sizes, in wei."""
    best = 0
    for one, two in ((first, second), (second, first)):
        ways = [
            [
                hop_edge
                for hop_edge in CycleIndex(pools.values(), ("weth",), 3).cycles
                if hop_edge.cycle_id == name
            ]
            for name in (one.cycle_id, two.cycle_id)
        ]
        edges = [way[0].edges for way in ways]
        for i in range(25):
            try:
                hops = run_forward(pools, edges[0], int(one.amount_in * (0.3 + 0.05 * i)))
                moved = after(pools, hops)
                best = max(
                    best,
                    *(
                        profit_of(hops)
                        + profit_of(run_forward(moved, edges[1], int(two.amount_in * (0.05 + 0.05 * j))))
                        for j in range(30)
                    ),
                )
            except MarketError:
                continue
    return best


def test_cycles_that_compete_for_a_pool_give_way_to_each_other():
    pools = competing()
    opportunities = [
        each for each in scored(pools, ("weth",)) if {hop.pool_id for hop in each.hops} >= {"dear"}
    ]
    assert len(opportunities) == 2
    found = chosen(pools, opportunities)
    alone = {each.cycle_id: each for each in opportunities}
    assert len(found.opportunities) == 2
    assert all(each.amount_in < alone[each.cycle_id].amount_in for each in found.opportunities)
    assert found.total_net < sum(each.gross_profit for each in opportunities)
    assert found.total_net >= grid_of_two(pools, *opportunities) * (1.0 - 1e-4)
    assert found.total_net >= 0.999 * found.upper_bound


def test_cycles_through_one_pool_in_opposite_directions_are_carried_out_both():
    pools = both_ways()
    opportunities = [
        each for each in scored(pools, ("weth",)) if "middle" in {hop.pool_id for hop in each.hops}
    ]
    ways = {
        (hop.token_in, hop.token_out)
        for each in opportunities
        for hop in each.hops
        if hop.pool_id == "middle"
    }
    assert ways == {("t", "u"), ("u", "t")}
    there = next(each for each in opportunities if each.hops[1].token_in == "t")
    back = next(each for each in opportunities if each.hops[1].token_in == "u")
    found = chosen(pools, [there, back])
    assert len(found.opportunities) == 2
    assert found.total_net == pytest.approx(paid(pools, found.opportunities), rel=1e-12)
    assert found.total_net > there.gross_profit + back.gross_profit
    assert found.total_net >= grid_of_two(pools, there, back) * (1.0 - 1e-4)
    assert found.total_net <= found.upper_bound


def test_a_cycle_that_adds_less_than_it_costs_is_left_out_with_its_reason():
    pools = competing()
    opportunities = scored(pools, ("weth",))
    free = chosen(pools, opportunities)
    least = min(each.gross_profit for each in free.opportunities)
    found = chosen(pools, opportunities, cost=least + ETHER // 100)
    assert 0 < len(found.opportunities) < len(free.opportunities)
    assert found.dropped
    assert {each.refusal.reason for each in found.dropped} <= {
        Reason.CONTRIBUTION_BELOW_COST,
        Reason.RATE_BELOW_ONE,
        Reason.DUST_PROFIT,
    }
    nothing = chosen(pools, opportunities, cost=1000 * ETHER)
    assert (nothing.opportunities, nothing.total_net) == ((), 0.0)
    assert {each.refusal.reason for each in nothing.dropped} == {Reason.CONTRIBUTION_BELOW_COST}


def test_two_pairs_of_one_pool_of_three_tokens_are_without_a_proven_bound():
    balances = (1000 * ETHER, 1000 * ETHER, 1100 * ETHER)
    account = VaultAccount(
        balances=balances,
        decimals=(18,) * 3,
        rates=(ETHER,) * 3,
        last_live=balances,
        pays_yield_fees=(False,) * 3,
        swap_fee=10**14,
        protocol_swap_fee=0,
        protocol_yield_fee=0,
    )
    third = ETHER // 3
    spec = PoolSpec(
        "balancer_v3_weighted",
        "three",
        "vault",
        ("t", "u", "weth"),
        0,
        weights=(third, third, ETHER - 2 * third),
    )
    pools = {"three": BalancerV3WeightedPool(spec, account, ())}
    for token in ("t", "u"):
        pools[token] = pair(token, (token, "weth"), (5000 * ETHER, 5000 * ETHER))
    opportunities = scored(pools, ("weth",))
    single = chosen(pools, opportunities[:1])
    assert len(single.opportunities) == 1
    assert math.isfinite(single.upper_bound)
    several = chosen(pools, opportunities)
    assert len(several.opportunities) > 1
    assert several.upper_bound == math.inf


NOT_OFTEN = {"weighted", "balancer_v3_weighted", "balancer_v3_stable", "composable_stable", "curve_stable"}
"""Families of which nothing is proven for several swaps in one pool."""


def weighted_pair() -> WeightedPool:
    """Halves of both tokens; one swap pays in no more than 30 percent of a balance, two do."""
    spec = PoolSpec("weighted", "middle", "middle", ("t", "weth"), 1000, weights=(ETHER // 2, ETHER // 2))
    return WeightedPool(spec, (100 * ETHER, 100 * ETHER), (18, 18))


def stable_pair() -> CurveStablePool:
    """The fee is taken from the output and stays in the pool, so two halves buy more than the whole."""
    return CurveStablePool(
        PoolSpec("curve_stable", "middle", "middle", ("t", "weth"), 0, variant=str(Generation.TEMPLATE)),
        (10**6 * ETHER, 10**6 * ETHER),
        (ETHER, ETHER),
        Amplification.constant(100 * 100),
        4 * 10**7,
        0,
        Generation.TEMPLATE,
        0,
        0,
    )


@pytest.mark.parametrize(
    ("middle", "others"),
    [
        (weighted_pair(), [(1000, 3000), (1000, 3000)]),
        (stable_pair(), [(10**6, 1_100_000), (10**6, 1_090_000)]),
    ],
)
def test_two_swaps_in_a_pool_where_they_beat_one_are_without_a_proven_bound(middle, others):
    pools = {"middle": middle}
    for place, (t, weth) in enumerate(others):
        pools[f"v{place}"] = pair(f"v{place}", ("t", "weth"), (t * ETHER, weth * ETHER))
    opportunities = scored(pools, ("weth",))
    twice = chosen(pools, opportunities)
    through = [hop.pool_id for each in twice.opportunities for hop in each.hops]
    assert through.count("middle") == 2
    assert twice.upper_bound == math.inf
    once = chosen(pools, opportunities[:1])
    assert once.total_net <= once.upper_bound < twice.total_net


@pytest.mark.parametrize("seed", [333, *range(24)])
def test_a_bound_over_pools_of_all_families_is_never_beaten_and_finite_only_where_proven(seed):
    rng = random.Random(seed)
    pools = {}
    for place in range(rng.randint(3, 6)):
        count, family = rng.choice([2, 2, 2, 3]), rng.choice(list(FAMILIES))
        tokens = rng.sample((WETH, DAI, USDC), count if family in MANY else 2)
        name = f"0x{place:040x}"
        pools[name] = FAMILIES[family](Draw(rng, tokens, rng.choice([0.01, 0.05]), name))
    opportunities = scored(pools, (WETH, DAI), most=8)
    worth = {token: ETHER / amount(token, 2000.0) for token in (WETH, DAI)}
    costs = {each.cycle_id: 0 for each in opportunities}
    found = choose_portfolio(pools, opportunities, worth=worth, costs=costs)
    assert found.total_net <= found.upper_bound * (1.0 + 1e-12)
    through = [hop.pool_id for each in found.opportunities for hop in each.hops]
    again = {pools[name].family for name in through if through.count(name) > 1}
    assert math.isfinite(found.upper_bound) == again.isdisjoint(NOT_OFTEN)


def test_trades_of_another_state_are_sized_anew():
    pools = competing()
    opportunities = scored(pools, ("weth",))
    old = [replace(each, amount_in=each.amount_in // 7, gross_profit=1) for each in opportunities]
    assert chosen(pools, old).total_net == pytest.approx(chosen(pools, opportunities).total_net, rel=1e-4)


def test_nothing_to_choose_from_is_an_empty_portfolio():
    found = chosen({}, [])
    assert (found.opportunities, found.total_net, found.upper_bound, found.dropped) == ((), 0.0, 0.0, ())


@pytest.mark.parametrize(
    ("worth", "cost"), [(0.0, 0), (-1.0, 0), (math.nan, 0), (math.inf, 0), (1.0, -1), (1.0, None)]
)
def test_worths_and_costs_that_are_none_are_refused(worth, cost):
    pools = competing()
    each = scored(pools, ("weth",))[0]
    costs = {} if cost is None else {each.cycle_id: cost}
    with pytest.raises(InputError):
        choose_portfolio(pools, [each], worth={"weth": worth}, costs=costs)
    with pytest.raises(InputError):
        choose_portfolio({}, [each], worth={"weth": 1.0}, costs={each.cycle_id: 0})
