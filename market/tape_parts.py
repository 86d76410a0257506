"""Files of one part of a tape: blocks and logs of one day as Parquet, written whole and read row by row."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chain.blocks import Block
from core.errors import TapeError
from market.context import BlockContext
from market.tape_manifest import BLOCKS, LOGS, TABLES, Part, day_of, sha256_of
from market.tape_rows import BLOCK_SCHEMA, LOG_SCHEMA, Row, block_from_rows, corrupt

_SCHEMAS = {BLOCKS: BLOCK_SCHEMA, LOGS: LOG_SCHEMA}


def write_part(folder: Path, day: str, blocks: Sequence[Row], logs: Sequence[Row]) -> Part:
    """Write rows to the files of a new part, down to the disk.

    Parameters
    ----------
    folder
        The tape.
    day
        UTC date of all these blocks.
    blocks, logs
        At least one block; the logs are those of the blocks.
    """
    first = blocks[0]["block_number"]
    files = {table: folder / Part(day, first, 0, 0, "", "").file(table) for table in TABLES}
    for table, rows in ((BLOCKS, blocks), (LOGS, logs)):
        files[table].parent.mkdir(parents=True, exist_ok=True)
        with files[table].open("wb") as stream:
            content = pa.Table.from_pylist(list(rows), schema=_SCHEMAS[table])
            pq.write_table(content, stream, compression="zstd")
            stream.flush()
            os.fsync(stream.fileno())
    hashes = (sha256_of(files[table]) for table in TABLES)
    return Part(day, first, len(blocks), len(logs), *hashes)


def check_part(folder: Path, part: Part) -> None:
    """Compare the files of a part with their hashes.

    Raises
    ------
    TapeError
        If one is missing or is not the file that was recorded.
    """
    for table in TABLES:
        name = part.file(table)
        file = folder / name
        if not file.is_file():
            raise TapeError(f"{name} is missing from the tape; record it again", file=str(file))
        if sha256_of(file) != part.sha256(table):
            raise TapeError(
                f"{name} is not the file that was recorded (hash differs); record the tape again",
                file=str(file),
            )


def read_part(folder: Path, part: Part, last: Block | None) -> Iterator[tuple[Block, BlockContext]]:
    """Yield the blocks of a part.

    Parameters
    ----------
    folder, part
        Which one.
    last
        The block before, which the first one must continue.

    Raises
    ------
    TapeError
        If a row cannot be used; ``fields`` hold file, row and position.
    """
    logs = _rows(folder, part, LOGS)
    pending = next(logs, None)
    count = 0
    for row in _rows(folder, part, BLOCKS):
        own: list[Row] = []
        while pending is not None and pending["block_number"] == row["block_number"]:
            own.append(pending)
            pending = next(logs, None)
        block, context = block_from_rows(row, own, last)
        if day_of(block.header.timestamp) != part.day:
            raise corrupt(row, f"its timestamp is not of {part.day}")
        last = block
        count += 1
        yield block, context
    if pending is not None:
        raise corrupt(pending, "it belongs to no block")
    if count != part.blocks:
        raise TapeError(
            f"{part.file(BLOCKS)} holds {count} blocks, the manifest says {part.blocks}; "
            "record the tape again",
            file=str(folder / part.file(BLOCKS)),
        )


def _rows(folder: Path, part: Part, table: str) -> Iterator[Row]:
    """Yield the rows of one file, each with its file and row number."""
    name, at = part.file(table), 0
    file = folder / name
    try:
        with pq.ParquetFile(file) as content:
            if not content.schema_arrow.equals(_SCHEMAS[table]):
                raise TapeError(f"{name} has other columns than a tape; record it again", file=str(file))
            for batch in content.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    yield row | {"file": str(file), "row": at}
                    at += 1
    except (OSError, pa.ArrowException) as error:
        raise TapeError(
            f"{name} cannot be read after row {at} ({error}); record the tape again", file=str(file), row=at
        ) from error
