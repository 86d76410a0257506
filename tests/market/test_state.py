"""Market state: whole blocks or nothing, and undoing as if they had never been."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.blocks import Block, BlockHeader, RawLog
from core.errors import MarketError, TapeError
from core.reasons import Reason
from market import events
from market.advance import advance
from market.events import PairSync
from market.events_balancer import TokenRateCacheUpdated
from market.pools.algebra import AlgebraPool
from market.pools.algebra_fee import FeeConfiguration
from market.pools.algebra_oracle import Timepoint, VolatilityOracle
from market.pools.amplification import Amplification
from market.pools.composable_stable import CachedRate, ComposableStablePool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.weighted import WeightedPool
from market.state import JOURNAL_DEPTH, MarketState
from market.tokens import Token

A, B = "0x" + "0a" * 20, "0x" + "0b" * 20
PAIRS = tuple("0x" + f"{index:02x}" * 20 for index in (1, 2, 3))
TOKENS = {A: Token(A, "A", 18), B: Token(B, "B", 18)}


def pair(address: str) -> UniswapV2Pool:
    return UniswapV2Pool(PoolSpec("uniswap_v2", address, address, (A, B), 3000), 1000, 1000)


def fresh() -> MarketState:
    return MarketState([pair(address) for address in PAIRS], TOKENS)


def block(number: int, syncs: Sequence[tuple[int, int]] = (), branch: int = 0, parent: int = 0) -> Block:
    """Return a block whose hash tells number and branch, with one ``Sync`` per (pair, reserve)."""
    header = BlockHeader(number, bytes([branch]) * 16 + number.to_bytes(16, "big"), b"", 0, 0, 0, 0)
    before = bytes([parent]) * 16 + (number - 1).to_bytes(16, "big")
    header = BlockHeader(number, header.hash, before, 12 * number, 10**9, 0, 30_000_000)
    logs = tuple(sync(number, index, PAIRS[which], reserve) for index, (which, reserve) in enumerate(syncs))
    return Block(header, logs, 0)


def sync(number: int, index: int, address: str, reserve: int) -> RawLog:
    data = reserve.to_bytes(32, "big") + (1000).to_bytes(32, "big")
    return RawLog(number, index, 0, bytes(32), address, (events.PAIR_SYNC,), data)


def test_a_block_changes_what_its_logs_say_and_names_it() -> None:
    state = fresh()
    before = dict(state.pools)
    applied = state.apply(block(5, [(1, 7), (0, 8), (1, 9)]))
    assert applied.touched == (PAIRS[1], PAIRS[0])
    assert [event.reserve0 for event in applied.events if isinstance(event, PairSync)] == [7, 8, 9]
    assert [met.reserve0 for met in applied.before if isinstance(met, UniswapV2Pool)] == [1000, 1000, 7]
    assert state.pools[PAIRS[1]] == pair(PAIRS[1]).after_sync(9, 1000)
    assert state.pools[PAIRS[2]] is before[PAIRS[2]]
    assert state.head is not None
    assert state.head.number == 5


def test_logs_nobody_follows_are_counted_and_stateless_ones_are_not() -> None:
    stranger = sync(5, 0, "0x" + "ff" * 20, 1)
    unknown = RawLog(5, 1, 0, bytes(32), PAIRS[0], (b"\x01" * 32,), b"")
    transfer = RawLog(5, 2, 0, bytes(32), PAIRS[0], (min(events.STATELESS_TOPICS),), b"")
    applied = fresh().apply(Block(block(5).header, (stranger, unknown, transfer), 0))
    assert (applied.unknown, applied.touched, applied.events) == (2, (), ())


def test_only_the_vault_itself_can_change_its_pool() -> None:
    pool_id = "0x" + "cd" * 32
    spec = PoolSpec("weighted", pool_id, PAIRS[0], (A, B), 2500, weights=(5 * 10**17,) * 2)
    pool = WeightedPool(spec, (1000, 1000), (18, 18))
    topics = (events.VAULT_SWAP, b"\xcd" * 32, *(bytes(12) + bytes.fromhex(token[2:]) for token in (A, B)))
    data = (5).to_bytes(32, "big") + (4).to_bytes(32, "big")
    state = MarketState([pool], TOKENS)
    forged = RawLog(5, 0, 0, bytes(32), PAIRS[1], topics, data)
    assert state.apply(Block(block(5).header, (forged,), 0)).unknown == 1
    assert state.pools[pool_id] is pool
    real = RawLog(6, 0, 0, bytes(32), PAIRS[0], topics, data)
    assert state.apply(Block(block(6).header, (real,), 0)).touched == (pool_id,)
    assert state.pools[pool_id] == WeightedPool(spec, (1005, 996), (18, 18))


@pytest.mark.parametrize(
    "wrong", [block(7), block(5), block(4), block(6, parent=9), block(6, [(0, 2**111)], parent=3)]
)
def test_a_block_that_does_not_continue_the_head_is_refused(wrong: Block) -> None:
    state = fresh()
    state.apply(block(5))
    before = dict(state.pools)
    with pytest.raises(MarketError, match=r"roll back|does not follow"):
        state.apply(wrong)
    assert dict(state.pools) == before
    state.apply(block(6))


def test_a_block_with_a_bad_log_changes_nothing() -> None:
    state = fresh()
    bad = RawLog(5, 1, 0, bytes(32), PAIRS[1], (events.PAIR_SYNC,), b"\x01")
    with pytest.raises(TapeError):
        state.apply(Block(block(5).header, (sync(5, 0, PAIRS[0], 1), bad), 0))
    assert state.pools[PAIRS[0]] == pair(PAIRS[0])
    assert state.head is None


def test_an_event_of_another_family_is_refused_with_its_position() -> None:
    state = fresh()
    mint = RawLog(
        5,
        4,
        0,
        bytes(32),
        PAIRS[0],
        (events.V3_BURN, bytes(32), bytes(32), (60).to_bytes(32, "big")),
        bytes(96),
    )
    with pytest.raises(MarketError, match="cannot have") as refused:
        state.apply(Block(block(5).header, (mint,), 0))
    assert (refused.value.fields["block"], refused.value.fields["log_index"]) == (5, 4)


@pytest.mark.parametrize(
    "logs",
    [
        (sync(5, 1, PAIRS[0], 1), sync(5, 1, PAIRS[0], 2)),
        (sync(5, 2, PAIRS[0], 1), sync(5, 1, PAIRS[0], 2)),
        (sync(6, 1, PAIRS[0], 1),),
    ],
)
def test_logs_out_of_order_or_of_another_block_are_refused(logs: tuple[RawLog, ...]) -> None:
    with pytest.raises(MarketError, match="in order"):
        fresh().apply(Block(block(5).header, logs, 0))


changes = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2**100)), max_size=4)


@given(
    st.lists(changes, min_size=1, max_size=8),
    st.lists(changes, min_size=1, max_size=8),
    st.data(),
)
def test_after_a_reorg_the_state_is_as_if_the_orphans_had_never_been(
    orphaned: list[list[tuple[int, int]]], kept: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    common = data.draw(st.integers(0, len(orphaned) - 1))
    straight, reorged = fresh(), fresh()
    for number, syncs in enumerate(orphaned, start=1):
        reorged.apply(block(number, syncs))
        if number <= common:
            straight.apply(block(number, syncs))
    moved = reorged.rollback(common)
    assert dict(reorged.pools) == dict(straight.pools)
    assert reorged.head == straight.head
    assert set(moved) == {PAIRS[which] for syncs in orphaned[common:] for which, _ in syncs}
    for number, syncs in enumerate(kept, start=common + 1):
        parent = 0 if number == common + 1 else 1
        assert reorged.apply(block(number, syncs, 1, parent)) == straight.apply(
            block(number, syncs, 1, parent)
        )
    assert dict(reorged.pools) == dict(straight.pools)
    assert reorged.head == straight.head
    assert reorged.rollback(common) == straight.rollback(common)


def test_the_journal_reaches_as_deep_as_it_says_and_no_deeper() -> None:
    state = fresh()
    for number in range(1, JOURNAL_DEPTH + 6):
        state.apply(block(number, [(0, number)]))
    with pytest.raises(MarketError, match="cannot go back"):
        state.rollback(4)
    assert state.head is not None
    assert state.head.number == JOURNAL_DEPTH + 5
    state.rollback(5)
    assert state.head.number == 5
    assert state.pools[PAIRS[0]] == pair(PAIRS[0]).after_sync(5, 1000)


def test_a_state_that_saw_nothing_has_nowhere_to_go_back_to() -> None:
    with pytest.raises(MarketError, match="cannot go back"):
        fresh().rollback(0)


def test_the_views_are_read_only() -> None:
    state = fresh()
    with pytest.raises(TypeError):
        state.pools[PAIRS[0]] = pair(PAIRS[0])  # type: ignore[index]
    with pytest.raises(TypeError):
        state.tokens[A] = TOKENS[A]  # type: ignore[index]


def test_pools_must_be_different_and_their_tokens_known() -> None:
    with pytest.raises(MarketError, match="twice"):
        MarketState([pair(PAIRS[0]), pair(PAIRS[0])], TOKENS)
    with pytest.raises(MarketError, match="not described"):
        MarketState([pair(PAIRS[0])], {A: TOKENS[A]})


def test_flow_events_of_a_pair_leave_the_same_pool() -> None:
    subject = pair(PAIRS[0])
    flow = events.PairSwap(PAIRS[0], PAIRS[0], 1, 0, 0, 1, 0, 0, 1)
    assert advance(subject, flow) is subject


def test_a_name_that_another_pool_gives_itself_does_not_capture_a_pool() -> None:
    victim = pair(PAIRS[0])
    spec = PoolSpec("algebra_v1", PAIRS[1], PAIRS[1], (A, B), 0, tick_spacing=60, factory=PAIRS[0])
    oracle = VolatilityOracle.of([Timepoint(1, 0, 0, 0, 0)])
    thief = AlgebraPool(spec, 2**96, 0, 0, {}, 100, 1, 0, oracle, FeeConfiguration(*[1] * 9))
    state = MarketState([victim, thief], TOKENS)
    assert state.apply(block(5, [(0, 7)])).touched == (PAIRS[0],)


def test_a_swap_to_a_liquidity_that_the_ticks_do_not_lead_to_is_refused() -> None:
    spec = PoolSpec("uniswap_v3", PAIRS[0], PAIRS[0], (A, B), 3000, tick_spacing=60)
    pool = UniswapV3Pool(spec, 2**96, 0, 10**18, {-60: 10**18, 60: -(10**18)})
    missed_burn = events.V3Swap(PAIRS[0], PAIRS[0], 1, 0, 0, 5, -4, 2**96 - 10**20, 0, -1)
    with pytest.raises(MarketError, match="the ticks lead to") as refused:
        advance(pool, missed_burn)
    assert refused.value.fields["reason"] is Reason.EVENT_CONTRADICTS_STATE


@pytest.mark.parametrize("place", [0, 3, 2**255])
def test_a_rate_of_a_token_that_a_pool_does_not_have_is_refused(place: int) -> None:
    spec = PoolSpec("composable_stable", "0x" + "00" * 32, PAIRS[0], (A, B), 0)
    rate = CachedRate(10**18, 10**18, 60, 60)
    pool = ComposableStablePool(spec, (10**24,) * 2, (18, 18), (rate, rate), Amplification.constant(1000), 0)
    event = TokenRateCacheUpdated(spec.pool_id[:42], spec.pool_id[:42], 1, 0, 0, place, 10**18)
    with pytest.raises(MarketError, match="no rated token") as refused:
        advance(pool, event)
    assert refused.value.fields["reason"] is Reason.EVENT_CONTRADICTS_STATE


def test_initialising_goes_through_the_log() -> None:
    spec = PoolSpec("uniswap_v3", PAIRS[0], PAIRS[0], (A, B), 3000, tick_spacing=60)
    state = MarketState([UniswapV3Pool(spec, 0, 0, 0, {})], TOKENS)
    data = (2**96).to_bytes(32, "big") + bytes(32)
    log = RawLog(5, 0, 0, bytes(32), PAIRS[0], (events.V3_INITIALIZE,), data)
    state.apply(Block(block(5).header, (log,), 0))
    assert state.pools[PAIRS[0]] == UniswapV3Pool(spec, 2**96, 0, 0, {})
