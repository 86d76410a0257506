"""The files of the recorded history, read and checked: raw logs, block rows, candles.

A file that is missing, damaged or of other columns is refused by name; rows come back as records,
in order.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chain.blocks import RawLog
from core.errors import InputError, TapeError
from market.context import Candle

_CANDLE_SYMBOL = "ETHUSDT"
_CANDLE_SECONDS = 60
_DAY_SECONDS = 86_400
_LOG_COLUMNS = {
    "block_number": pa.types.is_integer,
    "transaction_hash": pa.types.is_binary,
    "transaction_index": pa.types.is_integer,
    "log_index": pa.types.is_integer,
    "topics": pa.types.is_binary,
    "data": pa.types.is_binary,
    "pool": pa.types.is_binary,
}
_TIME_COLUMNS = {"block_number": pa.types.is_integer, "block_timestamp": pa.types.is_timestamp}
_BLOCK_COLUMNS = {
    "block_number": pa.types.is_integer,
    "block_hash": pa.types.is_binary,
    "value": pa.types.is_large_string,
    "base_fee_per_gas": pa.types.is_integer,
    "gas_limit": pa.types.is_integer,
    "gas_used": pa.types.is_integer,
    "builder_label": pa.types.is_large_string,
    "block_timestamp": pa.types.is_integer,
    "payload_delivered": pa.types.is_floating,
}
_CANDLE_COLUMNS = {"open_time": pa.types.is_integer, "sym": pa.types.is_large_string} | dict.fromkeys(
    "ohlcv", pa.types.is_floating
)


def read_logs(file: Path) -> list[RawLog]:
    """Read a file of raw V3 logs, in ``(block, log index)`` order.

    Raises
    ------
    InputError
        If the file is missing or not Parquet with the expected columns.
    TapeError
        If a row cannot be a log, or two rows have one position.
    """
    table = _read(file, _LOG_COLUMNS)
    columns = [table.column(name).to_pylist() for name in _LOG_COLUMNS]
    logs = [_raw_log(file, row, *values) for row, values in enumerate(zip(*columns, strict=True))]
    logs.sort(key=lambda log: (log.block_number, log.log_index))
    for before, after in pairwise(logs):
        if (before.block_number, before.log_index) == (after.block_number, after.log_index):
            raise TapeError(
                f"{file.name} holds two logs at block {after.block_number}, log {after.log_index}; "
                "fetch it again",
                file=str(file),
                block=after.block_number,
                log_index=after.log_index,
            )
    return logs


def read_log_times(file: Path) -> dict[int, int]:
    """Return the timestamp in seconds of every block that has a log in a file, by height.

    Raises
    ------
    InputError
        If the file is missing or not Parquet with the expected columns.
    TapeError
        If two rows give one block different times.
    """
    table = _read(file, _TIME_COLUMNS)
    times: dict[int, int] = {}
    seconds = pc.cast(table.column("block_timestamp"), pa.timestamp("s", tz="UTC"), safe=False)
    heights = table.column("block_number").to_pylist()
    for height, timestamp in zip(heights, pc.cast(seconds, pa.int64()).to_pylist(), strict=True):
        if times.setdefault(height, timestamp) != timestamp:
            raise TapeError(
                f"{file.name} gives block {height} two times; fetch it again", file=str(file), block=height
            )
    return times


def _raw_log(
    file: Path, row: int, block: int, tx_hash: bytes, tx_index: int, log_index: int, *rest: bytes
) -> RawLog:
    topics, data, pool = rest
    if len(topics) % 32 or not topics or len(pool) != 20 or len(tx_hash) != 32 or min(block, log_index) < 0:
        raise TapeError(
            f"row {row} of {file.name} is not a log (block {block}, log {log_index}); fetch the file again",
            file=str(file),
            row=row,
            block=block,
            log_index=log_index,
        )
    words = tuple(topics[at : at + 32] for at in range(0, len(topics), 32))
    return RawLog(block, log_index, tx_index, tx_hash, "0x" + pool.hex(), words, data)


def _read(file: Path, columns: dict[str, Any], *, nullable: tuple[str, ...] = ()) -> pa.Table:
    """Read the columns of a Parquet file; refuse other types and missing values."""
    try:
        with pq.ParquetFile(file) as parquet:
            table = parquet.read(columns=list(columns))
    except FileNotFoundError:
        raise InputError(f"{file.name} is missing from {file.parent}; fetch it", path=str(file)) from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{file.name} cannot be read as Parquet ({error}); fetch it again", path=str(file)
        ) from None
    for name, fits in columns.items():
        if name not in table.column_names or not fits(table.schema.field(name).type):
            raise InputError(
                f"column {name} of {file.name} is missing or of another type; fetch the file again",
                path=str(file),
                column=name,
            )
        if name not in nullable and table.column(name).null_count:
            raise InputError(
                f"column {name} of {file.name} has empty cells; fetch the file again",
                path=str(file),
                column=name,
            )
    return table


def _between(table: pa.Table, column: str, first: int, last: int) -> list[dict[str, Any]]:
    """Return the rows of a table with ``first <= column <= last``."""
    values = table.column(column)
    mask = pc.and_(pc.greater_equal(values, first), pc.less_equal(values, last))
    rows: list[dict[str, Any]] = table.filter(mask).to_pylist()
    return rows


def read_blocks(root: Path, first: int, last: int) -> list[dict[str, Any]]:
    """Return one row per block, from the parent of ``first`` to ``last``, both included.

    Where several builders' rows tell of one block, the one that was delivered counts.

    Raises
    ------
    InputError
        If a file is missing or not what it should be, or a block has no row.
    """
    found = sorted(root.glob("mevboost_blocks_*.parquet"))
    if not found:
        raise InputError(f"no mevboost_blocks_*.parquet in {root}; fetch it", path=str(root))
    best: dict[int, dict[str, Any]] = {}
    for file in found:
        table = _read(file, _BLOCK_COLUMNS, nullable=("value", "builder_label"))
        for row in _between(table, "block_number", first - 1, last):
            known = best.get(row["block_number"])
            if known is None or row["payload_delivered"] > known["payload_delivered"]:
                best[row["block_number"]] = row
    missing = [height for height in range(first - 1, last + 1) if height not in best]
    if missing:
        raise InputError(
            f"block rows are missing for {len(missing)} blocks from {missing[0]}; fetch the block files",
            path=str(root),
            first_missing=missing[0],
        )
    return [best[height] for height in range(first - 1, last + 1)]


def read_candles(root: Path, first: int, last: int) -> tuple[list[int], list[Candle]]:
    """Return close times and candles, both ordered by time.

    Parameters
    ----------
    root
        Folder that holds the recorded files.
    first, last
        Block timestamps, seconds; candles begin a day before ``first``.

    Raises
    ------
    InputError
        If the file is missing or not what it should be.
    MarketError
        If a candle has a price that is none.
    """
    table = _read(root / "binance_1m_selected.parquet", _CANDLE_COLUMNS)
    rows = _between(table, "open_time", (first - _DAY_SECONDS) * 1000, last * 1000)
    candles = [
        Candle(_CANDLE_SYMBOL, row["open_time"] // 1000 + _CANDLE_SECONDS, *(row[name] for name in "ohlcv"))
        for row in rows
        if row["sym"] == _CANDLE_SYMBOL
    ]
    candles.sort(key=lambda candle: candle.close_time)
    return [candle.close_time for candle in candles], candles
