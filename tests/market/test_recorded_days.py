"""The two recorded days replay whole, and every swap that can be checked is reproduced to the unit."""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chain.networks import load_network
from chain.pool_addresses import pool_address
from core.errors import InputError, TapeError
from core.reasons import Refusal
from market.events import V3Swap
from market.history import POLYGON_SPECS, POLYGON_TOKENS, load_day, load_polygon_day
from market.invariants import check_swap
from market.recorded import Recorded

POLYGON = "v3_logs_polygon_20220105.parquet"


def walked(recorded: Recorded) -> Counter[str]:
    """Apply every block and check every swap on the pool it met."""
    state = recorded.initial_state()
    counts: Counter[str] = Counter()
    for block, _ in recorded.blocks():
        applied = state.apply(block)
        counts["blocks"] += 1
        counts["logs"] += len(block.logs)
        counts["unknown"] += applied.unknown
        for before, event in zip(applied.before, applied.events, strict=True):
            if not isinstance(event, V3Swap):
                continue
            check = check_swap(before, event)
            if isinstance(check, Refusal):
                counts["not checkable"] += 1
            else:
                counts["reproduced" if check.ok else "broken"] += 1
                counts["crossing"] += check.crossed > 0
    assert counts["blocks"] == recorded.block_count
    return counts


@pytest.mark.data
def test_every_checkable_swap_of_ethereum_on_2024_01_05_is_reproduced(data_root: Path) -> None:
    assert walked(load_day(data_root)) == {
        "blocks": 7_099,
        "logs": 6_582,
        "unknown": 0,
        "reproduced": 6_290,
        "crossing": 555,
        "not checkable": 64,
    }


@pytest.mark.data
def test_every_checkable_swap_of_polygon_on_2022_01_05_is_reproduced(data_root: Path) -> None:
    assert walked(load_polygon_day(data_root)) == {
        "blocks": 32_158,
        "logs": 4_158,
        "unknown": 0,
        "reproduced": 3_933,
        "crossing": 527,
        "not checkable": 39,
    }


@pytest.mark.data
def test_polygons_blocks_have_the_times_of_their_logs_and_nothing_that_nobody_recorded(
    data_root: Path,
) -> None:
    blocks = [block for block, _ in load_polygon_day(data_root).blocks()]
    assert (blocks[0].number, blocks[-1].number) == (23_353_830, 23_385_987)
    assert all(after.number == before.number + 1 for before, after in pairwise(blocks))
    assert all(after.header.timestamp >= before.header.timestamp for before, after in pairwise(blocks))
    midnight = 1_641_340_800  # 2022-01-05, UTC
    assert blocks[0].header.timestamp == midnight + 2
    assert blocks[-1].header.timestamp < midnight + 86_400
    for block in blocks:
        header = block.header
        assert (header.hash, header.parent_hash) == (b"", b"")
        assert (header.base_fee, header.gas_used, header.gas_limit) == (0, 0, 0)
        assert block.known_at_ns == header.timestamp * 10**9


def test_the_pool_lies_where_polygons_factory_puts_it() -> None:
    network = load_network("polygon")
    known = {token.address: (token.symbol, token.decimals) for token in network.tokens}
    for spec in POLYGON_SPECS:
        made = pool_address(network.factory("uniswap_v3"), *spec.tokens, fee_ppm=spec.fee)
        assert made == spec.address
        for token in spec.tokens:
            assert known[token] == (POLYGON_TOKENS[token].symbol, POLYGON_TOKENS[token].decimals)


def test_a_folder_or_a_day_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="OMNIARB_DATA"):
        load_polygon_day(tmp_path / "nowhere")
    with pytest.raises(InputError, match="recorded days: none"):
        load_polygon_day(tmp_path)


@pytest.mark.data
def test_a_block_with_two_times_or_none_is_refused(data_root: Path, tmp_path: Path) -> None:
    shutil.copy(data_root / POLYGON, tmp_path)
    table = pq.read_table(tmp_path / POLYGON)
    place = table.column_names.index("block_timestamp")
    times = table.column("block_timestamp").to_pylist()
    heights = table.column("block_number").to_pylist()
    twice = next(row for row, (one, other) in enumerate(pairwise(heights)) if one == other)
    times[twice] = times[0]
    kind = table.schema.field("block_timestamp").type
    pq.write_table(table.set_column(place, "block_timestamp", pa.array(times, kind)), tmp_path / POLYGON)
    with pytest.raises(TapeError, match="two times"):
        load_polygon_day(tmp_path)
    pq.write_table(table.drop_columns(["block_timestamp"]), tmp_path / POLYGON)
    with pytest.raises(InputError, match="block_timestamp"):
        load_polygon_day(tmp_path)
