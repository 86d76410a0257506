"""Array formulas over many pools at once, against the contracts' solvers and exact arithmetic."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest

from market.pools import curve_math, stable_math
from market.quotes import constant_product, solidly_stable, stable, weighted


def balances_of(rng: random.Random, count: int, spread: float) -> list[int]:
    return [int(10 ** rng.uniform(24 - spread, 24 + spread)) for _ in range(count)]


@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_the_invariant_is_the_one_that_both_contracts_find(count, spread):
    rng = random.Random(count)
    pools = [balances_of(rng, count, spread) for _ in range(50)]
    ann = [rng.randint(2, 5_000) * count for _ in pools]
    found = stable.invariants(np.array(pools, dtype=np.float64), ann)
    rules = curve_math.Rules(precision=1, rounds_late=False, gives_up=True)
    for pool, each, level in zip(pools, ann, found.tolist(), strict=True):
        assert level == pytest.approx(curve_math.invariant(pool, each, rules), rel=3e-15)
        assert level == pytest.approx(stable_math.invariant(1_000 * each // count, pool), rel=3e-15)


def test_a_trade_leaves_the_invariant_where_it_was():
    rng = np.random.default_rng(1)
    pools, ann = 10 ** rng.uniform(23, 25, (300, 3)), 3.0 * 10 ** rng.uniform(0.5, 4, 300)
    sold = pools[:, 0] * 10 ** rng.uniform(-3, 2, 300)
    terms = stable.product_terms(pools, ann)
    left = stable.balances_left(sold, pools[:, 0], pools[:, 1], terms)
    bought = stable.amounts_out(sold, pools[:, 0], pools[:, 1], terms)
    after = np.column_stack((pools[:, 0] + sold, left, pools[:, 2]))
    np.testing.assert_allclose(stable.invariants(after, ann), stable.invariants(pools, ann), rtol=2e-14)
    np.testing.assert_allclose(pools[:, 1] - bought, left, atol=1e-14 * pools.max())
    one_by_one = [
        stable.trade(*each) for each in np.column_stack((sold, pools[:, 0], pools[:, 1], terms)).tolist()
    ]
    np.testing.assert_allclose([paid for paid, _, _ in one_by_one], bought, rtol=1e-14)


def test_a_tiny_trade_keeps_all_its_digits():
    tiny = np.array([1e-9, 1e-18, 1e-30])
    pool = (3.0, 7.0)
    term = float(stable.product_terms([3.0, 7.0], 90.0))
    for outs, rate in (
        (stable.amounts_out(tiny, *pool, term), stable.rates(0.0, *pool, term)),
        (solidly_stable.amounts_out(tiny, *pool), solidly_stable.rates(0.0, *pool)),
        (weighted.amounts_out(tiny, *pool, 0.25, 0.997), weighted.rates(0.0, *pool, 0.25, 0.997)),
        (constant_product.amounts_out(tiny, *pool, 0.997), constant_product.rates(0.0, *pool, 0.997)),
    ):
        np.testing.assert_allclose(outs / tiny, rate, rtol=2e-9)
        np.testing.assert_allclose(outs[1:] / tiny[1:], rate, rtol=1e-15)


def test_the_stable_pairs_curve_stays_on_its_constant():
    rng = np.random.default_rng(2)
    x, y = 10 ** rng.uniform(-2, 8, 500), 10 ** rng.uniform(-2, 8, 500)
    k = x * y * (x * x + y * y)
    left = solidly_stable.balances_left(x, k)
    np.testing.assert_allclose(left, y, rtol=4e-15)
    sold = x * 10 ** rng.uniform(-6, 2, 500)
    after = y - solidly_stable.amounts_out(sold, x, y)
    reached = solidly_stable.balances_left(x + sold, k)
    np.testing.assert_allclose(after, reached, atol=1e-14 * float(y.max()), rtol=1e-6)
    for each in range(20):
        exact_x, exact_y = Fraction(float(x[each] + sold[each])), Fraction(float(reached[each]))
        constant = exact_x * exact_y * (exact_x**2 + exact_y**2)
        assert float(constant) == pytest.approx(float(k[each]), rel=1e-14)


def test_pools_and_amounts_broadcast():
    reserves = np.array([[1e6], [2e6], [0.0]])
    outs = constant_product.amounts_out([1e3, 2e3], reserves, 1e6, [[0.997], [0.999], [0.997]])
    assert outs.shape == (3, 2)
    assert (outs[2] == 0.0).all()
    assert (constant_product.rates([0.0, 1.0], reserves, 1e6, 0.997)[2] == 0.0).all()
