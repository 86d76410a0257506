"""Files of the recorded history that are missing or damaged are named, never guessed around."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import InputError, MarketError, TapeError
from market.history import load_day

LOGS = "v3_logs_mainnet_20240105.parquet"


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


@pytest.mark.data
@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_a_candle_without_a_price_is_refused(copied: Path, price: float) -> None:
    file = copied / "binance_1m_selected.parquet"
    table = pq.read_table(file)
    prices = pa.array([price] * table.num_rows, pa.float64())
    pq.write_table(table.set_column(table.column_names.index("c"), "c", prices), file)
    with pytest.raises(MarketError, match="fetch the candles again"):
        load_day(copied)
