"""Concentrated liquidity: the walk, positions, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import MAX_SQRT_RATIO, Q96, tick_at_sqrt_ratio
from market.pools.v3_ticks import TickMap
from tests.small_v3 import NARROW, SPEC, TICKS, WIDE, pool


def test_it_is_a_pool_and_keeps_ticks_in_order() -> None:
    subject = pool(ticks=dict(reversed(TICKS.items())))
    assert isinstance(subject, Pool)
    assert list(subject.ticks) == sorted(TICKS)
    assert subject == pool()
    assert hash(subject) == hash(pool())


@given(st.integers(1, 10**19), st.booleans())
def test_crossing_ticks_there_and_back_keeps_liquidity_consistent(amount: int, falls: bool) -> None:
    tokens = ("0xa", "0xb") if falls else ("0xb", "0xa")
    swap = pool().swap(*tokens, amount)
    after = swap.pool
    assert isinstance(after, UniswapV3Pool)
    assert after.liquidity == sum(net for tick, net in TICKS.items() if tick <= after.tick)
    assert after.tick in (
        tick_at_sqrt_ratio(after.sqrt_price_x96),
        tick_at_sqrt_ratio(after.sqrt_price_x96) - 1,
    )
    assert swap.amount_out / amount <= pool().marginal_rate(*tokens) * (1 + 1e-12)
    if swap.amount_out:
        back = after.swap(*tokens[::-1], swap.amount_out)
        assert back.amount_out < amount


def test_an_uninitialised_word_edge_is_a_step_of_its_own() -> None:
    walk = pool(liquidity=WIDE, ticks={-60_000: WIDE, 60_000: -WIDE}).walk(True, 4 * 10**18)
    assert walk.crossed == 0
    assert walk.steps == 2 + -walk.pool.tick // (60 * 256)


def test_input_that_empties_the_pool_is_refused_and_the_walk_tells_what_is_left() -> None:
    with pytest.raises(SwapRefused) as refused:
        pool().swap("0xb", "0xa", 10**30)
    assert refused.value.fields["reason"] is Reason.AMOUNT_TOO_LARGE
    walk = pool().walk(False, 10**30)
    assert walk.pool.sqrt_price_x96 == MAX_SQRT_RATIO - 1
    assert walk.remaining == 10**30 - walk.amount_in > 0


@pytest.mark.parametrize(
    ("subject", "amount", "reason"),
    [
        (pool(), 0, Reason.AMOUNT_TOO_SMALL),
        (pool(), -1, Reason.AMOUNT_TOO_SMALL),
        (pool(), 2**255, Reason.AMOUNT_TOO_LARGE),
        (pool(liquidity=0, ticks={}), 5, Reason.ZERO_LIQUIDITY),
        (UniswapV3Pool(SPEC, 0, 0, 0, {}), 5, Reason.UNKNOWN_TICKS),
        (pool(known=(-60, 60)), 10**19, Reason.UNKNOWN_TICKS),
        (pool(known=(60, 120)), 5, Reason.UNKNOWN_TICKS),
    ],
)
def test_a_swap_that_cannot_be_told_is_refused_with_its_reason(
    subject: UniswapV3Pool, amount: int, reason: Reason
) -> None:
    for tokens in (("0xa", "0xb"), ("0xb", "0xa")):
        with pytest.raises(SwapRefused) as refused:
            subject.swap(*tokens, amount)
        assert refused.value.fields["reason"] is reason


@given(st.integers(1, 10**19), st.booleans())
def test_a_partly_known_pool_agrees_with_the_whole_one_or_refuses(amount: int, falls: bool) -> None:
    tokens = ("0xa", "0xb") if falls else ("0xb", "0xa")
    known = (-600, 600)
    partly = pool(ticks=TickMap(TICKS).within(*known), known=known)
    whole = pool().swap(*tokens, amount)
    assert isinstance(whole.pool, UniswapV3Pool)
    if not known[0] <= whole.pool.tick < known[1]:
        with pytest.raises(SwapRefused) as refused:
            partly.swap(*tokens, amount)
        assert refused.value.fields["reason"] is Reason.UNKNOWN_TICKS
        return
    swap = partly.swap(*tokens, amount)
    assert (swap.amount_in, swap.amount_out) == (whole.amount_in, whole.amount_out)


def test_a_dead_pool_has_rate_zero() -> None:
    assert pool(liquidity=0, ticks={}).marginal_rate("0xa", "0xb") == 0.0
    assert UniswapV3Pool(SPEC, 0, 0, 0, {}).marginal_rate("0xa", "0xb") == 0.0


def test_positions_add_to_ticks_and_only_around_the_price_to_liquidity() -> None:
    grown = pool().after_position(-60, 60, 7).after_position(120, 240, 9)
    assert grown.liquidity == WIDE + NARROW + 7
    assert grown.ticks[-60] == grown.ticks[120] - 2 == 7
    assert grown.after_position(-60, 60, -7).after_position(120, 240, -9) == pool()
    assert pool().after_position(-60, 60, 0) is not None


def test_a_tick_where_one_position_ends_and_another_starts_stays_initialised() -> None:
    shared = pool(liquidity=0, ticks={}).after_position(-120, 60, 7).after_position(60, 120, 7)
    assert shared.ticks[60] == 0
    assert shared.tick_map.gross[60] == 14
    assert shared.walk(False, 10**15).crossed == 2
    assert 60 not in shared.after_position(-120, 60, -7).after_position(60, 120, -7).ticks


def test_burning_more_than_is_there_is_an_error() -> None:
    with pytest.raises(MarketError, match="more liquidity"):
        pool().after_position(-120, 180, -NARROW - 1)
    with pytest.raises(MarketError, match="more liquidity was taken away"):
        pool(known=(-60, 60), ticks={}).after_position(-600, 600, -WIDE - NARROW - 1)


def test_initialising_sets_a_price_and_nothing_else() -> None:
    fresh = UniswapV3Pool(SPEC, 0, 0, 0, {}).after_initialize(Q96, 0)
    assert (fresh.sqrt_price_x96, fresh.liquidity, len(fresh.ticks), fresh.known) == (Q96, 0, 0, None)


@pytest.mark.parametrize(
    "broken",
    [
        {"sqrt_price_x96": 5},
        {"tick": 7},
        {"tick": 10**6},
        {"liquidity": -1},
        {"liquidity": 2**128},
        {"ticks": {61: 1}},
        {"spec": PoolSpec("uniswap_v3", "0xp", "0xp", ("0xa", "0xb"), 3000)},
    ],
)
def test_an_impossible_pool_cannot_be_built(broken: dict[str, object]) -> None:
    values = {"spec": SPEC, "sqrt_price_x96": Q96, "tick": 0, "liquidity": 1, "ticks": {}} | broken
    with pytest.raises(MarketError, match="reload"):
        UniswapV3Pool(**values)


def test_ticks_that_take_more_liquidity_than_there_is_are_an_error() -> None:
    with pytest.raises(MarketError, match="take away more"):
        pool(liquidity=1, ticks={60: -5}).walk(False, 10**9)


def test_a_token_the_pool_does_not_hold_is_an_error() -> None:
    with pytest.raises(MarketError, match="does not trade"):
        pool().swap("0xa", "0xc", 1)
