"""Pairs: published vectors, the product check, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.pool import Pool
from market.pools.snapshot import pool_from_json, pool_to_json
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import MAX_RESERVE, UniswapV2Pool

SPEC = PoolSpec("uniswap_v2", "0xpair", "0xpair", ("0xa", "0xb"), 3000)
reserves = st.integers(1, 2**100)


def pair(reserve0: int, reserve1: int, fee: int = 3000) -> UniswapV2Pool:
    return UniswapV2Pool(replace(SPEC, fee=fee), reserve0, reserve1)


@pytest.mark.parametrize(("fee", "amount_out"), [(3000, 1992013962), (2500, 1993011970)])
def test_output_gives_the_published_vectors(fee: int, amount_out: int) -> None:
    pool = pair(1000 * 10**18, 2_000_000 * 10**6, fee)
    assert pool.swap("0xa", "0xb", 10**18).amount_out == amount_out
    assert isinstance(pool, Pool)


@given(reserves, reserves, st.integers(1, 2**100), st.sampled_from([0, 1, 2500, 3000, 10_000]), st.booleans())
def test_the_pair_accepts_our_output_and_refuses_one_unit_more(
    reserve0: int, reserve1: int, amount_in: int, fee: int, zero_in: bool
) -> None:
    pool = pair(reserve0, reserve1, fee)
    tokens = ("0xa", "0xb") if zero_in else ("0xb", "0xa")
    try:
        swap = pool.swap(*tokens, amount_in)
    except SwapRefused:
        assert not pool.accepts(*tokens, amount_in, 1)
        return
    assert pool.accepts(*tokens, amount_in, swap.amount_out)
    assert not pool.accepts(*tokens, amount_in, swap.amount_out + 1)
    after = swap.pool
    assert isinstance(after, UniswapV2Pool)
    assert after.reserve0 * after.reserve1 >= reserve0 * reserve1
    assert swap.amount_out / amount_in <= pool.marginal_rate(*tokens) * (1 + 1e-12)


@given(reserves, st.integers(2, 2**100), st.data())
def test_the_input_for_an_output_buys_at_least_that_output(
    reserve0: int, reserve1: int, data: st.DataObject
) -> None:
    pool = pair(reserve0, reserve1)
    wanted = data.draw(st.integers(1, reserve1 - 1))
    try:
        paid = pool.amount_in("0xa", "0xb", wanted)
    except SwapRefused:
        assert not pool.accepts("0xa", "0xb", MAX_RESERVE - reserve0 - 1, wanted)
        return
    assert pool.swap("0xa", "0xb", paid).amount_out >= wanted


@pytest.mark.parametrize(
    ("pool", "amount", "reason"),
    [
        (pair(10**18, 10**18), 0, Reason.AMOUNT_TOO_SMALL),
        (pair(10**18, 10**18), -5, Reason.AMOUNT_TOO_SMALL),
        (pair(10**18, 10), 10, Reason.AMOUNT_TOO_SMALL),
        (pair(10**18, 10**18), MAX_RESERVE, Reason.AMOUNT_TOO_LARGE),
        (pair(0, 0), 10, Reason.ZERO_LIQUIDITY),
        (pair(0, 10), 10, Reason.ZERO_LIQUIDITY),
    ],
)
def test_a_swap_the_pair_would_revert_is_refused_with_its_reason(
    pool: UniswapV2Pool, amount: int, reason: Reason
) -> None:
    with pytest.raises(SwapRefused) as refused:
        pool.swap("0xa", "0xb", amount)
    assert refused.value.fields["reason"] is reason


@pytest.mark.parametrize("reserves", [(0, 10), (10, 0), (0, 0)])
def test_a_pair_without_reserves_asks_no_price(reserves: tuple[int, int]) -> None:
    for ask in (UniswapV2Pool.swap, UniswapV2Pool.amount_in):
        with pytest.raises(SwapRefused) as refused:
            ask(pair(*reserves), "0xa", "0xb", 5)
        assert refused.value.fields["reason"] is Reason.ZERO_LIQUIDITY


@pytest.mark.parametrize("wanted", [0, 10**18, 10**19])
def test_an_output_the_pair_cannot_pay_is_refused(wanted: int) -> None:
    with pytest.raises(SwapRefused):
        pair(10**18, 10**18).amount_in("0xa", "0xb", wanted)


def test_a_fee_for_each_token_is_that_of_the_token_that_is_paid() -> None:
    reserves = (1000 * 10**18, 2_000_000 * 10**18)
    pool = pair(*reserves).after_fees(2_500, 10_000)
    assert pool.spec.fees == (2_500, 10_000)
    for tokens, fee in ((("0xa", "0xb"), 2_500), (("0xb", "0xa"), 10_000)):
        same = pair(*reserves, fee)
        assert pool.swap(*tokens, 10**18).amount_out == same.swap(*tokens, 10**18).amount_out
        assert pool.amount_in(*tokens, 10**15) == same.amount_in(*tokens, 10**15)
        assert pool.marginal_rate(*tokens) == same.marginal_rate(*tokens)


def test_a_pair_that_rounds_its_fee_down_accepts_a_little_more_than_it_quotes() -> None:
    pool = pair(10**6, 10**15).after_fees(3_000, 3_000)
    quoted = pool.swap("0xa", "0xb", 100).amount_out
    most = 100 * 10**15 // (10**6 + 100)  # of a hundred units the fee is none
    assert quoted < most
    assert pool.accepts("0xa", "0xb", 100, most)
    assert not pool.accepts("0xa", "0xb", 100, most + 1)
    assert not pair(10**6, 10**15).accepts("0xa", "0xb", 100, quoted + 1)


def test_a_dead_pair_has_rate_zero() -> None:
    assert pair(0, 0).marginal_rate("0xa", "0xb") == 0.0


@pytest.mark.parametrize("tokens", [("0xa", "0xa"), ("0xa", "0xc"), ("0xc", "0xb")])
def test_a_token_the_pair_does_not_hold_is_an_error(tokens: tuple[str, str]) -> None:
    with pytest.raises(MarketError, match="does not trade"):
        pair(1, 1).swap(*tokens, 1)


@pytest.mark.parametrize(("reserve0", "fee"), [(-1, 3000), (MAX_RESERVE + 1, 3000), (1, 1_000_000), (1, -1)])
def test_an_impossible_pair_cannot_be_built(reserve0: int, fee: int) -> None:
    with pytest.raises(MarketError, match="reserves"):
        pair(reserve0, 1, fee)


@pytest.mark.parametrize("fees", [(3_000,), (3_000, 1_000_000), (3_000, -1), (1, 2, 3)])
def test_fees_are_one_for_each_token(fees: tuple[int, ...]) -> None:
    with pytest.raises(MarketError, match="fee"):
        UniswapV2Pool(replace(SPEC, fees=fees), 1, 1)


def test_a_pair_with_a_fee_of_its_own_for_each_side_is_written_and_read_back() -> None:
    spec = PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 0, fees=(3000, 500))
    pool = UniswapV2Pool(spec, 10**18, 2 * 10**18)
    assert pool_from_json(pool_to_json(pool)) == pool
