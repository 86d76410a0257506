"""Undoing blocks of every kind of event: the very pools of before, and no trace of the orphans."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from market.state import MarketState
from tests.random_blocks import RandomChain, moves

branches = st.lists(moves, max_size=5)


def held(state: MarketState) -> dict[str, Any]:
    return {pool_id: (pool, id(pool)) for pool_id, pool in state.pools.items()}


@settings(max_examples=60, deadline=None)
@given(st.lists(moves, min_size=1, max_size=8), st.data())
def test_undoing_blocks_puts_back_the_very_pools_of_every_height(
    blocks: list[Any], data: st.DataObject
) -> None:
    chain = RandomChain()
    state = chain.state()
    heights = {100: (state.head, held(state))}
    changed: dict[int, tuple[str, ...]] = {}
    for chosen in blocks:
        block = chain.block(chosen)
        changed[block.number] = state.apply(block).touched
        heights[block.number] = (state.head, held(state))
    while state.head is not None and state.head.number > 100:
        height = data.draw(st.integers(100, state.head.number - 1))
        moved = state.rollback(height)
        assert set(moved) == {pool_id for number in changed if number > height for pool_id in changed[number]}
        assert (state.head, held(state)) == heights[height]
        changed = {number: ids for number, ids in changed.items() if number <= height}


@settings(max_examples=60, deadline=None)
@given(past=branches, orphans=branches, kept=branches)
def test_after_a_reorg_blocks_do_what_they_do_to_a_market_that_never_saw_the_orphans(
    past: list[Any], orphans: list[Any], kept: list[Any]
) -> None:
    chain = RandomChain()
    straight, reorged = chain.state(), chain.state()
    for chosen in past:
        block = chain.block(chosen)
        assert straight.apply(block) == reorged.apply(block)
    orphaned = chain.fork()
    for chosen in orphans:
        reorged.apply(orphaned.block(chosen, branch=1))
    reorged.rollback(chain.head.number)
    for chosen in kept:
        block = chain.block(chosen, branch=2)
        assert reorged.apply(block) == straight.apply(block)
    assert dict(reorged.pools) == dict(straight.pools)
    assert reorged.head == straight.head


@settings(max_examples=60, deadline=None)
@given(st.lists(moves, max_size=12))
def test_logs_alone_keep_whole_pools_equal_to_the_real_ones(blocks: list[Any]) -> None:
    chain = RandomChain()
    state = chain.state()
    partly = {pool.pool_id for pool in list(chain.pools.values())[4:6]}
    for chosen in blocks:
        assert state.apply(chain.block(chosen)).unknown == 0
        for pool_id, real in chain.pools.items():
            if pool_id not in partly:
                assert state.pools[pool_id] == real
