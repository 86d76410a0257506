"""The recorded day: complete, in order, without the future, and obeying the pools' arithmetic."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from eth_utils.crypto import keccak

from chain.blocks import next_base_fee
from core.errors import InputError, TapeError
from core.reasons import Reason, Refusal
from market.events import V3Mint, V3Swap, decode
from market.history import HISTORY_SPECS, HISTORY_TOKENS, load_before, load_day, read_logs
from market.invariants import SwapCheck, check_swap
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import NOTHING_KNOWN, UniswapV3Pool
from market.recorded import Recorded
from market.state import advance

V3_FACTORY = "1f98431c8ad98523631ae4a59f267346ea31f984"
V3_INIT_CODE_HASH = "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"
LOGS = "v3_logs_mainnet_20240105.parquet"


@pytest.fixture(scope="module")
def day(data_root: Path) -> Recorded:
    return load_day(data_root)


def checks(logs_of: Path, pools: dict[str, Pool]) -> Counter[str]:
    """Check every swap of a file on the pool it met."""
    counts: Counter[str] = Counter()
    for log in read_logs(logs_of):
        event = decode(log)
        if event is None:
            continue
        before = pools[event.pool_id]
        if isinstance(event, V3Swap):
            assert isinstance(before, UniswapV3Pool)
            check = check_swap(before, event)
            same = before.liquidity == event.liquidity and before.sqrt_price_x96 != 0
            if isinstance(check, Refusal):
                assert check.reason is Reason.NOT_CHECKABLE
                counts["not checkable, same liquidity" if same else "not checkable"] += 1
            else:
                counts[("ok" if check.ok else "broken") + (", crossing" if check.crossed else "")] += 1
        pools[event.pool_id] = advance(before, event)
    return counts


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
def test_every_checkable_swap_of_mainnet_is_reproduced_to_the_unit(data_root: Path, day: Recorded) -> None:
    counts = checks(data_root / LOGS, {pool.pool_id: pool for pool in day.pools})
    assert counts == {"ok": 5_735, "ok, crossing": 555, "not checkable": 64}


@pytest.mark.data
def test_every_checkable_swap_of_polygon_is_reproduced_to_the_unit(data_root: Path) -> None:
    address = "0x45dda9cb7c25131df268515131f647d726f50608"
    tokens = ("0x2791bca1f2de4661ed88a30c99a7a9449aa84174", "0x7ceb23fd6bc0add59e62ac25578270cff1b9f619")
    spec = PoolSpec("uniswap_v3", address, address, tokens, 500, tick_spacing=10)
    pools: dict[str, Pool] = {address: UniswapV3Pool(spec, 0, 0, 0, {}, NOTHING_KNOWN)}
    counts = checks(data_root / "v3_logs_polygon_20220105.parquet", pools)
    assert counts == {"ok": 3_406, "ok, crossing": 527, "not checkable": 39}


@pytest.mark.data
def test_a_recorded_swap_changed_by_a_millionth_is_found(data_root: Path, day: Recorded) -> None:
    """Seeded errors in amounts, direction and tick; inside the known ticks each must be called broken."""
    pools: dict[str, Pool] = {pool.pool_id: pool for pool in day.pools}
    found = tried = 0
    for log in read_logs(data_root / LOGS)[:1500]:
        event = decode(log)
        if event is None:
            continue
        before = pools[event.pool_id]
        if isinstance(event, V3Swap) and isinstance(check_swap(before, event), SwapCheck):
            assert isinstance(before, UniswapV3Pool)
            inside = before.known is not None and before.known[0] <= event.tick < before.known[1]
            for wrong in (
                replace(event, amount0=event.amount0 + 2 + abs(event.amount0) // 10**6),
                replace(event, amount1=event.amount1 - 2 - abs(event.amount1) // 10**6),
                replace(event, tick=event.tick + 1),
                replace(event, amount0=-event.amount0, amount1=-event.amount1),
            ):
                check = check_swap(before, wrong)
                caught = isinstance(check, SwapCheck) and not check.ok
                assert caught or not inside or wrong.tick != event.tick
                found += caught
                tried += 1
        pools[event.pool_id] = advance(before, event)
    assert found / tried > 0.9


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


def test_only_v3_swaps_of_a_pool_already_seen_are_checkable() -> None:
    spec = HISTORY_SPECS[0]
    at = (spec.pool_id, spec.address, 1, 0, 0)
    unseen = UniswapV3Pool(spec, 0, 0, 0, {}, NOTHING_KNOWN)
    for pool, event in (
        (unseen, V3Swap(*at, 1, -1, 2**96, 1, 0)),
        (unseen, V3Mint(*at, -10, 10, 1, 1, 1)),
        (UniswapV2Pool(spec, 1, 1), V3Swap(*at, 1, -1, 2**96, 1, 0)),
    ):
        check = check_swap(pool, event)
        assert isinstance(check, Refusal)
        assert check.reason is Reason.NOT_CHECKABLE


def test_a_tick_that_does_not_fit_its_price_is_broken() -> None:
    pool = UniswapV3Pool(HISTORY_SPECS[0], 2**96, 0, 1, {})
    check = check_swap(pool, V3Swap(pool.pool_id, pool.pool_id, 1, 0, 0, 1, -1, 2**96 + 1, 1, -1))
    assert isinstance(check, SwapCheck)
    assert not check.ok
    assert "tick -1" in check.detail


@pytest.fixture
def copied(data_root: Path, tmp_path: Path) -> Path:
    """A data root of our own, to break."""
    for name in (LOGS, "binance_1m_selected.parquet", "mevboost_blocks_18920000_18949999.parquet"):
        shutil.copy(data_root / name, tmp_path / name)
    return tmp_path


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="OMNIARB_DATA"):
        load_day(tmp_path / "nowhere")
    with pytest.raises(InputError, match="recorded days: none"):
        load_day(tmp_path)
    with pytest.raises(InputError, match="YYYY-MM-DD"):
        load_day(tmp_path, "5 January")


@pytest.mark.data
def test_another_day_lists_the_days_there_are(data_root: Path) -> None:
    with pytest.raises(InputError, match="recorded days: 2024-01-05"):
        load_day(data_root, "2024-01-06")


@pytest.mark.data
@pytest.mark.parametrize(
    "name", [LOGS, "binance_1m_selected.parquet", "mevboost_blocks_18920000_18949999.parquet"]
)
@pytest.mark.parametrize("damage", ["missing", "truncated", "garbage", "other columns"])
def test_a_missing_or_corrupt_file_is_named_without_a_traceback(copied: Path, name: str, damage: str) -> None:
    file = copied / name
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "garbage":
        file.write_bytes(b"no parquet")
    else:
        pq.write_table(pa.table({"a": [1]}), file)
    with pytest.raises(InputError) as refused:
        load_day(copied)
    assert name.split("_")[0] in refused.value.message or damage == "missing"


@pytest.mark.data
def test_of_several_rows_of_a_block_the_delivered_one_counts(copied: Path) -> None:
    file = copied / "mevboost_blocks_18920000_18949999.parquet"
    table = pq.read_table(file)
    rows = table.filter(pa.compute.field("block_number") == 18_940_000).to_pylist()
    lost = rows[0] | {"value": "1", "builder_label": "nobody", "payload_delivered": 0.0}
    won = rows[0] | {"value": "2", "builder_label": "winner", "payload_delivered": 1.0}
    others = table.filter(pa.compute.field("block_number") != 18_940_000)
    ours = pa.Table.from_pylist([lost, won, lost], schema=table.schema)
    pq.write_table(pa.concat_tables([others, ours]), file)
    (context,) = (context for block, context in load_day(copied).blocks() if block.number == 18_940_000)
    assert (context.winning_bid, context.builder) == (2, "winner")


@pytest.mark.data
def test_missing_blocks_and_empty_cells_are_found(copied: Path) -> None:
    file = copied / "mevboost_blocks_18920000_18949999.parquet"
    table = pq.read_table(file)
    pq.write_table(table.filter(pa.compute.field("block_number") != 18_940_000), file)
    with pytest.raises(InputError, match="1 blocks from 18940000"):
        load_day(copied)
    holes = pa.array([None] * table.num_rows, pa.int64())
    pq.write_table(table.set_column(table.column_names.index("gas_used"), "gas_used", holes), file)
    with pytest.raises(InputError, match="gas_used"):
        load_day(copied)


@pytest.mark.data
@pytest.mark.parametrize(
    ("column", "value"),
    [("topics", b"short"), ("pool", b"short"), ("log_index", -1), ("transaction_hash", b"")],
)
def test_a_corrupt_log_row_is_named_with_its_row(copied: Path, column: str, value: object) -> None:
    file = copied / LOGS
    rows = pq.read_table(file).to_pylist()
    rows[17][column] = value
    pq.write_table(pa.Table.from_pylist(rows), file)
    with pytest.raises(TapeError, match="row 17") as refused:
        load_day(copied)
    assert refused.value.fields["row"] == 17
    assert "block" in refused.value.fields


@pytest.mark.data
def test_a_log_that_is_there_twice_is_refused(copied: Path) -> None:
    table = pq.read_table(copied / LOGS)
    pq.write_table(pa.concat_tables([table, table.slice(5, 1)]), copied / LOGS)
    with pytest.raises(TapeError, match="two logs"):
        load_day(copied)
