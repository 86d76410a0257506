"""Balancer V3: what the vault takes and rounds, and where its two kinds of pools stop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.amplification import Amplification
from market.pools.balancer_v3 import MAX_BALANCE, SMALLEST_TRADE, BalancerV3Pool, VaultAccount
from market.pools.balancer_v3_stable import BalancerV3StablePool
from market.pools.balancer_v3_weighted import BalancerV3WeightedPool
from market.pools.log_exp_math import ONE
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.weighted import WeightedPool

FIRST, SECOND = "0xa", "0xb"
WEIGHTS = (2 * 10**17, 8 * 10**17)


def account(**changes: Any) -> VaultAccount:
    whole = VaultAccount(
        balances=(10**24, 10**24),
        decimals=(18, 18),
        rates=(ONE, ONE),
        last_live=(10**24, 10**24),
        pays_yield_fees=(True, False),
        swap_fee=10**16,
        protocol_swap_fee=ONE // 2,
        protocol_yield_fee=ONE // 10,
    )
    return replace(whole, **changes)


def weighted(
    least: tuple[int, ...] = (10**6,) * 2, hooks: str = "", **changes: Any
) -> BalancerV3WeightedPool:
    spec = PoolSpec("balancer_v3_weighted", "0xp", "0xv", (FIRST, SECOND), 0, weights=WEIGHTS, hooks=hooks)
    return BalancerV3WeightedPool(spec, account(**changes), least)


def stable(limit: int = 10_000, **changes: Any) -> BalancerV3StablePool:
    spec = PoolSpec("balancer_v3_stable", "0xp", "0xv", (FIRST, SECOND), 0)
    line = Amplification(100_000, 200_000, 0, 1_000)
    return BalancerV3StablePool(spec, account(**changes), line, 500, limit)


def reason(pool: BalancerV3Pool, amount: int) -> Reason:
    with pytest.raises(SwapRefused) as refused:
        pool.swap(FIRST, SECOND, amount)
    found: Reason = refused.value.fields["reason"]
    return found


def test_they_are_pools() -> None:
    for pool in (weighted(), stable()):
        assert isinstance(pool, Pool)
        assert (pool.pool_id, pool.address, pool.tokens) == ("0xp", "0xv", (FIRST, SECOND))


@pytest.mark.parametrize("pool", [weighted(), stable()], ids=["weighted", "stable"])
def test_the_protocol_takes_its_share_of_the_fee_out_of_the_pool(pool: BalancerV3Pool) -> None:
    swap = pool.swap(FIRST, SECOND, 10**20)
    held = swap.pool.account  # type: ignore[attr-defined]
    assert held.balances == (10**24 + 10**20 - 10**18 // 2, 10**24 - swap.amount_out)
    recovering = replace(pool, account=pool.account.recovered(True)).swap(FIRST, SECOND, 10**20)
    assert recovering.amount_out == swap.amount_out
    assert recovering.pool.account.balances[0] == 10**24 + 10**20  # type: ignore[attr-defined]


def test_a_swap_is_followed_by_its_event() -> None:
    pool = weighted()
    swap = pool.swap(FIRST, SECOND, 10**20)
    assert pool.after_swap(FIRST, SECOND, 10**20, swap.amount_out, 10**18) == swap.pool


def test_yield_is_charged_once_where_it_is_to_be() -> None:
    risen = account(rates=(2 * ONE, 2 * ONE))
    charged = risen.charged()
    assert charged.balances == (10**24 - 10**23 // 2, 10**24)
    assert charged.charged() == charged
    fallen = account(rates=(ONE // 2, ONE))
    assert fallen.charged().balances == fallen.balances
    assert replace(risen, recovering=True).charged().balances == risen.balances
    assert replace(risen, recovering=True).recovered(False).charged().balances == risen.balances


def test_adding_liquidity_measures_the_yield_rounded_up() -> None:
    odd = account(balances=(10**24 + 1, 0), rates=(ONE * 9 // 10, ONE), last_live=(9 * 10**23, 0))
    assert odd.charged().balances[0] == 10**24 + 1
    assert odd.charged(adding=True).balances[0] == 10**24


def test_the_rate_of_what_leaves_is_rounded_up_unless_it_is_whole() -> None:
    odd = account(rates=(ONE, ONE + 1))
    assert odd.raw_out(1, 10**36) == 10**54 // (ONE + 2)
    assert odd.raw_out(0, 10**36) == 10**36


def test_refusals_say_why() -> None:
    assert reason(weighted(), 0) is Reason.AMOUNT_TOO_SMALL
    assert reason(weighted(), SMALLEST_TRADE) is Reason.AMOUNT_TOO_SMALL
    assert reason(weighted(), 4 * 10**23) is Reason.AMOUNT_TOO_LARGE
    assert reason(weighted(least=(10**6, 10**24)), 10**20) is Reason.AMOUNT_TOO_LARGE
    assert reason(weighted(hooks="0x" + "11" * 20), 10**20) is Reason.HOOKS_NOT_SUPPORTED
    assert weighted(hooks="0x" + "11" * 20).marginal_rate(FIRST, SECOND) == 0.0
    assert weighted(hooks="0x" + "00" * 20).swap(FIRST, SECOND, 10**20)
    for pool in (weighted(balances=(0, 0), last_live=(0, 0)), stable(balances=(10**24, 0))):
        assert reason(pool, 10**20) is Reason.ZERO_LIQUIDITY
        assert pool.marginal_rate(FIRST, SECOND) == 0.0
    full = (MAX_BALANCE, MAX_BALANCE)
    assert reason(weighted(balances=full, last_live=full), 10**37) is Reason.AMOUNT_TOO_LARGE
    assert reason(weighted(balances=full, rates=(2 * ONE, ONE)), 10**37) is Reason.AMOUNT_TOO_LARGE
    assert reason(stable(balances=(10**24, 10**7)), 10**9) is Reason.AMOUNT_TOO_LARGE
    huge = (2**127,) * 2
    assert reason(stable(balances=huge, last_live=huge), 10**20) is Reason.AMOUNT_TOO_LARGE
    assert stable(balances=huge, last_live=huge).marginal_rate(FIRST, SECOND) == 0.0


def test_later_stable_pools_stop_where_balances_are_far_apart_and_earlier_ones_go_on() -> None:
    apart = {"balances": (10**24, 2 * 10**20)}
    assert reason(stable(**apart), 10**24) is Reason.AMOUNT_TOO_LARGE
    assert stable(limit=0, **apart).swap(FIRST, SECOND, 10**24).amount_out > 10**20
    near, same = stable(), stable(limit=0)
    assert near.swap(FIRST, SECOND, 10**20).amount_out == same.swap(FIRST, SECOND, 10**20).amount_out


def test_time_moves_the_amplification() -> None:
    far = stable(balances=(10**24, 10**22))
    assert far.at(1_000).swap(FIRST, SECOND, 10**20).amount_out > far.swap(FIRST, SECOND, 10**20).amount_out


@given(
    balances=st.lists(st.integers(10**12, 2**111), min_size=2, max_size=2),
    weight=st.integers(1, 99),
    share=st.floats(1e-12, 0.299),
)
def test_a_weighted_pool_of_the_first_factories_pays_what_a_pool_of_v2_does(
    balances: list[int], weight: int, share: float
) -> None:
    """Without fee and rate the two are the same; V2's is held against its bytecode."""
    weights = (weight * ONE // 100, ONE - weight * ONE // 100)
    held = (balances[0], balances[1])
    spec = PoolSpec("weighted", "0xp", "0xv", (FIRST, SECOND), 0, weights=weights)
    old = WeightedPool(spec, held, (18, 18))
    new = BalancerV3WeightedPool(spec, account(balances=held, last_live=held, swap_fee=0))
    amount = int(balances[0] * share)
    assume(amount >= SMALLEST_TRADE)
    paid = old.swap(FIRST, SECOND, amount).amount_out
    if paid < SMALLEST_TRADE:
        assert reason(new, amount) is Reason.AMOUNT_TOO_SMALL
    else:
        assert new.swap(FIRST, SECOND, amount).amount_out == paid


@pytest.mark.parametrize("make", [weighted, stable])
@given(
    balances=st.lists(st.integers(10**12, 10**30), min_size=2, max_size=2),
    rates=st.lists(st.integers(ONE // 2, 3 * ONE), min_size=2, max_size=2),
    share=st.floats(1e-9, 1),
)
def test_there_and_back_never_gains(make: Any, balances: list[int], rates: list[int], share: float) -> None:
    pool = make(balances=tuple(balances), rates=tuple(rates), swap_fee=10**12)
    amount = max(int(balances[0] * share), 1)
    try:
        there = pool.swap(FIRST, SECOND, amount)
        back = there.pool.swap(SECOND, FIRST, there.amount_out)
    except SwapRefused:
        return
    assert back.amount_out <= amount


@pytest.mark.parametrize(
    "changes",
    [
        {"balances": (1,)},
        {"balances": (1, MAX_BALANCE + 1)},
        {"balances": (1, -1)},
        {"decimals": (18, 19)},
        {"rates": (ONE, 0)},
        {"swap_fee": ONE},
    ],
)
def test_impossible_accounts_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MarketError):
        account(**changes)


def test_tokens_and_account_belong_together() -> None:
    one = PoolSpec("balancer_v3_stable", "0xp", "0xv", (FIRST,), 0)
    with pytest.raises(MarketError):
        BalancerV3StablePool(one, account(), Amplification.constant(1_000))
    for least in ((1,), (1, 1, 1)):
        with pytest.raises(MarketError):
            weighted(least=least)
    with pytest.raises(MarketError):
        replace(weighted(), spec=one)
