"""Recorded days of mainnet: raw logs of three V3 pools, block rows and candles, merged.

Nothing from the future leaks into a block: a pool is unknown until its first swap of the
day, a candle counts only when it had closed, and what a block paid its proposer belongs to
that block.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chain.blocks import Address, Block, BlockHeader, RawLog
from core.errors import InputError, TapeError
from market.context import BlockContext, Candle
from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import NOTHING_KNOWN, UniswapV3Pool
from market.recorded import Recorded
from market.tokens import Token

__all__ = ["HISTORY_SPECS", "HISTORY_TOKENS", "Recorded", "load_before", "load_day", "read_logs"]

_USDC = Token("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "USDC", 6)
_WETH = Token("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", "WETH", 18)
_OSQTH = Token("0xf1b99e3e573a1a9c5e6b2ce818b617f0e664e86b", "OSQTH", 18)

HISTORY_TOKENS: dict[Address, Token] = {token.address: token for token in (_USDC, _WETH, _OSQTH)}


def _v3(address: Address, token0: Token, token1: Token, fee: int, spacing: int) -> PoolSpec:
    tokens = (token0.address, token1.address)
    return PoolSpec("uniswap_v3", address, address, tokens, fee, spacing, venue="uniswap_v3")


HISTORY_SPECS = (
    _v3("0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640", _USDC, _WETH, 500, 10),
    _v3("0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8", _USDC, _WETH, 3000, 60),
    _v3("0x82c427adfdf2d245ec51d8046b41c4ee87f0d29c", _WETH, _OSQTH, 3000, 60),
)

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


def load_day(data_root: Path | str, day: str = "2024-01-05") -> Recorded:
    """Load one recorded day of mainnet.

    Parameters
    ----------
    data_root
        Folder that holds the recorded files.
    day
        ``YYYY-MM-DD``.

    Returns
    -------
    Recorded
        Every block of the day, also those without logs. Initial pools hold no price: their
        first swap of the day brings it.

    Raises
    ------
    InputError
        If the folder, the day or a file is not there or is not what it should be.
    """
    root = Path(data_root)
    if not root.is_dir():
        raise InputError(f"no recorded history at {root}; set OMNIARB_DATA to its folder", path=str(root))
    logs_file = root / f"v3_logs_mainnet_{_compact(day)}.parquet"
    if not logs_file.is_file():
        days = sorted(path.stem[-8:] for path in root.glob("v3_logs_mainnet_*.parquet"))
        listed = ", ".join(f"{name[:4]}-{name[4:6]}-{name[6:]}" for name in days) or "none"
        raise InputError(f"no logs for {day} in {root}; recorded days: {listed}", path=str(logs_file))
    logs = read_logs(logs_file)
    if not logs:
        raise InputError(f"{logs_file.name} holds no logs; fetch it again", path=str(logs_file))
    rows = _read_blocks(root, logs[0].block_number, logs[-1].block_number)
    candles = _read_candles(root, rows[0]["block_timestamp"], rows[-1]["block_timestamp"])
    grouped: dict[int, list[RawLog]] = defaultdict(list)
    for log in logs:
        grouped[log.block_number].append(log)
    pools = tuple(UniswapV3Pool(spec, 0, 0, 0, {}, NOTHING_KNOWN) for spec in HISTORY_SPECS)
    return Recorded(
        specs=HISTORY_SPECS,
        tokens=HISTORY_TOKENS,
        pools=pools,
        block_count=len(rows) - 1,
        open_blocks=partial(_blocks, rows, dict(grouped), candles),
        source=f"recorded mainnet {day}",
    )


def load_before(data_root: Path | str, first: int) -> Recorded:
    """Load the blocks recorded before height ``first``: headers, bids and candles, no pools.

    They are warm-up history. Nothing in them is younger than the block before ``first``.

    Parameters
    ----------
    data_root
        Folder that holds the recorded files.
    first
        Height of the first block that is *not* wanted.

    Raises
    ------
    InputError
        If a file is missing or not what it should be, or a block between is missing.
    """
    root = Path(data_root)
    earliest = [int(file.stem.split("_")[2]) for file in root.glob("mevboost_blocks_*.parquet")]
    earliest = [height for height in earliest if height < first - 1]
    if not earliest:
        raise InputError(f"no block rows before block {first} in {root}; fetch them", path=str(root))
    # the very first row only gives the parent hash of the second
    rows = _read_blocks(root, min(earliest) + 1, first - 1)
    candles = _read_candles(root, rows[0]["block_timestamp"], rows[-1]["block_timestamp"])
    return Recorded(
        specs=(),
        tokens={},
        pools=(),
        block_count=len(rows) - 1,
        open_blocks=partial(_blocks, rows, {}, candles),
        source=f"recorded mainnet blocks before {first}",
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


def _compact(day: str) -> str:
    try:
        return date.fromisoformat(day).strftime("%Y%m%d")
    except ValueError:
        raise InputError(f"{day!r} is not a day; write it as YYYY-MM-DD", day=day) from None


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


def _read_blocks(root: Path, first: int, last: int) -> list[dict[str, Any]]:
    """Return one row per block, from the parent of ``first`` to ``last``, delivered bids first."""
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


def _read_candles(root: Path, first: int, last: int) -> tuple[list[int], list[Candle]]:
    """Return close times and candles, both ordered by time, from a day before ``first`` to ``last``."""
    table = _read(root / "binance_1m_selected.parquet", _CANDLE_COLUMNS)
    rows = _between(table, "open_time", (first - _DAY_SECONDS) * 1000, last * 1000)
    candles = [
        Candle(_CANDLE_SYMBOL, row["open_time"] // 1000 + _CANDLE_SECONDS, *(row[name] for name in "ohlcv"))
        for row in rows
        if row["sym"] == _CANDLE_SYMBOL
    ]
    candles.sort(key=lambda candle: candle.close_time)
    return [candle.close_time for candle in candles], candles


def _blocks(
    rows: list[dict[str, Any]],
    logs: dict[int, list[RawLog]],
    candles: tuple[list[int], list[Candle]],
) -> Iterator[tuple[Block, BlockContext]]:
    close_times, closed = candles
    for parent, row in pairwise(rows):
        timestamp = row["block_timestamp"]
        header = BlockHeader(
            number=row["block_number"],
            hash=row["block_hash"],
            parent_hash=parent["block_hash"],
            timestamp=timestamp,
            base_fee=row["base_fee_per_gas"],
            gas_used=row["gas_used"],
            gas_limit=row["gas_limit"],
        )
        at = bisect_right(close_times, timestamp)
        context = BlockContext(
            candle=closed[at - 1] if at else None,
            winning_bid=None if row["value"] is None else int(row["value"]),
            builder=row["builder_label"],
        )
        block_logs = tuple(logs.get(header.number, ()))
        yield Block(header, block_logs, timestamp * 1_000_000_000), context
