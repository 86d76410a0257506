"""Composable stable pools: rates that expire, amplification over time, the share that is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.amplification import Amplification
from market.pools.composable_stable import MAX_BALANCE, MAX_RATE, CachedRate, ComposableStablePool
from market.pools.log_exp_math import ONE
from market.pools.pool import Pool
from market.pools.spec import PoolSpec

SHARE = "0x" + "50" * 20
TOKENS = ("0x" + "10" * 20, "0x" + "40" * 20, "0x" + "90" * 20)
SPEC = PoolSpec("composable_stable", SHARE + "00" * 12, "0x" + "ba" * 20, TOKENS, 0)
RATE = CachedRate(rate=ONE, provided=2 * ONE, duration=60, expires=1_000)


def pool(**changes: object) -> ComposableStablePool:
    whole = ComposableStablePool(
        spec=SPEC,
        balances=(10**12, 10**24, 10**24),
        decimals=(6, 18, 18),
        rates=(None, RATE, None),
        amplification=Amplification(100_000, 200_000, 500, 1_500),
        swap_fee=10**12,
        timestamp=1_000,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def reason(pool: ComposableStablePool, token_in: str, token_out: str, amount: int) -> Reason:
    with pytest.raises(SwapRefused) as refused:
        pool.swap(token_in, token_out, amount)
    found: Reason = refused.value.fields["reason"]
    return found


def test_it_is_a_pool() -> None:
    assert isinstance(pool(), Pool)
    assert pool().share == SHARE
    assert (pool().family, pool().tokens) == ("composable_stable", TOKENS)


def test_the_first_swap_after_a_rate_expired_takes_the_new_one_and_keeps_it() -> None:
    fresh, late = pool(), pool(timestamp=1_001)
    before = fresh.swap(TOKENS[1], TOKENS[2], ONE)
    after = late.swap(TOKENS[1], TOKENS[2], ONE)
    assert before.pool.rates == fresh.rates
    assert after.pool.rates[1] == CachedRate(2 * ONE, 2 * ONE, 60, 1_061)
    assert after.amount_out > 3 * before.amount_out // 2


def test_the_amplification_moves_with_time_and_the_price_with_it() -> None:
    rates = (None, None, None)
    early, late = (pool(rates=rates, balances=(10**12, 10**24, 10**22)).at(time) for time in (500, 1_500))
    assert late.amplification.at(late.timestamp) == 2 * early.amplification.at(early.timestamp)
    assert late.swap(*TOKENS[1:], ONE).amount_out > early.swap(*TOKENS[1:], ONE).amount_out
    assert late.marginal_rate(*TOKENS[1:]) > early.marginal_rate(*TOKENS[1:])


def test_an_amplification_is_level_outside_its_update_and_rounds_toward_its_start() -> None:
    up, down = Amplification(1_000, 2_000, 0, 3), Amplification(2_000, 1_000, 0, 3)
    assert [up.at(time) for time in (0, 1, 2, 3, 4)] == [1_000, 1_333, 1_666, 2_000, 2_000]
    assert [down.at(time) for time in (0, 1, 2, 3, 4)] == [2_000, 1_667, 1_334, 1_000, 1_000]
    for wrong in ((0, 1_000, 0, 1), (1_000, 1_000, 2, 1)):
        with pytest.raises(MarketError):
            Amplification(*wrong)


def test_refusals_say_why() -> None:
    first, second, third = TOKENS
    for tokens in ((SHARE, first), (first, SHARE)):
        assert reason(pool(), *tokens, ONE) is Reason.SHARE_NOT_SUPPORTED
    assert reason(pool(), first, second, 0) is Reason.AMOUNT_TOO_SMALL
    assert reason(pool(swap_fee=10**17), second, third, 1) is Reason.AMOUNT_TOO_SMALL
    assert reason(pool(), first, second, MAX_BALANCE) is Reason.AMOUNT_TOO_LARGE
    assert reason(pool(balances=(0, 10**24, 10**24)), second, third, ONE) is Reason.ZERO_LIQUIDITY
    unsettled = (65934948707164733281665024, 2915279600102021458246500352, 13375654472271763456)
    far = pool(rates=(None,) * 3, decimals=(18,) * 3, balances=unsettled)
    assert reason(far, first, second, 10**6) is Reason.AMOUNT_TOO_LARGE
    assert far.marginal_rate(first, second) == 0.0
    assert pool(balances=(0, 10**24, 10**24)).marginal_rate(second, third) == 0.0
    for tokens in ((first, first), (first, "0xother")):
        with pytest.raises(MarketError):
            pool().swap(*tokens, ONE)


def test_changes_of_the_share_are_left_out() -> None:
    tokens = (TOKENS[0], TOKENS[1], SHARE, TOKENS[2])
    changed = pool().after_changes(tokens, (5, -6, 7, 8))
    assert changed.balances == (10**12 + 5, 10**24 - 6, 10**24 + 8)
    with pytest.raises(MarketError):
        pool().after_changes(("0xother",), (1,))


def test_events_count_tokens_with_the_share() -> None:
    """The share lies between the second and the third token."""
    rated = pool(rates=(None, RATE, RATE))
    assert rated.after_rate_cached(1, 7).rates == (None, CachedRate(7, 7, 60, 1_060), RATE)
    assert rated.after_rate_cached(3, 7).rates == (None, RATE, CachedRate(7, 7, 60, 1_060))
    assert rated.after_duration_set(3, 10).rates[2] == CachedRate(ONE, 2 * ONE, 10, 950)
    with pytest.raises(MarketError, match="no rate"):
        rated.after_rate_cached(0, 7)


@pytest.mark.parametrize(
    "changes",
    [
        {"balances": (1, 2)},
        {"balances": (1, 2, MAX_BALANCE + 1)},
        {"balances": (1, 2, -1)},
        {"decimals": (6, 18, 19)},
        {"swap_fee": ONE},
        {"rates": (None, None, CachedRate(ONE, MAX_RATE + 1, 0, 0))},
    ],
)
def test_impossible_states_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MarketError):
        pool(**changes)


@given(
    balances=st.lists(st.integers(10**15, 10**28), min_size=3, max_size=3),
    rates=st.lists(st.integers(ONE // 2, 3 * ONE), min_size=3, max_size=3),
    amplification=st.integers(1_000, 5_000_000),
    share=st.floats(1e-9, 2),
    places=st.permutations(range(3)),
)
def test_there_and_back_never_gains(
    balances: list[int], rates: list[int], amplification: int, share: float, places: list[int]
) -> None:
    cached = tuple(CachedRate(rate, rate, 0, 2_000) for rate in rates)
    start = pool(
        balances=tuple(balances),
        decimals=(18,) * 3,
        rates=cached,
        amplification=Amplification.constant(amplification),
    )
    first, second = TOKENS[places[0]], TOKENS[places[1]]
    amount = max(int(balances[places[0]] * share), 1)
    try:
        there = start.swap(first, second, amount)
        back = there.pool.swap(second, first, there.amount_out)
    except SwapRefused:
        return
    assert back.amount_out <= amount
    assert there.amount_out <= balances[places[1]]
