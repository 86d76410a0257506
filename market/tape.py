"""A tape: one folder that replays a stretch of chain bit for bit.

``manifest.json`` says what is followed, the pools before the first block, and the parts with their
hashes; ``blocks/day=2024-01-05/*.parquet`` hold headers with context, ``logs/day=2024-01-05/*.parquet``
raw logs, partitioned by the UTC day of the block's timestamp as other tools expect of a data set.
A tape is written beside its place and renamed when whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chain.blocks import Block
from core.errors import OmniArbError
from market.context import BlockContext
from market.pools.snapshot import pool_from_json, spec_from_json
from market.recorded import Recorded
from market.tape_manifest import Manifest, bad_manifest
from market.tape_parts import check_part, read_part
from market.tape_writer import TapeWriter
from market.tokens import Token

__all__ = ["TapeReader", "TapeWriter"]


class TapeReader:
    """Opens a tape and checks that it is whole.

    Parameters
    ----------
    folder
        A folder that :class:`TapeWriter` made; one that it has not finished (``.partial``) gives the
        parts that are complete.

    Raises
    ------
    TapeError
        If there is no tape, its version is not ours, or a part's hash differs from the
        manifest's; ``fields`` say which file.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self._manifest = Manifest.load(self._folder)
        for part in self._manifest.parts:
            check_part(self._folder, part)

    @property
    def days(self) -> tuple[str, ...]:
        """UTC dates that the tape has blocks of, in order of the chain."""
        return tuple(dict.fromkeys(part.day for part in self._manifest.parts))

    def recorded(self) -> Recorded:
        """Return the recording.

        Raises
        ------
        TapeError
            If the manifest describes no valid pools; while iterating, if a row is corrupt.
        """
        start = self._manifest.start
        try:
            tokens = {row[0]: Token(*row) for row in start["tokens"]}
            specs = tuple(spec_from_json(row) for row in start["specs"])
            pools = tuple(pool_from_json(row) for row in start["pools"])
            source = str(start["source"])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OmniArbError) as error:
            raise bad_manifest(self._folder, error) from error
        return Recorded(specs, tokens, pools, self._manifest.blocks, self._replay, source)

    def _replay(self) -> Iterator[tuple[Block, BlockContext]]:
        last: Block | None = None
        for part in self._manifest.parts:
            for block, context in read_part(self._folder, part, last):
                last = block
                yield block, context
