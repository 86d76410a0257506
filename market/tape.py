"""A tape: one folder that replays a stretch of chain bit for bit.

``manifest.json`` says what is followed, the pools before the first block, counts and the
hash of each part; ``blocks.parquet`` holds headers with context, ``logs.parquet`` raw
logs. A tape is written beside its place and renamed when whole, so a folder that has a
manifest is a whole tape.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chain.blocks import Address, Block
from core.errors import OmniArbError, TapeError
from market.context import NO_CONTEXT, BlockContext
from market.pools.pool import Pool
from market.pools.snapshot import pool_from_json, pool_to_json, spec_from_json, spec_to_json
from market.pools.spec import PoolSpec
from market.recorded import Recorded
from market.tape_rows import BLOCK_SCHEMA, LOG_SCHEMA, Row, block_from_rows, block_to_row, log_to_row
from market.tokens import Token

TAPE_VERSION = 1
_MANIFEST = "manifest.json"
_BLOCKS = "blocks.parquet"
_LOGS = "logs.parquet"
_ROWS_PER_GROUP = 4096


class TapeWriter:
    """Records blocks into a new tape.

    Use it as a context manager: leaving it normally makes the tape appear at ``folder``,
    leaving it by an exception leaves nothing.

    Parameters
    ----------
    folder
        Where the tape will be; must not exist yet.
    specs, tokens, pools
        What is followed, and the pools just before the first block.
    source
        Where the blocks come from, for people.

    Raises
    ------
    TapeError
        If ``folder`` exists already.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        specs: Iterable[PoolSpec],
        tokens: Mapping[Address, Token],
        pools: Iterable[Pool],
        source: str,
    ) -> None:
        self._folder = Path(folder)
        if self._folder.exists():
            raise TapeError(f"{self._folder} exists; choose another folder", file=str(self._folder))
        self._partial = self._folder.with_name(self._folder.name + ".partial")
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        self._manifest: dict[str, Any] = {
            "version": TAPE_VERSION,
            "source": source,
            "tokens": [[token.address, token.symbol, token.decimals] for token in tokens.values()],
            "specs": [spec_to_json(spec) for spec in specs],
            "pools": [pool_to_json(pool) for pool in pools],
        }
        self._blocks = pq.ParquetWriter(self._partial / _BLOCKS, BLOCK_SCHEMA, compression="zstd")
        self._logs = pq.ParquetWriter(self._partial / _LOGS, LOG_SCHEMA, compression="zstd")
        self._block_rows: list[Row] = []
        self._log_rows: list[Row] = []
        self._last: Block | None = None
        self._counts = {"blocks": 0, "logs": 0}

    def append(self, block: Block, context: BlockContext = NO_CONTEXT) -> None:
        """Add the next block.

        Raises
        ------
        TapeError
            If it does not continue the block before.
        """
        last = self._last
        if last is not None and (
            block.number != last.number + 1 or block.header.parent_hash != last.header.hash
        ):
            raise TapeError(
                f"block {block.number} does not continue block {last.number}; a tape holds one branch",
                file=str(self._folder),
                block=block.number,
            )
        self._block_rows.append(block_to_row(block, context))
        self._log_rows.extend(log_to_row(log) for log in block.logs)
        self._counts["blocks"] += 1
        self._counts["logs"] += len(block.logs)
        self._last = block
        if len(self._block_rows) + len(self._log_rows) >= _ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        """Finish the tape and make it appear at its place."""
        self._flush()
        self._blocks.close()
        self._logs.close()
        parts = {name: _sha256(self._partial / name) for name in (_BLOCKS, _LOGS)}
        manifest = self._manifest | {"counts": self._counts, "sha256": parts}
        manifest["digest"] = _digest(manifest)
        (self._partial / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        self._partial.rename(self._folder)

    def abort(self) -> None:
        """Throw away what was recorded."""
        self._blocks.close()
        self._logs.close()
        shutil.rmtree(self._partial, ignore_errors=True)

    def __enter__(self) -> TapeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _flush(self) -> None:
        for writer, rows, schema in (
            (self._blocks, self._block_rows, BLOCK_SCHEMA),
            (self._logs, self._log_rows, LOG_SCHEMA),
        ):
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows.clear()


class TapeReader:
    """Opens a tape and checks that it is whole.

    Parameters
    ----------
    folder
        A folder that :class:`TapeWriter` made.

    Raises
    ------
    TapeError
        If there is no tape, its version is not ours, or a part's hash differs from the
        manifest's; ``fields`` say which file.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self._manifest = self._read_manifest()
        for name in (_BLOCKS, _LOGS):
            part = self._folder / name
            if not part.is_file():
                raise TapeError(f"{name} is missing from the tape; record it again", file=str(part))
            if _sha256(part) != self._manifest["sha256"].get(name):
                raise TapeError(
                    f"{name} is not the file that was recorded (hash differs); record the tape again",
                    file=str(part),
                )

    def recorded(self) -> Recorded:
        """Return the recording.

        Raises
        ------
        TapeError
            If the manifest describes no valid pools; while iterating, if a row is corrupt.
        """
        manifest = self._manifest
        try:
            tokens = {row[0]: Token(*row) for row in manifest["tokens"]}
            specs = tuple(spec_from_json(row) for row in manifest["specs"])
            pools = tuple(pool_from_json(row) for row in manifest["pools"])
            count = int(manifest["counts"]["blocks"])
            source = str(manifest["source"])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OmniArbError) as error:
            raise self._bad_manifest(error) from error
        return Recorded(specs, tokens, pools, count, self._replay, source)

    def _read_manifest(self) -> dict[str, Any]:
        path = self._folder / _MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            version, parts, digest = manifest["version"], manifest["sha256"], manifest.pop("digest")
        except FileNotFoundError:
            raise TapeError(f"{self._folder} is not a tape; record one first", file=str(path)) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._bad_manifest(error) from error
        if version != TAPE_VERSION:
            raise TapeError(
                f"the tape has version {version}, this program reads {TAPE_VERSION}; record it again",
                file=str(path),
            )
        if digest != _digest(manifest) or not isinstance(parts, dict):
            raise TapeError(
                f"{path} is not what was recorded (digest differs); record the tape again", file=str(path)
            )
        return dict(manifest)

    def _bad_manifest(self, error: Exception) -> TapeError:
        path = self._folder / _MANIFEST
        return TapeError(
            f"{path} is corrupt ({type(error).__name__}: {error}); record the tape again", file=str(path)
        )

    def _replay(self) -> Iterator[tuple[Block, BlockContext]]:
        logs = _rows(self._folder / _LOGS, LOG_SCHEMA)
        pending = next(logs, None)
        last: Block | None = None
        count = 0
        for row in _rows(self._folder / _BLOCKS, BLOCK_SCHEMA):
            own: list[Row] = []
            while pending is not None and pending["block_number"] == row["block_number"]:
                own.append(pending)
                pending = next(logs, None)
            block, context = block_from_rows(row, own, last)
            last = block
            count += 1
            yield block, context
        if pending is not None:
            raise TapeError(
                f"row {pending['row']} of {_LOGS} belongs to no block "
                f"(block {pending['block_number']}, log {pending['log_index']}); record the tape again",
                file=pending["file"],
                row=pending["row"],
                block=pending["block_number"],
                log_index=pending["log_index"],
            )
        if count != self._manifest["counts"]["blocks"]:
            raise TapeError(
                f"{_BLOCKS} holds {count} blocks, the manifest says {self._manifest['counts']['blocks']}; "
                "record the tape again",
                file=str(self._folder / _BLOCKS),
            )


def _rows(file: Path, schema: pa.Schema) -> Iterator[Row]:
    """Yield the rows of one part, each with its file and row number."""
    at = 0
    try:
        with pq.ParquetFile(file) as part:
            if not part.schema_arrow.equals(schema):
                raise TapeError(f"{file.name} has other columns than a tape; record it again", file=str(file))
            for batch in part.iter_batches():
                for row in batch.to_pylist():
                    yield row | {"file": str(file), "row": at}
                    at += 1
    except (OSError, pa.ArrowException) as error:
        raise TapeError(
            f"{file.name} cannot be read after row {at} ({error}); record the tape again",
            file=str(file),
            row=at,
        ) from error


def _digest(manifest: dict[str, Any]) -> str:
    """Return the hash of a manifest's contents, however it is laid out."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
