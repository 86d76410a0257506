"""Offline store of feature rows: Parquet files by set, day and run, each written whole or not at all.

The folders are Hive partitions (``set=…/day=…/run=…``), which pandas, Polars and DuckDB read as columns.
Every row carries its hash, every file the hash of the feature set's definitions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import InputError
from core.reasons import Reason, Refusal
from features.feature import FeatureRow
from features.feature_set import FeatureSet
from features.frames import SET_KEY, rows_of, to_table

_BLOCKS = re.compile(r"(\d+)-(\d+)")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True)
class Stored:
    """What a reading found.

    Parameters
    ----------
    rows
        Whole rows in order of blocks and subjects.
    refusals
        What was passed over, by file, and why.
    """

    rows: tuple[FeatureRow, ...]
    refusals: tuple[tuple[Path, Refusal], ...]


class FeatureStore:
    """Rows on disk.

    Parameters
    ----------
    root
        Folder of the store; made when the first row is written.
    features
        Feature set that is written and read.
    """

    def __init__(self, root: Path, features: FeatureSet) -> None:
        self.folder = root / f"set={features.name}"
        self._features = features

    def append(self, rows: Iterable[FeatureRow], run: str) -> tuple[Path, ...]:
        """Write rows, one file per day (UTC, by event time), and return the files.

        A file is named after its blocks, so writing the same rows again replaces it.

        Raises
        ------
        InputError
            If a row is of another feature set, or the run's name cannot be a folder's. Nothing has been
            written then.
        """
        if not _RUN.fullmatch(run):
            raise InputError("a run's name has letters, digits, '_', '.' and '-' only; rename it", run=run)
        ordered = sorted(rows, key=lambda row: (row.event_time, row.block_number, row.subject))
        parts = [
            (day, group[0].block_number, group[-1].block_number, to_table(group, self._features))
            for day, group in ((day, list(group)) for day, group in groupby(ordered, key=_day))
        ]
        return tuple(
            _write(self.folder / f"day={day}" / f"run={run}" / f"{first}-{last}.parquet", table)
            for day, first, last, table in parts
        )

    def rollback(self, to_number: int, run: str) -> None:
        """Take a run's rows above a height out of their files: their blocks were replaced.

        A file that cannot be read stays; reading passes it over.
        """
        for path in sorted(self.folder.glob(f"day=*/run={run}/*.parquet")):
            blocks = _BLOCKS.fullmatch(path.stem)
            if blocks is None or int(blocks[2]) <= to_number:
                continue
            table = self._table(path)
            if isinstance(table, Refusal):
                continue
            kept = table.filter(pc.field("block_number") <= to_number)
            if len(kept):
                last = pc.max(kept["block_number"]).as_py()
                _write(path.with_name(f"{blocks[1]}-{last}.parquet"), kept)
            path.unlink()

    def read(self, *, day: str = "*", run: str = "*") -> Stored:
        """Return the rows of a day and a run, by default of all.

        A file of other definitions, a damaged one and a row without its hash are passed over, with
        the reason.
        """
        rows: list[FeatureRow] = []
        refusals: list[tuple[Path, Refusal]] = []
        for path in sorted(self.folder.glob(f"day={day}/run={run}/*.parquet")):
            table = self._table(path)
            if isinstance(table, Refusal):
                refusals.append((path, table))
                continue
            found = list(rows_of(table, self._features))
            rows += [row for row, whole in found if whole]
            refusals += [(path, _damaged(row)) for row, whole in found if not whole]
        rows.sort(key=lambda row: (row.block_number, row.subject))
        return Stored(tuple(rows), tuple(refusals))

    def days(self, run: str) -> tuple[str, ...]:
        """Return the days that a run has rows of, as ISO dates."""
        folders = self.folder.glob(f"day=*/run={run}")
        return tuple(sorted(folder.parent.name.removeprefix("day=") for folder in folders))

    def files(self) -> Iterator[Path]:
        """Yield every file of the set."""
        yield from sorted(self.folder.glob("day=*/run=*/*.parquet"))

    def _table(self, path: Path) -> pa.Table | Refusal:
        try:
            with pq.ParquetFile(path) as file:
                digest = (file.schema_arrow.metadata or {}).get(SET_KEY, b"")
                if digest != self._features.digest.encode():
                    return Refusal(
                        Reason.FEATURE_SET_DIFFERS,
                        f"the file has other definitions than the set {self._features.name} has now",
                    )
                return file.read()
        except (pa.ArrowException, OSError) as error:
            return Refusal(Reason.ROW_DAMAGED, f"the file cannot be read: {error}".splitlines()[0])


def _day(row: FeatureRow) -> str:
    return datetime.fromtimestamp(row.event_time, tz=UTC).date().isoformat()


def _damaged(row: FeatureRow) -> Refusal:
    return Refusal(Reason.ROW_DAMAGED, f"the row of block {row.block_number} does not have its hash")


def _write(path: Path, table: pa.Table) -> Path:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
    try:
        with unfinished.open("wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path
