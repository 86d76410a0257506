"""A feature row says what was known at its block's end, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import MarketError
from features.feature import FeatureRow
from features.registry import FEATURES, SCHEMA
from features.stream import FeatureStream
from market.context import BlockContext, Candle
from market.history import load_before, load_day
from tests.small_market import START, Market

moves = st.tuples(st.integers(0, 1), st.integers(1_500_000, 2_500_000), st.integers(900, 1_100))
steps = st.fixed_dictionaries(
    {
        "moves": st.lists(moves, max_size=3).map(tuple),
        "base_fee": st.integers(0, 10**11),
        "gas_used": st.integers(0, 30_000_000),
        "context": st.builds(
            BlockContext,
            candle=st.none()
            | st.builds(Candle, st.just("ETHUSDT"), st.just(START), *[st.floats(1, 5000)] * 5),
            winning_bid=st.none() | st.integers(0, 10**20),
            builder=st.none() | st.sampled_from("abc"),
        ),
    }
)


def rows_of(blocks: Sequence[dict[str, Any]]) -> list[FeatureRow]:
    market = Market()
    return [market.step(number, **block) for number, block in enumerate(blocks, start=1)]


@settings(max_examples=40, deadline=None)
@given(
    past=st.lists(steps, min_size=1, max_size=12),
    one=st.lists(steps, max_size=6),
    other=st.lists(steps, max_size=6),
)
def test_no_row_depends_on_what_comes_after_it(past: list[Any], one: list[Any], other: list[Any]) -> None:
    first, second = rows_of(past + one), rows_of(past + other)
    assert [row.digest for row in first[: len(past)]] == [row.digest for row in second[: len(past)]]


@settings(max_examples=40, deadline=None)
@given(
    past=st.lists(steps, min_size=1, max_size=8),
    orphan=st.lists(steps, max_size=6),
    branch=st.lists(steps, max_size=6),
)
def test_after_a_rollback_rows_are_as_if_the_orphans_had_never_been_seen(
    past: list[Any], orphan: list[Any], branch: list[Any]
) -> None:
    market = Market()
    for number, block in enumerate(past + orphan, start=1):
        market.step(number, **block)
    market.state.rollback(len(past))
    market.stream.rollback(len(past))
    after = [market.step(number, **block) for number, block in enumerate(branch, start=len(past) + 1)]
    assert [row.digest for row in after] == [row.digest for row in rows_of(past + branch)[len(past) :]]


@settings(max_examples=40, deadline=None)
@given(blocks=st.lists(steps, min_size=1, max_size=12))
def test_every_value_is_finite_and_null_where_it_is_missing(blocks: list[Any]) -> None:
    nulls = {feature.name: feature.null for feature in FEATURES}
    for row in rows_of(blocks):
        assert row.names == SCHEMA.names
        assert all(map(math.isfinite, row.values))
        assert all(row[name] == nulls[name] for name in row.missing)


def test_the_gap_is_the_log_of_the_ratio_of_two_prices() -> None:
    market = Market()
    row = market.step(1, ((1, 2_020_000, 1_000),))
    assert row["gap_max_ppm"] == pytest.approx(math.log(1.01) * 1e6)
    assert row["gap_mean_ppm"] == row["gap_max_ppm"]


def test_the_mean_gap_is_over_all_couples_of_pools() -> None:
    market = Market(pools=3)
    row = market.step(1, ((1, 2_020_000, 1_000), (2, 2_100_000, 1_000)))
    logs = [math.log(price) for price in (2000, 2020, 2100)]
    couples = [abs(a - b) for i, a in enumerate(logs) for b in logs[:i]]
    assert row["gap_max_ppm"] == pytest.approx(max(couples) * 1e6)
    assert row["gap_mean_ppm"] == pytest.approx(sum(couples) / 3 * 1e6)


def test_the_gap_grows_old_while_the_same_pools_stand_apart() -> None:
    market = Market()
    ages = [market.step(1, ((1, 2_020_000, 1_000),))["gap_age_blocks"]]
    ages += [market.step(2)["gap_age_blocks"], market.step(3, ((1, 2_040_000, 1_000),))["gap_age_blocks"]]
    ages += [market.step(4, ((1, 1_960_000, 1_000),))["gap_age_blocks"]]
    assert ages == [0, 1, 2, 0]


def test_the_exchange_gap_is_zero_where_both_prices_agree() -> None:
    candle = Candle("ETHUSDT", START, 1, 1, 1, 2000.0, 1)
    row = Market().step(3, context=BlockContext(candle=candle))
    assert row["cex_dex_gap_ppm"] == pytest.approx(0, abs=1e-3)
    assert row["candle_age_seconds"] == 36


def test_a_dearer_pool_price_gives_a_positive_exchange_gap() -> None:
    candle = Candle("ETHUSDT", START, 1, 1, 1, 1000.0, 1)
    row = Market().step(3, context=BlockContext(candle=candle))
    assert row["cex_dex_gap_ppm"] == pytest.approx(math.log(2) * 1e6)


def test_volatility_is_the_root_mean_square_of_the_deepest_pools_moves() -> None:
    market = Market()
    market.step(1, ((0, 4_000_000, 2_000),))
    market.step(2, ((0, 4_040_000, 2_000), (1, 2_400_000, 1_000)))
    row = market.step(3)
    assert row["volatility_5"] == pytest.approx(math.log(1.01) / math.sqrt(2) * 1e6)


def test_time_since_the_last_touch_starts_again_with_a_touch() -> None:
    market = Market()
    seen = [market.step(1), market.step(2, ((0, 2_000_001, 1_000),)), market.step(3), market.step(4)]
    assert "seconds_since_touch" in seen[0].missing
    assert [row["seconds_since_touch"] for row in seen[1:]] == [0, 12, 24]


def test_the_minute_turns_only_where_the_next_slot_opens_one() -> None:
    market = Market()
    minute = START - START % 60
    flags = [market.step(n, timestamp=minute + 11 + 12 * n)["minute_turn"] for n in range(6)]
    assert flags == [0, 0, 0, 0, 1, 0]


def test_the_child_base_fee_is_in_the_row() -> None:
    row = Market().step(1, base_fee=10**9, gas_used=30_000_000)
    assert (row["base_fee_gwei"], row["next_base_fee_gwei"]) == (1.0, 1.125)


def test_a_market_without_pools_gives_the_same_columns() -> None:
    row = Market(pools=0).step(1)
    assert row.names == SCHEMA.names
    assert {"gap_max_ppm", "volatility_5", "cex_dex_gap_ppm", "winning_bid_log"} <= set(row.missing)


def test_a_block_out_of_order_is_refused_and_changes_nothing() -> None:
    market, other = Market(), Market()
    market.step(1)
    other.step(1)
    with pytest.raises(MarketError, match="does not follow"):
        market.stream.update(*_block(market, 3))
    assert market.step(2).digest == other.step(2).digest


def test_going_back_further_than_the_journal_is_refused() -> None:
    market = Market()
    for number in range(1, 80):
        market.step(number)
    with pytest.raises(MarketError, match="remembers 64 blocks"):
        market.stream.rollback(3)


def _block(market: Market, number: int) -> Any:
    fresh = Market()
    seen: list[Any] = []
    fresh.stream.update = lambda *given: seen.append(given) or fresh.step  # type: ignore[assignment, return-value, method-assign]
    fresh.step(number)
    return seen[0]


@pytest.mark.data
def test_the_recorded_day_confirms_the_child_base_fee_and_repeats_bit_for_bit(data_root: Path) -> None:
    def walk(count: int) -> list[FeatureRow]:
        recorded = load_day(data_root)
        state, stream = recorded.initial_state(), FeatureStream(recorded.tokens, recorded.specs)
        blocks = (pair for _, pair in zip(range(count), recorded.blocks(), strict=False))
        return [stream.update(block, context, state, state.apply(block)) for block, context in blocks]

    rows = walk(1500)
    right = [a["next_base_fee_gwei"] == b["base_fee_gwei"] for a, b in pairwise(rows)]
    assert sum(right) / len(right) > 0.99
    assert [row.digest for row in walk(300)] == [row.digest for row in rows[:300]]


@pytest.mark.data
def test_history_before_the_day_ends_where_the_day_begins(data_root: Path) -> None:
    first = next(load_day(data_root).blocks())[0].number
    recorded = load_before(data_root, first)
    heights = [block.number for block, _ in recorded.blocks()]
    assert heights[-1] == first - 1
    assert len(heights) == recorded.block_count > 10_000
    assert all(b - a == 1 for a, b in pairwise(heights))


def test_lags_and_means_are_of_earlier_blocks() -> None:
    market = Market()
    used = (3_000_000, 6_000_000, 30_000_000, 15_000_000)
    rows = [market.step(n, gas_used=gas) for n, gas in enumerate(used, start=1)]
    assert [rows[3][f"gas_used_ratio{lag}"] for lag in ("", "_lag1", "_lag2", "_lag3")] == [
        0.5,
        1.0,
        0.2,
        0.1,
    ]
    assert rows[1]["gas_used_mean_4"] == pytest.approx(0.1 + (1 - 0.5**0.25) * 0.1)
    assert rows[3]["full_block_share"] == 0.25
    assert {"gas_used_ratio_lag1", "block_interval"} <= set(rows[0].missing)
    assert (rows[1]["block_interval"], rows[2]["block_interval_lag1"]) == (12, 12)


def test_a_builders_share_counts_this_block_and_those_before() -> None:
    market = Market()
    shares = [
        market.step(n, context=BlockContext(builder=b))["builder_share"] for n, b in enumerate("aab", 1)
    ]
    assert shares == pytest.approx([1, 1, 1 / 3])
