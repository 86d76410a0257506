"""The stable invariant: what the two versions make of it, always in the pool's favour."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from market.pools.stable_math import balance_v2, balance_v3, invariant, rate_at_size_zero, word

VERSIONS = {"v2": balance_v2, "v3": balance_v3}
PRECISION = 2**24


def is_below(amplification: int, balances: list[int], level: int) -> bool:
    """Return whether ``level / PRECISION`` is at or below the real invariant, without rounding anything."""
    count = len(balances)
    weight, product = amplification * count, count**count * prod(balances)
    linear = weight * sum(balances) * PRECISION + (1_000 - weight) * level
    return linear * product * PRECISION**count >= 1_000 * level ** (count + 1)


def real_level(amplification: int, balances: list[int]) -> float:
    low, high = 0, sum(balances) * PRECISION
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_below(amplification, balances, middle) else (low, middle)
    return low  # in units of 1 / PRECISION


@st.composite
def pools(draw: st.DrawFn) -> tuple[int, list[int]]:
    size = draw(st.integers(10**6, 10**26))
    shares = draw(st.lists(st.integers(1, 10**3), min_size=2, max_size=4))
    return draw(st.integers(1_000, 5_000_000)), [max(size * share // 10**3, 10**3) for share in shares]


@given(pools())
@settings(max_examples=60, deadline=None)
def test_the_invariant_is_the_real_one_to_less_than_a_unit_below(pool: tuple[int, list[int]]) -> None:
    amplification, balances = pool
    try:
        level = invariant(amplification, balances)
    except ArithmeticError:
        return
    real = real_level(amplification, balances)
    assert (level + 1) * PRECISION > real
    assert level <= sum(balances)


@pytest.mark.parametrize("version", VERSIONS)
@given(pool=pools(), part=st.integers(1, 3 * 10**6), places=st.permutations(range(2)))
@settings(max_examples=60, deadline=None)
def test_a_swap_never_takes_a_whole_unit_of_the_invariant(
    version: str, pool: tuple[int, list[int]], part: int, places: list[int]
) -> None:
    amplification, balances = pool
    index_in, index_out = places
    after = list(balances)
    after[index_in] += max(balances[index_in] * part // 10**6, 1)
    try:
        left = VERSIONS[version](amplification, after, invariant(amplification, balances), index_out)
    except ArithmeticError:
        assume(False)
    assume(left < balances[index_out])
    after[index_out] = left + 1
    assert real_level(amplification, after) > real_level(amplification, balances) - PRECISION


def test_the_order_of_one_division_parts_the_versions() -> None:
    balances = [27469986532048014147584 + 22985947810353278976, 28604812764268982272]
    level = invariant(1_883, [27469986532048014147584, 28604812764268982272])
    assert balance_v2(1_883, balances, level, 1) > balance_v3(1_883, balances, level, 1)


def test_some_balances_far_apart_have_no_invariant_as_in_the_contract() -> None:
    with pytest.raises(ArithmeticError, match="settle"):
        invariant(1_000, [10**27, 10**21])
    assert invariant(1_000, [10**27, 10**24])


def test_an_empty_balance_has_no_invariant_but_an_empty_pool_has() -> None:
    assert invariant(1_000, [0, 0]) == 0
    with pytest.raises(ArithmeticError):
        invariant(1_000, [0, 1])


def test_words_are_unsigned_and_of_256_bits() -> None:
    assert word(2**256 - 1) == 2**256 - 1
    for value in (2**256, -1):
        with pytest.raises(OverflowError):
            word(value)
    with pytest.raises(OverflowError):
        invariant(100_000, [2**127, 2**127])


@given(pools())
@settings(max_examples=60, deadline=None)
def test_the_rate_is_the_slope_of_the_curve(pool: tuple[int, list[int]]) -> None:
    amplification, balances = amplification_and_large(pool)
    level = real_level(amplification, balances)
    given_in = balances[0] // 10**6
    after = [balances[0] + given_in, *balances[1:]]
    low, high = 0, balances[1]
    while high - low > 1:
        middle = (low + high) // 2
        after[1] = middle
        low, high = (low, middle) if is_below(amplification, after, int(level)) else (middle, high)
    rate = rate_at_size_zero(amplification, balances, 0, 1)
    assert (balances[1] - high) / given_in == pytest.approx(rate, rel=1e-2)
    assert rate * rate_at_size_zero(amplification, balances, 1, 0) == pytest.approx(1)


def amplification_and_large(pool: tuple[int, list[int]]) -> tuple[int, list[int]]:
    amplification, balances = pool
    large = [balance * 10**9 for balance in balances]
    try:
        invariant(amplification, large)
    except ArithmeticError:
        assume(False)
    return amplification, large
