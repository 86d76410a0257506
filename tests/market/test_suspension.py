"""Suspended pools: nothing moves them, nothing heals them unseen, a reorg undoes what was decided."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chain.blocks import Block, BlockHeader, RawLog
from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.events import PAIR_SYNC
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.state import MarketState
from market.tokens import Token

A, B = "0x" + "0a" * 20, "0x" + "0b" * 20
ONE, TWO = "0x" + "01" * 20, "0x" + "02" * 20
TOKENS = {A: Token(A, "A", 18), B: Token(B, "B", 18)}
WHY = Refusal(Reason.MISSED_LOG, "a test says so")


def pair(address: str, reserve: int = 1000) -> UniswapV2Pool:
    return UniswapV2Pool(PoolSpec("uniswap_v2", address, address, (A, B), 3000), reserve, 1000)


def sync(number: int, index: int, address: str, reserve: int) -> RawLog:
    data = reserve.to_bytes(32, "big") + (1000).to_bytes(32, "big")
    return RawLog(number, index, 0, bytes(32), address, (PAIR_SYNC,), data)


def block(number: int, reserves: dict[str, int], branch: int = 0, parent: int = 0) -> Block:
    own = bytes([branch]) * 16 + number.to_bytes(16, "big")
    before = bytes([parent]) * 16 + max(number - 1, 0).to_bytes(16, "big")
    logs = tuple(sync(number, index, *each) for index, each in enumerate(reserves.items()))
    return Block(BlockHeader(number, own, before, 12 * number, 10**9, 0, 30_000_000), logs, 0)


def market() -> MarketState:
    return MarketState([pair(ONE), pair(TWO)], TOKENS)


def test_a_suspended_pool_follows_nothing_and_the_others_go_on() -> None:
    state = market()
    state.suspend(ONE, WHY)
    applied = state.apply(block(1, {ONE: 5, TWO: 6}))
    assert (applied.touched, applied.passed_over) == ((TWO,), 1)
    assert state.pools[ONE] == pair(ONE)
    assert dict(state.suspended) == {ONE: WHY}


def test_the_way_back_has_two_steps() -> None:
    state = market()
    state.apply(block(1, {}))
    state.suspend(ONE, WHY)
    with pytest.raises(MarketError, match="suspended and restored"):
        state.admit(ONE)
    state.restore(pair(ONE, 7))
    assert ONE in state.suspended
    assert state.apply(block(2, {ONE: 8})).touched == (ONE,)
    state.admit(ONE)
    assert not state.suspended
    assert state.pools[ONE] == pair(ONE, 8)


def test_before_any_block_there_is_nothing_to_restore_into() -> None:
    state = market()
    with pytest.raises(MarketError, match="no block"):
        state.restore(pair(ONE))
    with pytest.raises(MarketError, match="no such pool"):
        state.suspend("0xnobody", WHY)


def test_a_pool_that_was_restored_in_an_orphaned_block_is_frozen_again() -> None:
    state = market()
    state.apply(block(1, {}))
    state.suspend(ONE, WHY)
    state.apply(block(2, {}))
    state.restore(pair(ONE, 7))
    state.apply(block(3, {ONE: 8}))
    state.admit(ONE)
    state.rollback(2)
    assert dict(state.suspended) == {ONE: WHY}
    assert state.pools[ONE] == pair(ONE, 7)
    state.rollback(1)
    assert state.frozen == {ONE}
    assert state.pools[ONE] == pair(ONE)


class Suspensions(RuleBasedStateMachine):
    """A market in which pools are suspended, restored, admitted and blocks undone, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.state = market()
        self.truth = {ONE: 1000, TWO: 1000}
        self.past = [dict(self.truth)]
        self.branch = 0
        self.tip = 0
        self.state.apply(block(0, {}))

    @rule(reserve=st.integers(1, 10**9), which=st.sampled_from((ONE, TWO)))
    def a_block(self, reserve: int, which: str) -> None:
        number = len(self.past)
        self.state.apply(block(number, {which: reserve}, self.branch, self.tip))
        self.tip = self.branch
        self.truth[which] = reserve
        self.past.append(dict(self.truth))

    @rule(which=st.sampled_from((ONE, TWO)))
    def suspend(self, which: str) -> None:
        self.state.suspend(which, WHY)

    @rule(which=st.sampled_from((ONE, TWO)))
    def restore(self, which: str) -> None:
        self.state.restore(pair(which, self.truth[which]))

    @rule(which=st.sampled_from((ONE, TWO)))
    def admit(self, which: str) -> None:
        if which in self.state.suspended and which not in self.state.frozen:
            self.state.admit(which)

    @precondition(lambda self: len(self.past) > 1)
    @rule(data=st.data())
    def orphan(self, data: st.DataObject) -> None:
        kept = data.draw(st.integers(max(0, len(self.past) - 20), len(self.past) - 1))
        self.state.rollback(kept)
        del self.past[kept + 1 :]
        self.truth = dict(self.past[-1])
        assert self.state.head is not None
        self.tip = self.state.head.hash[0]
        self.branch = (self.branch + 1) % 256

    @invariant()
    def what_may_be_traded_is_right(self) -> None:
        for pool_id, reserve in self.truth.items():
            if pool_id not in self.state.suspended:
                assert self.state.pools[pool_id] == pair(pool_id, reserve)

    @invariant()
    def a_frozen_pool_is_suspended(self) -> None:
        assert self.state.frozen <= set(self.state.suspended)


TestSuspensions = Suspensions.TestCase
TestSuspensions.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
