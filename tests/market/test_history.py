"""The recorded day: complete, in order, without the future, and quickly walked."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from chain.blocks import next_base_fee
from core.errors import InputError
from market.events import V3Swap
from market.history import HISTORY_SPECS, HISTORY_TOKENS, load_before, load_day
from market.invariants import check_swap
from market.pools.uniswap_v3 import UniswapV3Pool
from market.recorded import Recorded

V3_FACTORY = "1f98431c8ad98523631ae4a59f267346ea31f984"
V3_INIT_CODE_HASH = "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"
LOGS = "v3_logs_mainnet_20240105.parquet"


@pytest.fixture(scope="module")
def day(data_root: Path) -> Recorded:
    return load_day(data_root)


def test_described_pools_have_the_addresses_their_factory_gives_them() -> None:
    for spec in HISTORY_SPECS:
        salt = b"".join(bytes(12) + bytes.fromhex(token[2:]) for token in spec.tokens)
        salt = keccak(salt + spec.fee.to_bytes(32, "big"))
        code = bytes.fromhex(f"ff{V3_FACTORY}") + salt + bytes.fromhex(V3_INIT_CODE_HASH)
        assert "0x" + keccak(code)[12:].hex() == spec.address
        assert all(token in HISTORY_TOKENS for token in spec.tokens)


@pytest.mark.data
def test_the_day_has_every_block_and_every_log_once(day: Recorded) -> None:
    blocks = [block for block, _ in day.blocks()]
    assert (blocks[0].number, blocks[-1].number) == (18_937_382, 18_944_480)
    assert len(blocks) == day.block_count == 7_099
    assert sum(len(block.logs) for block in blocks) == 6_582
    for before, after in pairwise(blocks):
        assert after.number == before.number + 1
        assert after.header.parent_hash == before.header.hash
        assert after.header.timestamp > before.header.timestamp
    for block in blocks:
        assert block.known_at_ns == block.header.timestamp * 10**9


@pytest.mark.data
def test_the_blocks_before_the_day_lead_up_to_it(data_root: Path, day: Recorded) -> None:
    first, _ = next(iter(day.blocks()))
    earlier = load_before(data_root, first.number)
    blocks = list(earlier.blocks())
    assert len(blocks) == earlier.block_count == 17_381
    last, context = blocks[-1]
    assert last.header.hash == first.header.parent_hash
    assert not any(block.logs for block, _ in blocks)
    assert context.candle is not None
    assert context.candle.close_time <= last.header.timestamp
    with pytest.raises(InputError, match="no block rows"):
        load_before(data_root, 5)


@pytest.mark.data
def test_base_fees_follow_their_rule_where_the_gas_limit_was_recorded(day: Recorded) -> None:
    blocks = [block for block, _ in day.blocks()]
    right = sum(next_base_fee(before.header) == after.header.base_fee for before, after in pairwise(blocks))
    assert right / len(blocks) > 0.99


@pytest.mark.data
def test_a_block_sees_only_candles_that_had_closed_and_the_newest_of_them(day: Recorded) -> None:
    bids = 0
    for block, context in day.blocks():
        assert context.candle is not None
        assert context.candle.symbol == "ETHUSDT"
        assert 0 <= block.header.timestamp - context.candle.close_time < 60
        bids += context.winning_bid is not None
    assert 6_300 < bids < 6_500


@pytest.mark.data
def test_the_whole_day_applies_and_no_pool_has_a_price_before_its_first_swap(day: Recorded) -> None:
    state = day.initial_state()
    seen: set[str] = set()
    for block, _ in day.blocks():
        applied = state.apply(block)
        assert applied.unknown == 0
        seen.update(event.pool_id for event in applied.events if isinstance(event, V3Swap))
        for pool_id, pool in state.pools.items():
            assert isinstance(pool, UniswapV3Pool)
            assert (pool.sqrt_price_x96 != 0) == (pool_id in seen)
    assert len(seen) == 3
    rates = [state.pools[spec.pool_id].marginal_rate(*spec.tokens) * 1e-12 for spec in HISTORY_SPECS[:2]]
    assert 1 / rates[0] == pytest.approx(2_269, rel=0.005)
    assert rates[0] == pytest.approx(rates[1], rel=0.005)


@pytest.mark.data
def test_replaying_twice_gives_the_same_blocks(day: Recorded) -> None:
    assert list(day.blocks()) == list(day.blocks())


@pytest.mark.data
def test_loading_applying_and_checking_the_day_takes_less_than_three_seconds(data_root: Path) -> None:
    started = time.perf_counter()
    day = load_day(data_root)
    state = day.initial_state()
    for block, _ in day.blocks():
        applied = state.apply(block)
        for before, event in zip(applied.before, applied.events, strict=True):
            check_swap(before, event)
    assert time.perf_counter() - started < 3
