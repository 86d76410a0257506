"""A tape read in columns: headers as records, all logs of a part as :class:`market.bulk.raw_logs.RawLogs`.

The rules of a tape are those of :class:`market.tape.TapeReader`. They are checked on whole columns here;
where one is broken, the reader of single rows says which row it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from chain.blocks import Block, BlockHeader
from core.errors import TapeError
from market.bulk.raw_logs import RawLogs, fixed
from market.tape import TapeReader
from market.tape_manifest import BLOCKS, LOGS, Manifest, Part, day_of
from market.tape_rows import BLOCK_SCHEMA, LOG_SCHEMA, block_from_rows

_WORD = 32
_ADDRESS = "^0x[0-9a-f]{40}$"
_NUMBERS = ("block_number", "log_index", "transaction_index")


@dataclass(frozen=True, slots=True)
class LoggedBlocks:
    """Consecutive blocks.

    Parameters
    ----------
    headers
        One for each block.
    ends
        Where each block's logs begin, and at last the end; shape ``(blocks + 1,)``, int64.
    logs
        Logs of all blocks.
    """

    headers: tuple[BlockHeader, ...]
    ends: NDArray[np.int64]
    logs: RawLogs


class _RuleBroken(Exception):
    """A column holds what no tape may; the reader of rows finds out where."""


def read_tape(folder: Path | str) -> Iterator[LoggedBlocks]:
    """Yield the parts of a tape, in order.

    Raises
    ------
    TapeError
        As :class:`market.tape.TapeReader`, for the first row that cannot be used.
    """
    folder = Path(folder)
    reader = TapeReader(folder)
    last: Block | None = None
    for part in Manifest.load(folder).parts:
        try:
            blocks, last = _read_part(folder, part, last)
        except (_RuleBroken, TapeError):
            for _ in reader.recorded().blocks():
                pass
            raise TapeError(
                f"{part.file(LOGS)} cannot be read in columns; record the tape again", file=str(folder)
            ) from None
        yield blocks


def logs_of_table(table: pa.Table) -> RawLogs:
    """Return the logs in a table with the columns of a tape's logs, without a record for each.

    Raises
    ------
    ValueError
        If a cell is empty, or topics, a hash or an address has a wrong length or form.
    """
    table = table.combine_chunks()
    topics, topics_at = _bytes_of(table.column("topics"))
    hashes = table.column("transaction_hash")
    encoded = pc.dictionary_encode(table.column("address")).combine_chunks()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    addresses = encoded.dictionary
    whole = (
        not np.any((topics_at - topics_at[0]) % _WORD)
        and pc.all(pc.equal(pc.binary_length(hashes), _WORD)).as_py()
    )
    formed = pc.all(pc.match_substring_regex(addresses, _ADDRESS)).as_py()
    if any(column.null_count for column in table.columns) or (len(table) and not (whole and formed)):
        raise ValueError("a cell is empty, or topics, hash or address have the wrong length")
    data, data_at = _bytes_of(table.column("data"))
    number, index, transaction = (fixed(table.column(name).to_numpy().copy()) for name in _NUMBERS)
    return RawLogs(
        number,
        index,
        transaction,
        fixed(encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32)),
        tuple(addresses.to_pylist()),
        _Hashes(hashes),
        topics,
        topics_at,
        data,
        data_at,
        {},
    )


class _Hashes:
    """Transaction hashes, taken out of their column one by one."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column

    def __getitem__(self, place: int) -> bytes:
        value: bytes = self._column[place].as_py()
        return value


def _bytes_of(column: pa.ChunkedArray) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return all bytes of a binary column, and where each value begins and the last ends."""
    array = pa.concat_arrays(column.cast(pa.large_binary()).chunks or [pa.array([], pa.large_binary())])
    _, ends, content = array.buffers()
    at = np.frombuffer(ends, dtype=np.int64)[array.offset : array.offset + len(array) + 1] if ends else None
    if at is None or not len(array):
        return fixed(np.zeros(0, np.uint8)), fixed(np.zeros(1, np.int64))
    return fixed(np.frombuffer(content or b"", dtype=np.uint8)), fixed(at)


def _read_part(folder: Path, part: Part, last: Block | None) -> tuple[LoggedBlocks, Block]:
    try:
        rows = _table(folder / part.file(BLOCKS), BLOCK_SCHEMA).to_pylist()
        logs = logs_of_table(_table(folder / part.file(LOGS), LOG_SCHEMA))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _RuleBroken from error
    headers = []
    for place, row in enumerate(rows):
        last = _block(row, last, {"file": part.file(BLOCKS), "row": place, "logs": 0}, part.day)
        headers.append(last.header)
    numbers = np.array([header.number for header in headers], dtype=np.int64)
    ends = np.append(np.searchsorted(logs.block_number, numbers), len(logs)).astype(np.int64)
    counted = np.array_equal(np.diff(ends), [row["logs"] for row in rows])
    if last is None or not counted or not _in_order(logs, numbers):
        raise _RuleBroken
    return LoggedBlocks(tuple(headers), ends, logs), last


def _block(row: dict[str, Any], last: Block | None, place: dict[str, Any], day: str) -> Block:
    """Return a block without its logs."""
    block, _ = block_from_rows(row | place, (), last)
    if day_of(block.header.timestamp) != day:
        raise _RuleBroken
    return block


def _in_order(logs: RawLogs, numbers: NDArray[np.int64]) -> bool:
    """Tell whether logs are those of the blocks, each block's by rising index."""
    blocks, index = logs.block_number, logs.log_index
    rising = (np.diff(blocks) > 0) | ((np.diff(blocks) == 0) & (np.diff(index) > 0))
    owned = np.isin(blocks, numbers).all() and bool((index >= 0).all())
    return bool(rising.all() and owned and (logs.transaction_index >= 0).all())


def _table(file: Path, schema: pa.Schema) -> pa.Table:
    table = pq.read_table(file, partitioning=None, use_threads=False)
    if not table.schema.equals(schema):
        raise _RuleBroken
    return table
