"""Recording a tape: blocks go in, complete parts of one day come out, and a cut-off recording can go on."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from chain.blocks import Address, Block, BlockHeader
from core.errors import TapeError
from market.context import NO_CONTEXT, BlockContext
from market.pools.pool import Pool
from market.pools.snapshot import pool_to_json, spec_to_json
from market.pools.spec import PoolSpec
from market.tape_manifest import MANIFEST, TABLES, Manifest, Part, day_of, partial_of
from market.tape_parts import check_part, read_part, write_part
from market.tape_rows import Row, block_to_row, check_rows, log_to_row
from market.tokens import Token

_ROWS_PER_PART = 16_384
_SECONDS_PER_PART = 3_600
"""Time of the chain in one part: what a recorder that is killed has to ask for again."""


class TapeWriter:
    """Records blocks into a tape.

    Use it as a context manager: leaving it normally makes the tape appear at ``folder``,
    leaving it by an exception leaves nothing. Until then the parts lie in ``folder.partial``, which
    is a tape of what was recorded so far, and from which :meth:`resume` goes on.

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
        If ``folder`` exists already, or an interrupted recording of it does.
    """

    _manifest: Manifest
    _last: BlockHeader | None
    _lock: int | None

    def __init__(
        self,
        folder: Path | str,
        *,
        specs: Iterable[PoolSpec],
        tokens: Mapping[Address, Token],
        pools: Iterable[Pool],
        source: str,
    ) -> None:
        self._begin(Path(folder))
        try:
            kept = Manifest.load(self._partial).blocks if (self._partial / MANIFEST).exists() else 0
            if kept:
                raise TapeError(
                    f"{self._partial} holds {kept} blocks of an interrupted recording; "
                    "go on with it by `omniarb record`, or remove it",
                    file=str(self._partial),
                )
            start = {
                "source": source,
                "tokens": [[token.address, token.symbol, token.decimals] for token in tokens.values()],
                "specs": [spec_to_json(spec) for spec in specs],
                "pools": [pool_to_json(pool) for pool in pools],
            }
            self._manifest = Manifest(start)
            self._drop_unlisted()
            self._manifest.save(self._partial)
        except BaseException:
            self._unlock()
            raise

    @classmethod
    def resume(cls, folder: Path | str) -> TapeWriter:
        """Go on with an interrupted recording, after the last block that it kept.

        Parameters
        ----------
        folder
            Where the tape will be, as it was named at the start.

        Raises
        ------
        TapeError
            If there is nothing to go on with, somebody else writes it, or a part is damaged.
        """
        writer = cls.__new__(cls)
        if not partial_of(Path(folder)).is_dir():
            raise TapeError(f"there is no interrupted recording of {folder}; begin one", file=str(folder))
        writer._begin(Path(folder))
        try:
            writer._manifest = Manifest.load(writer._partial)
            for part in writer._manifest.parts:
                check_part(writer._partial, part)
            for part in writer._manifest.parts[-1:]:
                *_, (block, _) = read_part(writer._partial, part, None)
                writer._last = block.header
            writer._drop_unlisted()
        except BaseException:
            writer._unlock()
            raise
        return writer

    @property
    def last(self) -> BlockHeader | None:
        """Header of the last block, ``None`` before the first."""
        return self._last

    @property
    def blocks(self) -> int:
        """Blocks so far."""
        return self._manifest.blocks + len(self._block_rows)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is safe on the disk."""
        return self._manifest.parts

    def append(self, block: Block, context: BlockContext = NO_CONTEXT) -> None:
        """Add the next block.

        Raises
        ------
        TapeError
            If it does not continue the block before, its timestamp is of no day, or it could not be
            read back. It is not added then, and what was added stays.
        """
        last, day = self._last, day_of(block.header.timestamp)
        if last is not None and (block.number != last.number + 1 or block.header.parent_hash != last.hash):
            raise TapeError(
                f"block {block.number} does not continue block {last.number}; a tape holds one branch",
                file=str(self._folder),
                block=block.number,
            )
        if day is None:
            raise TapeError(
                f"block {block.number} has a timestamp of no day ({block.header.timestamp}); "
                "ask another node",
                file=str(self._folder),
                block=block.number,
            )
        row, logs = block_to_row(block, context), [log_to_row(log) for log in block.logs]
        try:
            check_rows(row, logs)
        except TapeError as error:
            raise TapeError(
                f"block {block.number} could not be read back ({error.message}); ask another node",
                file=str(self._folder),
                block=block.number,
            ) from None
        if self._block_rows and self._is_full(block.header.timestamp, day):
            self._commit()
        self._day = day
        self._block_rows.append(row)
        self._log_rows.extend(logs)
        self._last = block.header

    def close(self) -> None:
        """Finish the tape and make it appear at its place."""
        self.suspend()
        self._partial.rename(self._folder)

    def suspend(self) -> None:
        """Put everything on the disk and stop, for :meth:`resume` to go on later."""
        try:
            if self._block_rows:
                self._commit()
        finally:
            self._unlock()

    def abort(self) -> None:
        """Throw away what was recorded."""
        shutil.rmtree(self._partial, ignore_errors=True)
        self._unlock()

    def __enter__(self) -> TapeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _begin(self, folder: Path) -> None:
        if folder.exists():
            raise TapeError(f"{folder} exists; choose another folder", file=str(folder))
        self._folder, self._partial = folder, partial_of(folder)
        self._partial.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self._partial)
        self._block_rows: list[Row] = []
        self._log_rows: list[Row] = []
        self._day = ""
        self._last = None

    def _is_full(self, timestamp: int, day: str) -> bool:
        return (
            day != self._day
            or len(self._block_rows) + len(self._log_rows) >= _ROWS_PER_PART
            or timestamp - self._block_rows[0]["timestamp"] >= _SECONDS_PER_PART
        )

    def _commit(self) -> None:
        part = write_part(self._partial, self._day, self._block_rows, self._log_rows)
        self._manifest = replace(self._manifest, parts=(*self._manifest.parts, part))
        self._manifest.save(self._partial)
        self._block_rows, self._log_rows = [], []

    def _drop_unlisted(self) -> None:
        """Remove files that were being written when an earlier recorder was killed."""
        listed = {self._partial / part.file(table) for part in self._manifest.parts for table in TABLES}
        for file in self._partial.rglob("*.parquet"):
            if file not in listed:
                file.unlink()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(folder: Path) -> int:
    """Keep other recorders out for as long as we live, however we end."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise TapeError(
            f"another recorder writes {folder}; stop it or choose another folder", file=str(folder)
        ) from None
    return handle
