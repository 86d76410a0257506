"""Feature rows after a reorg are those of somebody who never saw the orphans, for every kind of event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.blocks import Block
from core.errors import MarketError
from features.feature import FeatureRow
from features.stream import FeatureStream
from market.context import NO_CONTEXT, BlockContext, Candle
from market.state import MarketState
from tests.random_blocks import TOKENS, RandomChain, moves

contexts = st.builds(
    BlockContext,
    candle=st.none() | st.builds(Candle, st.just("ETHUSDT"), st.just(1200), *[st.floats(0.5, 2)] * 5),
    winning_bid=st.none() | st.integers(0, 10**20),
    builder=st.none() | st.sampled_from("abc"),
)
branches = st.lists(st.tuples(moves, contexts), max_size=5)


class Watcher:
    """A market and a feature stream that see the same blocks."""

    def __init__(self, chain: RandomChain) -> None:
        self.state: MarketState = chain.state()
        self.stream = FeatureStream(TOKENS, [pool.spec for pool in chain.followed()])

    def see(self, block: Block, context: BlockContext) -> FeatureRow:
        return self.stream.update(block, context, self.state, self.state.apply(block))

    def rollback(self, height: int) -> None:
        self.state.rollback(height)
        self.stream.rollback(height)


@settings(max_examples=60, deadline=None)
@given(past=branches, orphans=branches, kept=branches)
def test_rows_after_a_reorg_are_bit_equal_to_never_having_seen_the_orphans(
    past: list[Any], orphans: list[Any], kept: list[Any]
) -> None:
    chain = RandomChain()
    straight, reorged = Watcher(chain), Watcher(chain)
    for chosen, context in past:
        block = chain.block(chosen)
        assert straight.see(block, context).digest == reorged.see(block, context).digest
    orphaned = chain.fork()
    for chosen, context in orphans:
        reorged.see(orphaned.block(chosen, branch=1), context)
    reorged.rollback(chain.head.number)
    for chosen, context in kept:
        block = chain.block(chosen, branch=2)
        row, expected = reorged.see(block, context), straight.see(block, context)
        assert (row.digest, row.missing) == (expected.digest, expected.missing)


@settings(max_examples=40, deadline=None)
@given(blocks=branches, heights=st.lists(st.integers(0, 4), max_size=4))
def test_a_block_seen_again_after_any_rollback_gives_the_row_it_gave(
    blocks: list[Any], heights: list[int]
) -> None:
    chain = RandomChain()
    watcher = Watcher(chain)
    made = [(chain.block(chosen), context) for chosen, context in blocks]
    rows = [watcher.see(block, context) for block, context in made]
    for height in heights:
        kept = min(height, len(made))
        watcher.rollback(100 + kept)
        assert [watcher.see(block, context) for block, context in made[kept:]] == rows[kept:]


def test_a_market_that_is_ahead_of_the_block_is_refused_and_changes_nothing() -> None:
    chain = RandomChain()
    watcher, straight = Watcher(chain), Watcher(chain)
    first, second = (chain.block([(place, 0, 0.02, True)]) for place in (0, 1))
    applied = watcher.state.apply(first)
    later = watcher.state.apply(second)
    with pytest.raises(MarketError, match="another time"):
        watcher.stream.update(first, NO_CONTEXT, watcher.state, applied)
    watcher.state.rollback(first.number)
    row = watcher.stream.update(first, NO_CONTEXT, watcher.state, applied)
    assert row == straight.see(first, NO_CONTEXT)
    assert watcher.state.apply(second) == later
