"""The market in columns is the market of records: after every block, undo, suspension and refusal."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.blocks import Block, BlockHeader, RawLog
from core.errors import MarketError
from core.reasons import Reason, Refusal
from market import events
from market.arrays.market import MarketArrays
from market.events_v3_family import PANCAKE_V3_SWAP
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from market.state import JOURNAL_DEPTH
from tests.market.arrays.twin_markets import Twins, numbers, outcome
from tests.random_blocks import TOKENS, RandomChain, moves

REFUSAL = Refusal(Reason.EVENT_CONTRADICTS_STATE, "a test")


def test_views_of_a_new_market_are_the_pools_it_was_made_of() -> None:
    Twins(RandomChain()).agree()


@settings(max_examples=40, deadline=None)
@given(st.lists(moves, min_size=1, max_size=8))
def test_after_every_block_all_pools_are_equal(blocks: list[Any]) -> None:
    chain = RandomChain()
    twins = Twins(chain)
    for chosen in blocks:
        twins.apply(chain.block(chosen))
        twins.agree()


@settings(max_examples=40, deadline=None)
@given(st.lists(moves, max_size=5), st.lists(moves, max_size=5), st.lists(moves, max_size=5))
def test_after_a_reorg_nothing_is_left_of_the_orphans(
    past: list[Any], orphans: list[Any], kept: list[Any]
) -> None:
    chain = RandomChain()
    straight, reorged = Twins(chain), Twins(chain)
    for chosen in past:
        block = chain.block(chosen)
        straight.apply(block)
        reorged.apply(block)
    orphaned = chain.fork()
    for chosen in orphans:
        reorged.apply(orphaned.block(chosen, branch=1))
    reorged.rollback(chain.head.number)
    reorged.agree()
    for chosen in kept:
        block = chain.block(chosen, branch=2)
        straight.apply(block)
        reorged.apply(block)
    reorged.agree()
    for pool_id in straight.columns.ids:
        assert numbers(straight.columns, pool_id) == numbers(reorged.columns, pool_id)


def test_as_many_blocks_can_be_undone_as_the_journal_is_deep_and_no_more() -> None:
    chain, chance = RandomChain(), random.Random(3)
    twins = Twins(chain)
    for _ in range(JOURNAL_DEPTH + 40):
        twins.apply(chain.block(_some(chance)))
    head = chain.head.number
    for depth in (1, 5, JOURNAL_DEPTH + 1, JOURNAL_DEPTH, JOURNAL_DEPTH + 1):
        twins.rollback(head - depth)
        twins.agree()
    assert twins.columns.head is not None
    assert twins.columns.head.number == head - JOURNAL_DEPTH


def _some(chance: random.Random) -> list[tuple[int, int, float, bool]]:
    return [
        (chance.randrange(7), chance.randrange(4), chance.choice([1e-4, 0.02]), chance.random() < 0.5)
        for _ in range(chance.randrange(6))
    ]


def _block(chain: RandomChain, *logs: tuple[str, tuple[bytes, ...], bytes], parent: bytes = b"") -> Block:
    """Return a block after the head with logs of these addresses, topics and data."""
    number = chain.head.number + 1
    header = BlockHeader(number, number.to_bytes(32, "big"), parent or chain.head.hash, 1, 1, 0, 1)
    raw = (RawLog(number, index, 0, bytes(32), *log) for index, log in enumerate(logs))
    return Block(header, tuple(raw), 0)


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big", signed=value < 0) for value in values)


def _v3_swap(pool: str, price: int, tick: int, liquidity: int = 5) -> tuple[str, tuple[bytes, ...], bytes]:
    return pool, (events.V3_SWAP, bytes(32), bytes(32)), _words(9, -9, price, liquidity, tick)


V3 = "0x" + "04" * 20
V2 = "0x" + "01" * 20
WEIGHTED = "0x" + "07" * 32
VAULT = "0x" + "fe" * 20
SYNC = V2, (events.PAIR_SYNC,), _words(5, 6)


@pytest.mark.parametrize(
    "tick", [MIN_TICK, MIN_TICK + 1, -61, -60, -1, 0, 1, 60, 120, MAX_TICK - 1, MAX_TICK]
)
@pytest.mark.parametrize("off", [-1, 0, 1])
@pytest.mark.parametrize("claimed", [-1, 0, 1])
def test_a_swap_that_ends_near_a_tick_is_judged_exactly(tick: int, off: int, claimed: int) -> None:
    chain = RandomChain()
    twins = Twins(chain)
    log = _v3_swap(V3, sqrt_ratio_at_tick(tick) + off, tick + claimed, 2**127 + 3)
    twins.apply(_block(chain, SYNC, log))
    twins.agree()


@pytest.mark.parametrize(
    "log",
    [
        (V3, (events.V3_INITIALIZE,), _words(2**96, 0)),
        (V3, (PANCAKE_V3_SWAP, bytes(32), bytes(32)), _words(9, -9, 2**96 + 2**80, 5, 0, 1, 1)),
        (V3, (PANCAKE_V3_SWAP, bytes(32), bytes(32)), _words(9, -9, 2**96, 5, 0, 1, 2**128)),
        (V3, (events.V3_MINT, bytes(32), _words(-60), _words(60)), _words(1, 0, 5, 5)),
        (V3, (events.V3_MINT, bytes(32), _words(-60), _words(7)), _words(1, 2**126, 5, 5)),
        (V3, (events.V3_MINT, bytes(32), _words(60), _words(-60)), _words(1, 1, 5, 5)),
        (V3, (events.V3_BURN, bytes(32), _words(-60_000), _words(60_000)), _words(9 * 10**21, 5, 5)),
        (V3, (events.V3_BURN, bytes(32), _words(-60_000), _words(60_000)), _words(9 * 10**21 + 1, 5, 5)),
        (V3, (events.V3_BURN, bytes(32), _words(-60), _words(60)), _words(1, 5, 5)),
        (V3, (events.V3_BURN, bytes(32), _words(-60), _words(60)), _words(2**128, 5, 5)),
        (V3, (events.PAIR_SYNC,), _words(1, 2)),
        (V2, (events.PAIR_SYNC,), _words(1, 2**112)),
        (V2, (events.PAIR_SYNC,), _words(1)),
        (V2, (events.PAIR_SYNC, bytes(32)), _words(1, 2)),
        (V2, (events.PAIR_SYNC[:31],), _words(1, 2)),
        (V2, (events.PAIR_SYNC, bytes(31), bytes(1)), _words(1, 2)),
        (V2, (), b"data"),
        (V2, (bytes(32),), b"data"),
        (V2, (min(events.STATELESS_TOPICS),), b"data"),
        ("0x" + "99" * 20, (events.PAIR_SYNC,), _words(1, 2)),
        ("0x" + "99" * 20, (events.PAIR_SYNC,), _words(1, 2**112)),
        ("0x" + "99" * 20, (events.VAULT_BALANCE_CHANGED, bytes.fromhex(WEIGHTED[2:]), bytes(32)), b""),
    ],
)
def test_a_log_out_of_the_ordinary_does_the_same_or_is_refused_in_the_same_words(log: Any) -> None:
    chain = RandomChain()
    twins = Twins(chain)
    twins.apply(chain.block([(3, 2, 0.02, False), (4, 0, 0.02, True)]))
    twins.apply(_block(chain, SYNC, log, SYNC))
    twins.agree()
    twins.rollback(100)
    twins.agree()


@pytest.mark.parametrize(
    ("contract", "tokens", "paid", "got"),
    [
        (VAULT, (0, 1), 5, 4),
        ("0x" + "fd" * 20, (0, 1), 5, 4),
        (WEIGHTED[:42], (0, 1), 5, 4),
        (VAULT, (0, 0), 5, 4),
        (VAULT, (0, None), 5, 4),
        (VAULT, (0, 1), 2**112, 4),
        (VAULT, (0, 1), 5, 2**111),
        (VAULT, (0, 1), 2**255, 4),
    ],
)
def test_a_swap_in_a_vault_moves_what_it_says_or_is_refused(
    contract: str, tokens: tuple[int, int | None], paid: int, got: int
) -> None:
    chain = RandomChain()
    twins = Twins(chain)
    named = [list(TOKENS)[place] if place is not None else V2 for place in tokens]
    topics = (events.VAULT_SWAP, bytes.fromhex(WEIGHTED[2:]), *(_words(int(token, 16)) for token in named))
    twins.apply(_block(chain, (contract, topics, _words(paid, got)), SYNC))
    twins.agree()


def test_blocks_out_of_order_or_of_another_branch_are_refused_in_the_same_words() -> None:
    chain = RandomChain()
    twins = Twins(chain)
    good = _block(chain, SYNC, SYNC, SYNC)
    first, second, third = good.logs
    for logs in ((second, first), (first, first), (first, replace(second, block_number=7), third)):
        twins.apply(replace(good, logs=logs))
        twins.agree()
    malformed = replace(second, data=b"")
    for logs in ((first, malformed, first), (second, first, malformed), (malformed, _burn(third), first)):
        twins.apply(replace(good, logs=logs))
        twins.apply(replace(good, logs=logs, header=replace(good.header, parent_hash=bytes(31) + b"1")))
        twins.apply(replace(good, logs=logs, header=replace(good.header, number=109)))
        twins.agree()
    twins.apply(good)
    twins.agree()


def _burn(log: RawLog) -> RawLog:
    topics = (events.V3_BURN, bytes(32), _words(-60), _words(60))
    return replace(log, address=V3, topics=topics, data=_words(1, 5, 5))


def test_a_refused_block_leaves_the_journal_as_deep_as_it_was() -> None:
    chain, chance = RandomChain(), random.Random(5)
    twins = Twins(chain)
    for _ in range(JOURNAL_DEPTH):
        twins.apply(chain.block(_some(chance)))
    twins.apply(_block(chain, SYNC, _v3_swap(V3, 2**96, 7)))
    twins.agree()
    twins.rollback(100)
    twins.agree()


def test_a_suspended_pool_stands_still_until_it_is_restored_and_undoing_freezes_it_again() -> None:
    chain = RandomChain()
    twins = Twins(chain)
    markets = twins.records, twins.columns
    partly = list(twins.records.pools)[4]
    for market in markets:
        for pool_id in (V2, V3, WEIGHTED, partly):
            market.suspend(pool_id, REFUSAL)
        assert outcome(lambda market=market: market.admit(V3))[0] is MarketError
    twins.apply(chain.block([(0, 0, 0.02, True), (3, 2, 0.02, True), (4, 0, 0.02, True), (6, 1, 0.02, True)]))
    twins.agree()
    read = [chain.pools[V2], chain.pools[V3], chain.pools[WEIGHTED], twins.records.pools[partly]]
    for market in markets:
        for pool in read:
            market.restore(pool)
        market.admit(V2)
        market.admit(partly)
    twins.agree()
    twins.apply(chain.block([(0, 0, 0.02, True), (3, 3, 0.02, True), (6, 1, 0.02, False)]))
    for market in markets:
        market.admit(V3)
    for height in (102, 101, 100):
        twins.rollback(height)
        twins.agree()


def test_who_is_not_there_cannot_be_viewed_suspended_or_restored() -> None:
    chain = RandomChain()
    twins = Twins(chain)
    stranger = UniswapV2Pool(replace(chain.pools[V2].spec, pool_id="0x99"), 1, 1)
    for market in (twins.records, twins.columns):
        with pytest.raises(MarketError, match="no such pool"):
            market.suspend("0x99", REFUSAL)
        with pytest.raises(MarketError, match="no such pool"):
            market.restore(stranger)
        with pytest.raises(MarketError, match="no block has been applied"):
            market.restore(chain.pools[V2])
    with pytest.raises(MarketError, match="no such pool"):
        twins.columns.view("0x99")


def test_a_pool_that_its_columns_cannot_hold_is_not_restored() -> None:
    chain = RandomChain()
    market = Twins(chain).columns
    market.apply(_block(chain, SYNC))
    before = market.view(V3)
    assert isinstance(before, UniswapV3Pool)
    with pytest.raises(MarketError, match="columns of this pool"):
        market.restore(replace(before, known=(-60, 60)))
    assert market.view(V3) == before


def test_markets_refuse_the_same_pools() -> None:
    chain = RandomChain()
    one = chain.pools[V2]
    for pools, tokens in (([one, one], TOKENS), ([one], {})):
        with pytest.raises(MarketError) as told:
            MarketArrays(pools, tokens)
        assert (
            outcome(lambda pools=pools, tokens=tokens: MarketArrays(pools, tokens))[1] == told.value.message
        )


def test_a_market_of_nothing_or_of_one_shape_follows_blocks() -> None:
    chain = RandomChain()
    for pools in ((), (chain.pools[V2],), (chain.pools[V3],), (chain.pools[WEIGHTED],)):
        twins = Twins(chain, pools)
        twins.apply(_block(chain, SYNC, _v3_swap(V3, sqrt_ratio_at_tick(0) + 2**90, 0)))
        twins.agree()
        twins.rollback(100)
        twins.agree()


def test_many_positions_make_an_arena_move_and_undoing_them_gives_the_first_ticks_back() -> None:
    chain = RandomChain()
    twins = Twins(chain)
    head = chain.head
    for turn in range(6):
        mints = [
            (
                V3,
                (events.V3_MINT, bytes(32), _words(-60 * (40 * turn + at + 1)), _words(60 * (at + 1))),
                _words(1, 7, 0, 0),
            )
            for at in range(40)
        ]
        block = _block(chain, *mints)
        twins.apply(block)
        chain.head = block.header
        twins.agree()
    assert len(twins.columns.view(V3).ticks) > 250  # type: ignore[attr-defined]
    twins.rollback(head.number)
    twins.agree()


def test_arrays_hold_no_python_objects() -> None:
    for columns in MarketArrays(RandomChain().followed(), TOKENS).tables:
        assert all(isinstance(array, np.ndarray) and array.dtype != object for array in columns)
