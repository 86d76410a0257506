"""Words against Python's integers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.integers import words

EDGES = (0, 1, 2**64 - 1, 2**64, 2**112 - 1, 2**127, 2**128 - 1)
wide = st.one_of(
    st.sampled_from(EDGES), st.integers(0, 128).flatmap(lambda bits: st.integers(0, 2**bits - 1))
)


def split(value: int, count: int) -> tuple[np.uint64, ...]:
    return tuple(np.uint64(value >> 64 * place & 2**64 - 1) for place in range(count))


def whole(parts: tuple[int, ...]) -> int:
    return sum(int(part) << 64 * place for place, part in enumerate(parts))


@settings(deadline=None)
@given(wide, wide)
def test_sums_and_differences_are_those_of_integers_modulo_128_bits(a: int, b: int) -> None:
    assert whole(words.added(split(a, 2), split(b, 2))) == (a + b) % 2**128
    assert whole(words.subtracted(split(a, 2), split(b, 2))) == (a - b) % 2**128
    assert words.is_less(split(a, 2), split(b, 2)) is (a < b)


@settings(deadline=None)
@given(wide, wide, st.integers(0, 2**20))
def test_products_are_exact(a: int, b: int, c: int) -> None:
    three = words.times_word(split(a, 2), split(c, 1)[0])
    assert whole(three) == a * c
    assert whole(words.times(split(a * c, 3), split(b, 2))) == a * c * b % 2**256
    assert whole(words.added3(split(a * c, 3), split(b, 3))) == (a * c + b) % 2**192


@settings(deadline=None)
@given(wide, st.integers(0, 2**127 - 1), st.integers(1, 2**133 - 1))
def test_a_quotient_is_exact_and_the_fraction_is_what_it_leaves_out(
    rest: int, quotient: int, denominator: int
) -> None:
    rest %= denominator
    quotient %= 2**256 // denominator
    low, high, fraction = words.divided(split(quotient * denominator + rest, 4), split(denominator, 3))
    assert whole((low, high)) == quotient
    assert (fraction == 0.0) is (rest == 0)
    assert abs(fraction - rest / denominator) < 1e-14


@settings(deadline=None)
@given(wide)
def test_a_float_is_within_two_roundings_and_comes_back_as_its_integer(value: int) -> None:
    near = words.as_float(split(value, 2))
    assert abs(near - value) <= value * 2.0**-51
    if near < 2.0**128:
        assert whole(words.from_float(near)) == int(near)
