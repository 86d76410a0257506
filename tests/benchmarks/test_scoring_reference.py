"""The sixty-digit reference is held against the exact integer pools, and its best against its neighbours."""

from __future__ import annotations

import random
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scoring_reference import DIGITS, ProductHop, StableHop, best, earned
from benchmarks.scoring_solving import stable_cycle

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(1e-6, 0.9))
def test_hops_give_what_the_pools_pay_but_for_rounding(seed: int, share: float) -> None:
    cycle = stable_cycle(random.Random(seed))
    for hop, pool, tokens in zip(cycle.hops, cycle.pools, cycle.directions, strict=True):
        amount = int(hop.reserve_in * share)
        paid = pool.swap(*tokens, amount).amount_out
        given_out, _ = hop.after(Decimal(amount))
        # a unit or two of a contract's invariant, and of its balance
        assert abs(given_out - paid) <= 4 + abs(given_out) / 10**15


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_no_input_nearby_earns_more_than_the_best(seed: int) -> None:
    hops = stable_cycle(random.Random(seed)).hops
    amount, profit = best(hops)
    for factor in (0.5, 0.99, 0.999999, 1.000001, 1.01, 2.0):
        assert earned(hops, float(amount) * factor) <= profit + Decimal("1e-40")
    if amount:
        assert earned(hops, float(amount)) == pytest.approx(profit, rel=Decimal("1e-12"))


def test_pairs_give_the_closed_form() -> None:
    hops = [ProductHop(10**24, 3 * 10**24, 3000), ProductHop(10**24, 10**24, 500)]
    amount, profit = best(hops)
    with localcontext(prec=DIGITS):
        keep, other = Decimal("0.997"), Decimal("0.9995")
        rate, bend = 3 * keep * other, (keep + other * 3 * keep) / 10**24
        assert abs(amount - (rate.sqrt() - 1) / bend) < Decimal("1e-6")
        assert abs(profit - (rate.sqrt() - 1) ** 2 / bend) < Decimal("1e-30")


def test_a_cycle_that_gains_nothing_has_no_best() -> None:
    even = StableHop(10**24, 10**24, 100, 4 * 10**6)
    assert best([even, even]) == (Decimal(0), Decimal(0))
