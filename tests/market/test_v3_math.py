"""Tick, price and step arithmetic against published vectors and its own definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.pools.v3_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    Q96,
    amount0_between,
    amount1_between,
    price_after_input,
    sqrt_ratio_at_tick,
    swap_step,
    tick_at_sqrt_ratio,
)


@pytest.mark.parametrize(
    ("tick", "ratio"),
    [
        (MIN_TICK, MIN_SQRT_RATIO),
        (MAX_TICK, MAX_SQRT_RATIO),
        (-1, 79224201403219477170569942574),
        (1, 79232123823359799118286999568),
        (50, 79426470787362580746886972461),
        (100_000, 11755562826496067164730007768450),
        (-100_000, 533968626430936354154228408),
    ],
)
def test_ratio_at_tick_gives_the_published_vectors(tick: int, ratio: int) -> None:
    assert sqrt_ratio_at_tick(tick) == ratio


@given(st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1))
def test_tick_at_ratio_is_the_greatest_tick_not_above_the_price(price: int) -> None:
    tick = tick_at_sqrt_ratio(price)
    assert sqrt_ratio_at_tick(tick) <= price
    assert tick == MAX_TICK or price < sqrt_ratio_at_tick(tick + 1)


@given(st.integers(MIN_TICK, MAX_TICK - 1))
def test_every_tick_is_found_again_from_its_price(tick: int) -> None:
    assert tick_at_sqrt_ratio(sqrt_ratio_at_tick(tick)) == tick


@pytest.mark.parametrize("tick", [MIN_TICK - 1, MAX_TICK + 1])
def test_a_tick_out_of_range_is_refused(tick: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        sqrt_ratio_at_tick(tick)


@pytest.mark.parametrize("price", [MIN_SQRT_RATIO - 1, MAX_SQRT_RATIO])
def test_a_price_out_of_range_is_refused(price: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        tick_at_sqrt_ratio(price)


@pytest.mark.parametrize(
    ("target", "after"),
    [
        (MIN_SQRT_RATIO, 75466173752692610938271134292),
        (MAX_SQRT_RATIO, 83177686415600414822582116260),
    ],
)
def test_one_step_gives_the_published_vectors(target: int, after: int) -> None:
    price, paid, got, fee = swap_step(Q96, target, 2 * 10**18, 10**17, 3000)
    assert (price, got, paid + fee) == (after, 94965947516311854, 10**17)


@given(
    st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1),
    st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1),
    st.integers(0, 2**100),
)
def test_rounding_up_exceeds_rounding_down_by_no_more_than_the_two_roundings(
    first: int, second: int, liquidity: int
) -> None:
    lower, upper = sorted((first, second))
    amount0 = [amount0_between(lower, upper, liquidity, round_up=up) for up in (False, True)]
    amount1 = [amount1_between(lower, upper, liquidity, round_up=up) for up in (False, True)]
    assert 0 <= amount0[1] - amount0[0] <= 2
    assert 0 <= amount1[1] - amount1[0] <= 1


@given(
    st.integers(-200_000, 200_000),
    st.integers(-200_000, 200_000),
    st.integers(1, 2**90),
    st.integers(1, 2**100),
    st.sampled_from([100, 500, 3000, 10_000]),
)
def test_a_step_never_pays_more_than_it_is_given_nor_passes_its_target(
    start: int, target: int, liquidity: int, amount: int, fee: int
) -> None:
    low, high = sqrt_ratio_at_tick(min(start, target)), sqrt_ratio_at_tick(max(start, target))
    price, paid, _, fee_paid = swap_step(
        sqrt_ratio_at_tick(start), sqrt_ratio_at_tick(target), liquidity, amount, fee
    )
    assert low <= price <= high
    assert paid + fee_paid <= amount
    assert paid + fee_paid == amount or price == sqrt_ratio_at_tick(target)
    exact_out = swap_step(sqrt_ratio_at_tick(start), sqrt_ratio_at_tick(target), liquidity, -amount, fee)
    assert low <= exact_out[0] <= high
    assert exact_out[2] <= amount


@pytest.mark.parametrize(
    ("price", "liquidity", "amount", "after"),
    [
        (Q96, 10**18, 10**17, 72025602285694852357767227579),
        (Q96, 1, (2**256 - 1) // 2, 1),
        (2**160 - 1, 2**128 - 1, 2**256 - 1 - ((2**128 - 1 << 96) // (2**160 - 1)), 1),
    ],
)
def test_price_after_token0_gives_the_published_vectors(
    price: int, liquidity: int, amount: int, after: int
) -> None:
    assert price_after_input(price, liquidity, amount, True) == after


def test_a_product_beyond_256_bits_is_divided_in_the_contracts_coarser_way() -> None:
    price, liquidity, amount = 3 * 2**158, 2**127 + 1, 2**98
    coarse = -(-(liquidity << 96) // ((liquidity << 96) // price + amount))
    assert amount * price >= 2**256
    assert price_after_input(price, liquidity, amount, True) == coarse
    assert -(-(liquidity << 96) * price // ((liquidity << 96) + amount * price)) != coarse
