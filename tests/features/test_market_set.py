"""What the features of the sets ``market`` and ``cycle`` mean, on blocks whose answer is known by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.blocks import Block
from core.errors import MarketError
from core.reasons import Reason
from features.feature import FeatureRow
from features.groups.cycle import couples
from features.groups.group import Pending
from features.groups.means import half_life_of
from features.registry import BLOCK, CYCLE, MARKET
from features.stream import FeatureStream
from features.validation import check_row
from market.context import NO_CONTEXT, BlockContext, Candle
from tests.features.watched import CYCLES, Watched, steps
from tests.random_blocks import TOKENS, RandomChain
from tests.small_market import ETHER, START, USDC, WETH, Market


def market(pools: int = 2) -> Market:
    made = Market(pools)
    specs = [pool.spec for pool in made.state.pools.values()]
    made.stream = FeatureStream({USDC.address: USDC, WETH.address: WETH}, specs, MARKET, couples(specs))
    return made


def watched(chain: RandomChain) -> Watched:
    return Watched(chain.state(), TOKENS, [pool.spec for pool in chain.followed()], MARKET, CYCLES)


@settings(max_examples=25, deadline=None)
@given(
    past=st.lists(steps, max_size=5), orphans=st.lists(steps, max_size=4), kept=st.lists(steps, max_size=4)
)
def test_after_a_reorg_rows_are_those_of_somebody_who_never_saw_the_orphans(
    past: list[Any], orphans: list[Any], kept: list[Any]
) -> None:
    chain = RandomChain()
    straight, reorged = watched(chain), watched(chain)
    for made, context, pending in past:
        block = chain.block(made)
        straight.see(block, context, pending)
        _see(reorged, block, context, pending)
    orphaned = chain.fork()
    for made, context, pending in orphans:
        _see(reorged, orphaned.block(made, branch=1), context, pending)
    reorged.state.rollback(chain.head.number)
    reorged.stream.rollback(chain.head.number)
    for made, context, pending in kept:
        block = chain.block(made, branch=2)
        assert straight.see(block, context, pending) == _see(reorged, block, context, pending)
        assert straight.stream.cycle_rows == reorged.stream.cycle_rows


def _see(seen: Watched, block: Block, context: BlockContext, pending: Pending | None) -> FeatureRow:
    return seen.stream.update(block, context, seen.state, seen.state.apply(block), pending)


@settings(max_examples=25, deadline=None)
@given(chosen=st.lists(steps, min_size=1, max_size=15))
def test_every_value_is_finite_and_in_its_range(chosen: list[Any]) -> None:
    chain = RandomChain()
    seen = watched(chain)
    for made, context, pending in chosen:
        assert check_row(seen.see(chain.block(made), context, pending), MARKET) is None
        assert [check_row(row, CYCLE) for row in seen.stream.cycle_rows] == [None] * len(CYCLES)


def test_depth_counts_the_ether_of_all_pools_and_the_side_it_stands_on() -> None:
    row = market().step(1, ((1, 2_200_000, 3_000),))
    assert math.exp(row["depth_log"]) == pytest.approx(4_000)
    assert row["depth_top_share"] == 0.75
    # dollars are the first token of the pair: the deep pool asks fewer of them, so its price stands higher
    assert row["depth_imbalance"] == 0.5
    assert row["depth_change"] == 0


def test_volatility_of_one_move_is_that_move() -> None:
    made = market()
    made.step(1)
    row = made.step(2, ((0, 4_040_000, 2_000),))
    assert row["volatility_ew_3"] == pytest.approx(math.log(1.01) * 1e6)
    assert (row["volatility_ratio"], abs(row["trend"])) == (1, pytest.approx(math.log(1.01) * 1e6))


def test_mean_reversion_halves_where_every_deviation_is_half_of_the_one_before() -> None:
    assert half_life_of(0.5, 1.0) == 1
    assert half_life_of(0.25, 1.0) == pytest.approx(0.5)
    assert (half_life_of(-1.0, 1.0), half_life_of(2.0, 1.0), half_life_of(1.0, 0.0)) == (0, 10_000, None)


def test_bids_are_compared_with_their_median_and_their_builders_own() -> None:
    made = market()
    bids = [(1, "a"), (2, "b"), (4, "a"), (None, "b")]
    contexts = [BlockContext(None, None if bid is None else bid * ETHER, who) for bid, who in bids]
    rows = [made.step(number, context=context) for number, context in enumerate(contexts, 1)]
    assert [row["winning_bid_median"] for row in rows] == pytest.approx(
        [math.log(n) for n in (1, 2**0.5, 2, 2)]
    )
    assert rows[2]["winning_bid_lag1"] == math.log(2)
    assert rows[1]["winning_bid_spread"] == math.log(2)
    assert [row["builder_blocks_since"] for row in rows[2:]] == [2, 2]
    assert rows[3]["builder_bid_mean"] == math.log(2)
    assert (rows[3]["builder_count"], rows[3]["builder_concentration"]) == (2, 0.5)


def test_the_mempool_is_unknown_with_a_reason_where_nobody_listens() -> None:
    row = market().step(1)
    assert {"pending_swaps", "pending_flow", "pending_pressure"} <= set(row.missing)
    assert "Nobody listens to a mempool" in MARKET.why_missing(row)["pending_swaps"].detail


def test_pending_swaps_are_held_against_their_mean() -> None:
    chain = RandomChain()
    seen = watched(chain)
    rows = [seen.see(chain.block([]), NO_CONTEXT, Pending(n, 3 * ETHER, ETHER)) for n in (4, 4, 8)]
    assert rows[1]["pending_pressure"] == 1
    assert rows[2]["pending_pressure"] > 1.5
    assert rows[2]["pending_flow"] == 2


def test_a_candle_tells_its_shape() -> None:
    candle = Candle("ETHUSDT", START, 2000.0, 2200.0, 2000.0, 2100.0, 9.0)
    row = market().step(1, context=BlockContext(candle))
    assert row["candle_return_ppm"] == pytest.approx(math.log(1.05) * 1e6)
    assert row["candle_range_ppm"] == pytest.approx(math.log(1.1) * 1e6)
    assert row["candle_volume_log"] == pytest.approx(math.log(10))


def test_a_couples_gap_is_told_with_its_cost_its_age_and_who_it_is_about() -> None:
    made = market()
    made.step(1, ((1, 2_020_000, 1_000),))
    (first,) = made.stream.cycle_rows
    assert first.subject == ">".join(sorted(made.state.pools))
    assert first["cycle_gap_ppm"] == pytest.approx(math.log(1.01) * 1e6)
    assert first["cycle_excess_ppm"] == pytest.approx((math.log(1.01) + 2 * math.log1p(-0.003)) * 1e6)
    ages = [first["cycle_age_blocks"]]
    for number, dollars in ((2, 2_020_000), (3, 2_021_000), (4, 2_001_000), (5, 1_980_000)):
        made.step(number, ((1, dollars, 1_000),))
        ages.append(made.stream.cycle_rows[0]["cycle_age_blocks"])
    # still above its fees, still, below them, above them the other way round
    assert ages == [0, 1, 2, 0, 0]


def test_swaps_of_one_transaction_in_two_pools_are_a_rivals() -> None:
    chain = RandomChain()
    seen = watched(chain)
    row = seen.see(chain.block([(0, 0, 0.02, True), (1, 0, 0.02, False)]), NO_CONTEXT)
    # every log of a random block is a transaction of its own
    assert (row["swap_count"], row["multi_pool_transactions"]) == (2, 0)
    block = chain.block([(0, 0, 0.02, True), (1, 0, 0.02, False)])
    row = seen.see(
        replace(block, logs=tuple(replace(log, transaction_index=0) for log in block.logs)), NO_CONTEXT
    )
    assert (row["multi_pool_transactions"], row["blocks_since_multi_pool"]) == (1, 0)


def test_a_block_that_is_older_than_its_parent_is_refused_and_changes_nothing() -> None:
    made, other = market(), market()
    made.step(1)
    other.step(1)
    with pytest.raises(MarketError, match="older than its parent by 12 s") as caught:
        made.step(2, timestamp=START)
    assert caught.value.fields["reason"] is Reason.TIME_WENT_BACK
    made.state.rollback(1)
    assert made.step(2).digest == other.step(2).digest


def test_the_rows_of_the_block_set_are_the_first_columns_of_the_market_set() -> None:
    row, plain = market().step(1), Market().step(1)
    assert row.values[: len(BLOCK.names)] == plain.values


def test_every_row_says_when_it_happened_and_when_it_was_known() -> None:
    made = market()
    row = made.step(1)
    assert (row.event_time, row.known_at_ns) == (START + 12, (START + 12) * 10**9)
    assert made.stream.cycle_rows[0].known_at_ns == row.known_at_ns
