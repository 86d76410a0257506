"""Rows of a tape: how a header, its context and a raw log become columns, and back.

Amounts in wei are decimal text, since they may exceed 64 bits. A row is checked when it
is read; one that cannot be what it says is refused with its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from chain.blocks import Block, BlockHeader, RawLog
from core.errors import MarketError, TapeError
from market.context import NO_CONTEXT, BlockContext, Candle

Row = dict[str, Any]

BLOCK_SCHEMA = pa.schema(
    [
        ("block_number", pa.int64()),
        ("hash", pa.binary()),
        ("parent_hash", pa.binary()),
        ("timestamp", pa.int64()),
        ("base_fee", pa.string()),
        ("gas_used", pa.int64()),
        ("gas_limit", pa.int64()),
        ("fee_recipient", pa.string()),
        ("known_at_ns", pa.int64()),
        ("logs", pa.int32()),
        ("winning_bid", pa.string()),
        ("builder", pa.string()),
        ("candle_symbol", pa.string()),
        ("candle_close_time", pa.int64()),
        ("candle_open", pa.float64()),
        ("candle_high", pa.float64()),
        ("candle_low", pa.float64()),
        ("candle_close", pa.float64()),
        ("candle_volume", pa.float64()),
    ]
)
LOG_SCHEMA = pa.schema(
    [
        ("block_number", pa.int64()),
        ("log_index", pa.int64()),
        ("transaction_index", pa.int64()),
        ("transaction_hash", pa.binary()),
        ("address", pa.string()),
        ("topics", pa.binary()),
        ("data", pa.binary()),
    ]
)
_REQUIRED = BLOCK_SCHEMA.names[:10]
_CANDLE = BLOCK_SCHEMA.names[12:]
_BLOCK_NUMBERS, _LOG_NUMBERS = (
    tuple(field.name for field in schema if field.type == pa.int64()) for schema in (BLOCK_SCHEMA, LOG_SCHEMA)
)
_LIMIT = 2**63


def block_to_row(block: Block, context: BlockContext) -> Row:
    """Return the row of a header and its context."""
    header, candle = block.header, context.candle
    row = {
        "block_number": header.number,
        "hash": header.hash,
        "parent_hash": header.parent_hash,
        "timestamp": header.timestamp,
        "base_fee": str(header.base_fee),
        "gas_used": header.gas_used,
        "gas_limit": header.gas_limit,
        "fee_recipient": header.fee_recipient,
        "known_at_ns": block.known_at_ns,
        "logs": len(block.logs),
        "winning_bid": None if context.winning_bid is None else str(context.winning_bid),
        "builder": context.builder,
    }
    if candle is not None:
        values = (candle.symbol, candle.close_time, candle.open, candle.high, candle.low, candle.close)
        row |= dict(zip(_CANDLE, (*values, candle.volume), strict=True))
    return row


def log_to_row(log: RawLog) -> Row:
    """Return the row of a raw log; topics are joined."""
    return {
        "block_number": log.block_number,
        "log_index": log.log_index,
        "transaction_index": log.transaction_index,
        "transaction_hash": log.transaction_hash,
        "address": log.address,
        "topics": b"".join(log.topics),
        "data": log.data,
    }


def block_from_rows(row: Row, logs: Sequence[Row], last: Block | None) -> tuple[Block, BlockContext]:
    """Return the block of a header row and its log rows.

    Parameters
    ----------
    row, logs
        Rows as read, each with ``file`` and ``row`` added.
    last
        The block before, which this one must continue.

    Raises
    ------
    TapeError
        If a row is not valid or not in order; ``fields`` hold file, row and position.
    """
    if any(row[name] is None for name in _REQUIRED):
        raise corrupt(row, "a cell is empty")
    if len(row["hash"]) != 32 or len(row["parent_hash"]) != 32 or not _is_address(row["fee_recipient"]):
        raise corrupt(row, "a hash or address has the wrong length")
    if row["logs"] != len(logs):
        raise corrupt(row, f"{row['logs']} logs were recorded, {len(logs)} are here")
    header = BlockHeader(
        number=row["block_number"],
        hash=row["hash"],
        parent_hash=row["parent_hash"],
        timestamp=row["timestamp"],
        base_fee=_wei(row, "base_fee"),
        gas_used=row["gas_used"],
        gas_limit=row["gas_limit"],
        fee_recipient=row["fee_recipient"],
    )
    if min(header.number, header.timestamp, header.gas_used) < 0 or header.gas_limit <= 0:
        raise corrupt(row, "a number is negative, or the gas limit is not above zero")
    if last is not None and (header.number != last.number + 1 or header.parent_hash != last.header.hash):
        raise corrupt(row, f"it does not continue block {last.number}")
    block = Block(header, _logs(logs), row["known_at_ns"])
    return block, _context(row)


def _logs(rows: Sequence[Row]) -> tuple[RawLog, ...]:
    logs = []
    before = -1
    for row in rows:
        if any(row[name] is None for name in LOG_SCHEMA.names):
            raise corrupt(row, "a cell is empty")
        topics = row["topics"]
        if len(topics) % 32 or len(row["transaction_hash"]) != 32 or not _is_address(row["address"]):
            raise corrupt(row, "topics, hash or address have the wrong length")
        if row["log_index"] <= before or row["transaction_index"] < 0:
            raise corrupt(row, "logs are out of order")
        before = row["log_index"]
        logs.append(
            RawLog(
                row["block_number"],
                row["log_index"],
                row["transaction_index"],
                row["transaction_hash"],
                row["address"],
                tuple(topics[at : at + 32] for at in range(0, len(topics), 32)),
                row["data"],
            )
        )
    return tuple(logs)


def _context(row: Row) -> BlockContext:
    bid = None if row["winning_bid"] is None else _wei(row, "winning_bid")
    values = [row[name] for name in _CANDLE]
    candle = None if all(value is None for value in values) else _candle(row, values)
    context = BlockContext(candle, bid, row["builder"])
    return NO_CONTEXT if context == NO_CONTEXT else context


def _candle(row: Row, values: list[Any]) -> Candle:
    if any(value is None for value in values):
        raise corrupt(row, "its candle is not complete")
    try:
        candle = Candle(*values)
    except MarketError as error:
        raise corrupt(row, "its candle has a price or a volume that is none") from error
    if candle.close_time > row["timestamp"]:
        raise corrupt(row, "its candle closed after the block")
    return candle


def _wei(row: Row, name: str) -> int:
    text: str = row[name]
    if not (text.isascii() and text.isdigit()):
        raise corrupt(row, f"{name} is not a whole number of wei")
    return int(text)


def _is_address(text: str) -> bool:
    return len(text) == 42 and text.startswith("0x") and set(text[2:]) <= set("0123456789abcdef")


def check_rows(row: Row, logs: Sequence[Row]) -> None:
    """Check that the rows of a block fit their columns and are ones that are read back.

    Raises
    ------
    TapeError
        If not; the message says why.
    """
    for names, rows in ((_BLOCK_NUMBERS, (row,)), (_LOG_NUMBERS, logs)):
        for each in rows:
            for name in names:
                if not -_LIMIT <= (each.get(name) or 0) < _LIMIT:
                    raise TapeError(f"{name} does not fit its column")
    empty = dict.fromkeys(BLOCK_SCHEMA.names)
    place = {"file": "the new part", "row": 0}
    block_from_rows(empty | row | place, [log | place for log in logs], None)


def corrupt(row: Row, why: str) -> TapeError:
    """Return the error of a row that cannot be used, with its place."""
    place = f"block {row['block_number']}"
    position = {"block": row["block_number"]}
    if "log_index" in row:
        place += f", log {row['log_index']}"
        position["log_index"] = row["log_index"]
    return TapeError(
        f"row {row['row']} of {row['file']} ({place}) is corrupt: {why}; record the tape again",
        file=row["file"],
        row=row["row"],
        **position,
    )
