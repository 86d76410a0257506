"""Sizes in machine code against the same search in Python, integers of real pools, and 60 digits."""

from __future__ import annotations

import random
from decimal import Decimal, localcontext

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SwapRefused
from market.pools.amplification import Amplification
from market.pools.curve_stable import CurveStablePool, Generation
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from scoring.columns import moebius_columns
from scoring.curves import curve_of
from scoring.cycles import CycleIndex
from scoring.edge_table import EdgeTable
from scoring.exact import profit_of, run_forward
from scoring.kernels.solve import solve, solve_many
from scoring.sizing import Size, size_cycle
from tests.random_pools import FAMILIES, TICKED, TOKENS, WETH, random_pool

seeds = st.integers(0, 10**9)
noises = st.sampled_from([0.002, 0.02, 0.2, 1.0])


def market(rng: random.Random, families: list[str], noise: float, count: int = 8):
    names = map("0x{:02x}".format, range(count))
    pools = {name: random_pool(rng.choice(families), rng, name, noise) for name in names}
    cycles = CycleIndex(pools.values(), (WETH,)).cycles
    return pools, EdgeTable(pools.values(), TOKENS), rng.sample(cycles, min(len(cycles), 30))


def hops_of(table: EdgeTable, cycle) -> np.ndarray:
    return np.array([table.row(edge.pool_id, edge.token_in, edge.token_out) for edge in cycle.edges])


def check_against_sizing(pools, table: EdgeTable, cycles) -> int:
    found = 0
    for cycle in cycles:
        hops = hops_of(table, cycle)
        amount, profit, bound = solve(table.edges, table.pieces, hops, len(hops))
        assert profit <= bound
        size = size_cycle([curve_of(pools[e.pool_id], e.token_in, e.token_out) for e in cycle.edges])
        if not isinstance(size, Size):
            assert profit <= 1.0 + 1e-11 * amount
            continue
        found += 1
        assert profit >= size.profit * (1.0 - 1e-9) - 1e-12 * size.amount_in - 1.0
        assert profit <= size.upper_bound
        assert bound >= size.profit
        # what contracts round the wrong way is carried on at the majorants' rates, a millionth higher each
        assert bound <= size.upper_bound + 4e-6 * excess(table, hops) + 2e-11 * size.amount_in + 2.0
    return found


@settings(max_examples=25, deadline=None)
@given(seed=seeds, noise=noises)
def test_a_size_earns_what_the_search_in_python_finds_and_its_bound_is_as_good(seed, noise):
    check_against_sizing(*market(random.Random(seed), list(FAMILIES), noise))


@settings(max_examples=15, deadline=None)
@given(seed=seeds, noise=noises)
def test_the_same_where_ranges_end_and_gaps_make_kinks(seed, noise):
    check_against_sizing(*market(random.Random(seed), [*TICKED, "uniswap_v2", "weighted"], noise))


def test_some_cycles_do_earn():
    assert check_against_sizing(*market(random.Random(5), list(FAMILIES), 0.02, 14)) > 5


@settings(max_examples=25, deadline=None)
@given(seed=seeds, noise=noises)
def test_no_integer_input_of_real_pools_earns_more_than_the_bound(seed, noise):
    rng = random.Random(seed)
    pools, table, cycles = market(rng, list(FAMILIES), noise)
    for cycle in cycles:
        hops = hops_of(table, cycle)
        amount, _, bound = solve(table.edges, table.pieces, hops, len(hops))
        for spread in (1e-12, 1e-7, 1e-3, 0.3, 1.0):
            given_in = int((amount or 1e17) * abs(1 + rng.uniform(-spread, spread))) + rng.randint(0, 3)
            try:
                earned = profit_of(run_forward(pools, cycle.edges, max(given_in, 1)))
            except SwapRefused:
                continue
            assert earned <= (bound or excess(table, hops))


def excess(table: EdgeTable, hops: np.ndarray) -> float:
    units = 0.0
    for row in hops:
        units = units * table.edges.rate[row] + table.edges.excess[row]
    return units


def test_many_at_once_are_each_alone():
    _, table, cycles = market(random.Random(11), list(FAMILIES), 0.02, 12)
    rows = [hops_of(table, cycle) for cycle in cycles]
    padded = np.full((len(rows), 4), len(table), np.uint16)
    for row, hops in zip(padded, rows, strict=True):
        row[: len(hops)] = hops
    found = np.zeros((3, len(rows)))
    solve_many(table.edges, table.pieces, padded, *found)
    alone = [solve(table.edges, table.pieces, hops, len(hops)) for hops in rows]
    assert found.T.tolist() == [list(one) for one in alone]
    assert found[1].any()


