"""Exact swaps in words against the pools' own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, SwapRefused
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import MAX_RESERVE, UniswapV2Pool
from scoring.integers.pairs import amount_out, pair_rows, smallest_input

REFUSED = 2**128 - 1
amounts = st.one_of(
    st.sampled_from((0, 1, 2, 2**64 - 1, 2**64, MAX_RESERVE - 1, MAX_RESERVE)),
    st.integers(0, 112).flatmap(lambda bits: st.integers(0, 2**bits - 1)),
)
fees = st.one_of(st.sampled_from((0, 1, 100, 2500, 3000, 999_999)), st.integers(0, 999_999))


def pool(reserve_in: int, reserve_out: int, fee: int) -> UniswapV2Pool:
    """A pair whose fee on the other side is another."""
    return UniswapV2Pool(
        PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), fee, fees=(fee, 1)), reserve_in, reserve_out
    )


def words(value: int) -> tuple[np.uint64, np.uint64]:
    return np.uint64(value & 2**64 - 1), np.uint64(value >> 64)


def whole(amount: tuple[int, int, float]) -> int:
    return int(amount[0]) | int(amount[1]) << 64


@settings(deadline=None)
@given(amounts, amounts, fees, amounts)
def test_an_output_is_the_pools_and_zero_where_it_refuses(
    reserve_in: int, reserve_out: int, fee: int, paid: int
) -> None:
    try:
        expected = pool(reserve_in, reserve_out, fee).swap("0xa", "0xb", paid).amount_out
    except SwapRefused:
        expected = 0
    got = amount_out(pair_rows([(reserve_in, reserve_out, fee)]), 0, words(paid))
    assert whole(got) == expected
    assert (got[2] < 0.0) is (reserve_in == 0 or reserve_in + paid > MAX_RESERVE)


@settings(deadline=None)
@given(amounts, amounts, fees, amounts)
def test_the_smallest_input_gives_the_output_and_one_unit_less_does_not(
    reserve_in: int, reserve_out: int, fee: int, wanted: int
) -> None:
    exact = pool(reserve_in, reserve_out, fee)
    needed = whole(smallest_input(pair_rows([(reserve_in, reserve_out, fee)]), 0, words(wanted)))
    if needed == REFUSED:
        # the router asks for one unit more at most, so it refuses as well, or else that unit is too much
        with pytest.raises(SwapRefused):
            exact.amount_in("0xa", "0xb", wanted)
    elif wanted > 0:
        assert exact.swap("0xa", "0xb", needed).amount_out >= wanted
        assert needed == 1 or _output(exact, needed - 1) < wanted


@settings(deadline=None)
@given(amounts, amounts, fees, amounts)
def test_the_smallest_input_is_the_routers_less_the_unit_it_adds_to_whole_quotients(
    reserve_in: int, reserve_out: int, fee: int, wanted: int
) -> None:
    try:
        asked = pool(reserve_in, reserve_out, fee).amount_in("0xa", "0xb", wanted)
    except SwapRefused:
        return
    needed = whole(smallest_input(pair_rows([(reserve_in, reserve_out, fee)]), 0, words(wanted)))
    divides = reserve_in * wanted * 1_000_000 % ((reserve_out - wanted) * (1_000_000 - fee)) == 0
    assert asked == needed + divides


@pytest.mark.parametrize("edge", [(2**112, 1, 0), (1, -1, 0), (1, 1, 1_000_000), (1, 1, -1)])
def test_rows_that_are_no_pair_are_refused(edge: tuple[int, int, int]) -> None:
    with pytest.raises(InputError):
        pair_rows([edge])


def _output(exact: UniswapV2Pool, paid: int) -> int:
    try:
        return exact.swap("0xa", "0xb", paid).amount_out
    except SwapRefused:
        return 0
