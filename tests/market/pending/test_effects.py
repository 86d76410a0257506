"""What steps do to pools: amounts that calldata leaves open, limits, failures, and the market left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from chain.pending_transactions import PendingTransaction
from core.reasons import Reason, Refusal
from market.pending.decode import decode_pending
from market.pending.effects import Prediction, predict
from market.pending.intents import NATIVE, IntendedHop, SwapIntent, TokenMove
from market.pools.base import TwoTokenPool
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.weighted import WeightedPool
from tests.market.pending.routes import (
    DAI,
    FRIEND,
    MANAGER,
    ROUTER,
    TARGETS,
    TRADER,
    UNIVERSAL,
    USDC,
    V4_ID,
    V4_KEY,
    WETH,
    WHOLE_BALANCE,
    market,
    packed,
    pair,
    plan,
    v3_pool,
    v4,
)

V3_TYPES, V2_TYPES = "address,uint256,uint256,bytes,bool", "address,uint256,uint256,address[],bool"
V4_SINGLE = "((address,address,uint24,int24,address),bool,uint128,uint128,bytes)"
UNIT = 10**18
MARKET = market()


def effect(transaction: PendingTransaction, pools: dict[str, Pool] | None = None) -> Prediction | Refusal:
    steps = decode_pending(transaction, TARGETS)
    assert not isinstance(steps, Refusal), steps
    return predict(steps, MARKET if pools is None else pools, 0)


def prediction(transaction: PendingTransaction) -> Prediction:
    found = effect(transaction)
    assert isinstance(found, Prediction), found
    return found


def through(amount: int, *ways: tuple[str, str, str]) -> list[int]:
    """Return what a trader gets who sells from pool to pool by hand."""
    pools, amounts = dict(MARKET), []
    for pool_id, token_in, token_out in ways:
        swap = pools[pool_id].swap(token_in, token_out, amount)
        pools[pool_id], amount = swap.pool, swap.amount_out
        amounts.append(amount)
    return amounts


V3_WAY, V2_WAY = (v3_pool(WETH, USDC, 500), WETH, USDC), (pair(USDC, DAI), USDC, DAI)

PLANS = {
    "ether wrapped by the router and sold": (
        plan(
            (0x0B, "address,uint256", (ROUTER, 3 * UNIT)),
            (0x08, V2_TYPES, (FRIEND, 3 * UNIT, 0, [WETH, DAI], False)),
            value=3 * UNIT,
        ),
        through(3 * UNIT, (pair(WETH, DAI), WETH, DAI)),
    ),
    "all of the ether that came along": (
        plan(
            (0x0B, "address,uint256", (ROUTER, WHOLE_BALANCE)),
            (0x00, V3_TYPES, (FRIEND, WHOLE_BALANCE, 0, packed(WETH, 500, USDC), False)),
            value=2 * UNIT,
        ),
        through(2 * UNIT, V3_WAY),
    ),
    "all that the first swap left with the router": (
        plan(
            (0x00, V3_TYPES, (ROUTER, UNIT, 0, packed(WETH, 500, USDC), True)),
            (0x08, V2_TYPES, (FRIEND, WHOLE_BALANCE, 0, [USDC, DAI], False)),
        ),
        through(UNIT, V3_WAY, V2_WAY),
    ),
    "a pair that the first swap paid": (
        plan(
            (0x00, V3_TYPES, (pair(USDC, DAI), UNIT, 0, packed(WETH, 500, USDC), True)),
            (0x08, V2_TYPES, (FRIEND, 0, 0, [USDC, DAI], False)),
        ),
        through(UNIT, V3_WAY, V2_WAY),
    ),
    "tokens that were pulled in before": (
        plan(
            (0x02, "address,address,uint160", (WETH, ROUTER, UNIT)),
            (0x00, V3_TYPES, (FRIEND, WHOLE_BALANCE, 0, packed(WETH, 500, USDC), False)),
        ),
        through(UNIT, V3_WAY),
    ),
    "a deposit with the PoolManager, sold whole": (
        plan(
            v4(
                (0x0B, "address,uint256,bool", (NATIVE, UNIT, False)),
                (0x06, V4_SINGLE, ((V4_KEY, True, 0, 0, b""),)),
                (0x0F, "address,uint256", (USDC, 0)),
            ),
            value=UNIT,
        ),
        through(UNIT, (V4_ID, NATIVE, USDC)),
    ),
    "from the PoolManager to the router and on to a pair": (
        plan(
            v4(
                (0x06, V4_SINGLE, ((V4_KEY, True, UNIT, 0, b""),)),
                (0x0E, "address,address,uint256", (USDC, ROUTER, 0)),
            ),
            (0x08, V2_TYPES, (FRIEND, WHOLE_BALANCE, 0, [USDC, DAI], False)),
            value=UNIT,
        ),
        through(UNIT, (V4_ID, NATIVE, USDC), V2_WAY),
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_amounts_that_calldata_leaves_open_follow_from_the_steps_before(name: str) -> None:
    transaction, wanted = PLANS[name]
    assert [swap.amount_out for swap in prediction(transaction).swaps] == wanted


def test_a_share_that_is_paid_away_is_not_sold() -> None:
    found = prediction(
        plan(
            (0x00, V3_TYPES, (ROUTER, UNIT, 0, packed(WETH, 500, USDC), True)),
            (0x06, "address,address,uint256", (USDC, FRIEND, 25)),
            (0x08, V2_TYPES, (FRIEND, WHOLE_BALANCE, 0, [USDC, DAI], False)),
        )
    )
    got = found.swaps[0].amount_out
    assert found.swaps[1].amount_in == got - got * 25 // 10_000


def test_an_amount_that_nobody_knows_is_refused() -> None:
    refusal = effect(plan((0x08, V2_TYPES, (FRIEND, WHOLE_BALANCE, 0, [USDC, DAI], False))))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.PENDING_UNDECODABLE


def test_a_failing_swap_ends_the_transaction_whatever_its_flag_says() -> None:
    too_much = (FRIEND, UNIT, 10**30, [USDC, DAI], True)
    good = (0x00, V3_TYPES, (FRIEND, UNIT, 0, packed(WETH, 500, USDC), True))
    for command in (0x08, 0x88):
        refusal = effect(plan((command, V2_TYPES, too_much), good))
        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.PENDING_SLIPPAGE


@pytest.mark.parametrize(
    "lost", [(FRIEND, UNIT, 10**30, [USDC, DAI], True), (FRIEND, UNIT, 0, [USDC, DAI, FRIEND], True)]
)
def test_a_plan_that_may_fail_is_undone_as_one_and_the_rest_goes_on(lost: tuple[Any, ...]) -> None:
    inside = [(FRIEND, UNIT, 0, [WETH, DAI], True), lost]
    sub_plan = bytes([0x08, 0x08]), [encode(V2_TYPES.split(","), terms) for terms in inside]
    good = (0x08, V2_TYPES, (FRIEND, UNIT, 0, [WETH, USDC], True))
    assert list(prediction(plan((0xA1, "bytes,bytes[]", sub_plan), good)).pools) == [pair(WETH, USDC)]
    assert isinstance(effect(plan((0x21, "bytes,bytes[]", sub_plan), good)), Refusal)


def test_a_pool_that_is_not_followed_is_named() -> None:
    refusal = effect(plan((0x08, V2_TYPES, (FRIEND, UNIT, 0, [USDC, DAI], True))), pools={})
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.PENDING_UNKNOWN_POOL
    assert pair(USDC, DAI) in refusal.detail


def test_an_exact_output_of_a_weighted_pool_is_left_to_the_simulation() -> None:
    spec = PoolSpec("weighted", "0x05", "0xv", (USDC, WETH), 3000, weights=(5 * 10**17,) * 2)
    pool = WeightedPool(spec, (10**24,) * 2, (18, 18))
    step = SwapIntent((IntendedHop("0x05", USDC, WETH),), True, UNIT, None, TRADER, FRIEND)
    refusal = predict([step], {"0x05": pool}, 0)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.PENDING_EXACT_OUT
    (swap,) = _predicted([replace(step, exact_out=False)], {"0x05": pool}).swaps
    assert swap.amount_out == pool.swap(USDC, WETH, UNIT).amount_out


def test_a_price_that_is_beyond_the_limit_already_reverts() -> None:
    pool = MARKET[v3_pool(WETH, USDC, 500)]
    assert isinstance(pool, UniswapV3Pool)
    down = pool.tokens[0] == WETH
    hop = IntendedHop(pool.pool_id, WETH, USDC)
    for limit in (pool.sqrt_price_x96, pool.sqrt_price_x96 + (1 if down else -1), 1, 2**160):
        step = SwapIntent((hop,), False, UNIT, None, TRADER, FRIEND, price_limit=limit)
        refusal = predict([step], MARKET, 0)
        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.PENDING_SLIPPAGE


def _predicted(steps: list[SwapIntent], pools: dict[str, Pool]) -> Prediction:
    found = predict(steps, pools, 0)
    assert isinstance(found, Prediction), found
    return found


TWO_TOKEN_POOLS = [pool for pool in MARKET.values() if isinstance(pool, TwoTokenPool)]


@given(st.sampled_from(TWO_TOKEN_POOLS), st.booleans(), st.integers(1, 10**22))
def test_an_exact_output_costs_an_input_that_buys_it_and_hardly_less_does(
    pool: TwoTokenPool, first: bool, wanted: int
) -> None:
    """One unit less buys less, but for the unit that a V2 router rounds up and those that V3 rounds away."""
    token_in, token_out = pool.tokens if first else pool.tokens[::-1]
    hop = IntendedHop(pool.pool_id, token_in, token_out)
    step = SwapIntent((hop,), True, wanted, None, TRADER, FRIEND)
    (bought,) = _predicted([step], MARKET).swaps
    assert bought.amount_out == wanted
    assert MARKET[pool.pool_id].swap(token_in, token_out, bought.amount_in).amount_out >= wanted
    if bought.amount_in > 3:
        cheaper = MARKET[pool.pool_id].swap(token_in, token_out, bought.amount_in - 3)
        assert cheaper.amount_out <= wanted


@given(
    st.lists(
        st.tuples(st.sampled_from(TWO_TOKEN_POOLS), st.booleans(), st.integers(10**6, 10**21)), max_size=5
    )
)
def test_a_prediction_is_the_swaps_one_after_another_and_the_market_stays_as_it_was(
    trades: list[tuple[TwoTokenPool, bool, int]],
) -> None:
    before, byhand, steps = dict(MARKET), dict(MARKET), []
    for pool, first, amount in trades:
        token_in, token_out = pool.tokens if first else pool.tokens[::-1]
        byhand[pool.pool_id] = byhand[pool.pool_id].swap(token_in, token_out, amount).pool
        hop = IntendedHop(pool.pool_id, token_in, token_out)
        steps.append(SwapIntent((hop,), False, amount, 0, TRADER, FRIEND))
    found = _predicted(steps, MARKET)
    assert before | dict(found.pools) == byhand
    assert before == MARKET
    assert set(found.pools) == {pool.pool_id for pool, _, _ in trades}


def test_a_second_prediction_builds_on_the_first() -> None:
    step = SwapIntent((IntendedHop(*V2_WAY),), False, UNIT, 0, TRADER, FRIEND)
    first = _predicted([step], MARKET)
    second = _predicted([step], MARKET | dict(first.pools))
    assert second.pools == _predicted([step, step], MARKET).pools


def test_moves_of_nothing_change_nothing() -> None:
    moves = [TokenMove(USDC, UNIVERSAL.address, FRIEND, None), TokenMove(NATIVE, MANAGER, TRADER, None, 25)]
    assert predict(moves, MARKET, 0) == Prediction({}, ())