def test_a_cycle_of_constant_products_is_the_closed_form_and_a_poor_one_is_three_zeros():
    ones = np.arange(2, dtype=np.int32)
    edges, pieces = moebius_columns(
        np.array([4.0, 1.0]), np.array([1e-6, 0.0]), ones, ones, ones, np.zeros(2)
    )
    assert solve(edges, pieces, np.array([0, 1]), 2)[:2] == (1e6, 1e6)
    assert solve(edges, pieces, np.array([1, 1]), 2) == (0.0, 0.0, 0.0)


class Exact:
    """A constant product and a two-coin stable pool in 60 digits."""

    def __init__(self, pair: UniswapV2Pool, stable: CurveStablePool) -> None:
        self.reserves = Decimal(pair.reserve0), Decimal(pair.reserve1)
        self.keep = 1 - Decimal(pair.spec.fee) / 10**6
        self.x, self.y = (Decimal(balance) for balance in stable.balances)
        self.paid = 1 - Decimal(stable.fee) / 10**10
        self.ann = Decimal(2 * stable.amplification.at(0)) / 100
        d = self.x + self.y
        for _ in range(200):
            power = d**3 / (4 * self.x * self.y)
            d = (self.ann * (self.x + self.y) + 2 * power) * d / ((self.ann - 1) * d + 3 * power)
        self.d = d

    def stable_left(self, x: Decimal) -> Decimal:
        """Balance of the other coin: ``y**2 + (x + D / Ann - D) y = D**3 / (4 x Ann)``."""
        half = (x + self.d / self.ann - self.d) / 2
        return (half * half + self.d**3 / (4 * x * self.ann)).sqrt() - half

    def at(self, amount: Decimal) -> tuple[Decimal, Decimal]:
        """Profit and its slope."""
        given = self.keep * amount
        bought = self.reserves[1] * given / (self.reserves[0] + given)
        rate = self.keep * self.reserves[0] * self.reserves[1] / (self.reserves[0] + given) ** 2
        x = self.x + bought
        y = self.stable_left(x)
        constant = self.d**3 / (4 * self.ann)
        slope = (y + constant / x**2) / (2 * y + x + self.d / self.ann - self.d)
        return self.paid * (self.y - y) - amount, self.paid * slope * rate - 1

    def best(self) -> Decimal:
        low, high = Decimal(0), self.reserves[0] * 10**4
        if self.at(low)[1] <= 0:
            return Decimal(0)
        for _ in range(180):
            middle = (low + high) / 2
            low, high = (middle, high) if self.at(middle)[1] > 0 else (low, middle)
        return self.at(low)[0]


def test_every_cycle_of_a_pair_and_a_stable_pool_that_earns_is_found_to_the_last_of_its_profit():
    rng = random.Random(1)
    earned = truth = Decimal(0)
    found = 0
    with localcontext() as context:
        context.prec = 60
        for _ in range(60):
            pair, stable = pair_and_stable(rng)
            exact = Exact(pair, stable)
            best = exact.best()
            table = EdgeTable([pair, stable], ("0xa", "0xb"))
            hops = np.array([table.row("0x1", "0xa", "0xb"), table.row("0x2", "0xb", "0xa")])
            amount, profit, bound = solve(table.edges, table.pieces, hops, 2)
            assert float(best) <= bound
            if best < 10**6:
                continue
            found += 1
            got = exact.at(Decimal(amount))[0]
            assert profit > 0.0
            assert got >= best * Decimal("0.9999")
            earned, truth = earned + got, truth + best
    assert found >= 20
    assert earned >= truth * (1 - Decimal("1e-9"))


def pair_and_stable(rng: random.Random) -> tuple[UniswapV2Pool, CurveStablePool]:
    """Two pools of two tokens of one price; the stable one is anywhere between balanced and nearly empty."""
    depth, off = int(10 ** rng.uniform(21, 25)), np.exp(rng.gauss(0, 0.02))
    pair = UniswapV2Pool(PoolSpec("uniswap_v2", "0x1", "0x1", ("0xa", "0xb"), 3000), depth, int(depth * off))
    total = 10 ** rng.uniform(22, 25)
    share = 1.0 / (1.0 + np.exp(rng.uniform(-5, 5)))
    level = int(100 * 10 ** rng.uniform(1, 3.5))
    stable = CurveStablePool(
        PoolSpec("curve_stable", "0x2", "0x2", ("0xb", "0xa"), 0, variant=str(Generation.TEMPLATE)),
        (int(total * share), int(total * (1 - share))),
        (10**18, 10**18),
        Amplification(level, level, 0, 0),
        4 * 10**6,
        0,
        Generation.TEMPLATE,
        0,
        0,
    )
    return pair, stable
