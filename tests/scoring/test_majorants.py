"""Majorants against the contracts' integers, exact rationals, and how tight they are."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SwapRefused
from scoring.columns import SEGMENTED
from scoring.cycles import CycleIndex
from scoring.edge_table import EdgeTable
from scoring.exact import profit_of, run_forward
from scoring.kernels.curves import evaluate
from scoring.majorants import majorant
from tests.random_pools import FAMILIES, TICKED, TOKENS, WETH, random_pool

seeds = st.integers(0, 10**9)
FLOAT = 1.0 + 2.0**-48
"""What the map's own few roundings may take away."""


def held(a, c, amount):
    return a * amount / (1.0 + c * amount)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_no_contract_pays_more_than_the_majorant_and_the_excess(family, seed):
    rng = random.Random(seed)
    pool = random_pool(family, rng, noise=0.05)
    table = EdgeTable([pool], TOKENS)
    for row in range(len(table)):
        edge, (a, c) = table.edge(row), majorant(table.edges, table.pieces, row)
        assert c > 0.0
        for _ in range(10):
            amount = int(10.0 ** rng.uniform(0, 26))
            try:
                paid = pool.swap(edge.token_in, edge.token_out, amount).amount_out
            except SwapRefused:
                continue
            assert paid <= held(a, c, float(amount)) * FLOAT + table.edges.excess[row]


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_the_majorant_lies_nowhere_below_the_curve_and_touches_or_nearly_so(family, seed):
    pool = random_pool(family, random.Random(seed), noise=0.05)
    table = EdgeTable([pool], TOKENS)
    for row in range(len(table)):
        a, c = majorant(table.edges, table.pieces, row)
        if a == 0.0:
            continue
        amounts = np.geomspace(1e-9 / c, 1e9 / c, 600)
        outs = np.array([evaluate(table.edges, table.pieces, row, amount)[0] for amount in amounts])
        assert (held(a, c, amounts) * FLOAT >= outs).all()
        assert min(a / outs - 1.0 / amounts) <= 1.05 * c


@pytest.mark.parametrize("family", TICKED)
def test_the_bend_of_pieces_is_the_least_of_exact_rationals(family):
    for seed in range(12):
        table = EdgeTable([random_pool(family, random.Random(seed), noise=0.02)], TOKENS)
        for row in range(len(table)):
            if table.edges.kind[row] != SEGMENTED:
                continue
            a, c = majorant(table.edges, table.pieces, row)
            exact = least_bend_over_pieces(table, row, Fraction(a))
            assert Fraction(c) <= exact
            assert float(exact / Fraction(c)) == pytest.approx(1.0, rel=1e-6)


def least_bend_over_pieces(table: EdgeTable, row: int, a: Fraction) -> Fraction:
    """The least ``a / f - 1 / x`` over ends of pieces, and inside each by looking closer and closer."""
    return min(
        least_inside(*(Fraction(column[piece]) for column in table.pieces), a)
        for piece in range(table.edges.first[row], table.edges.stop[row])
    )


def least_inside(slope, bend, start_in, start_out, width, a):
    def bend_at(z):
        return a / (start_out + slope * z / (1 + bend * z)) - 1 / (start_in + z)

    low, high = width / 2**20, width
    for _ in range(12):
        inputs = [low + (high - low) * part / 8 for part in range(9)]
        best = min(range(9), key=lambda at: bend_at(inputs[at]))
        low, high = inputs[max(best - 1, 0)], inputs[min(best + 1, 8)]
        low, high = (Fraction(round(end * 2**60), 2**60) for end in (low, high))
    return min(bend_at(low), bend_at(high), bend_at(width))


@settings(max_examples=25, deadline=None)
@given(seed=seeds, noise=st.sampled_from([0.002, 0.02, 0.2]))
def test_no_cycle_of_integers_earns_more_than_its_composed_majorants_and_excess(seed, noise):
    rng = random.Random(seed)
    pools = {
        name: random_pool(rng.choice(list(FAMILIES)), rng, name, noise)
        for name in map("0x{:02x}".format, range(7))
    }
    table = EdgeTable(pools.values(), TOKENS)
    cycles = CycleIndex(pools.values(), (WETH,)).cycles
    for cycle in rng.sample(cycles, min(len(cycles), 25)):
        rate, bend, excess = 1.0, 0.0, 0.0
        for edge in cycle.edges:
            row = table.row(edge.pool_id, edge.token_in, edge.token_out)
            bend += table.edges.bend[row] * rate
            excess = excess * table.edges.rate[row] + table.edges.excess[row]
            rate *= table.edges.rate[row]
        best = (np.sqrt(rate) - 1.0) ** 2 / bend if rate > 1.0 else 0.0
        size = (np.sqrt(rate) - 1.0) / bend if rate > 1.0 else 1e18
        for _ in range(4):
            amount = max(int(size * 10.0 ** rng.uniform(-3, 0.5)), 1)
            try:
                hops = run_forward(pools, cycle.edges, amount)
            except SwapRefused:
                continue
            assert hops[-1].amount_out <= held(rate, bend, float(amount)) * FLOAT + excess
            assert profit_of(hops) <= best * FLOAT + excess
