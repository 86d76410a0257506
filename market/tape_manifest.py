"""The manifest of a tape: what is followed, and every part with its day and its hashes.

It is written anew, whole, after each part; so at any moment it lists parts that are complete, and a
recording that is cut off keeps them.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import TapeError

TAPE_VERSION = 2
MANIFEST = "manifest.json"
BLOCKS, LOGS = "blocks", "logs"
TABLES = (BLOCKS, LOGS)
DAY_SECONDS = 86_400
_LAST_DAY = 2_932_896
"""Days from 1970 to the end of the year 9999, the last that has a name."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive blocks of one day, in one file for each table.

    Parameters
    ----------
    day
        UTC date of the blocks' timestamps, ``2024-01-05``.
    first_block
        Height of the first block; it names the files, so that their order is that of the chain.
    blocks, logs
        Rows in each file.
    blocks_sha256, logs_sha256
        Hashes of the files, in hex.

    Examples
    --------
    >>> Part("2024-01-05", 18936000, 7, 0, "", "").file("logs")
    'logs/day=2024-01-05/000018936000.parquet'
    """

    day: str
    first_block: int
    blocks: int
    logs: int
    blocks_sha256: str
    logs_sha256: str

    def file(self, table: str) -> str:
        """Return the path of a table's file inside the tape, as Hive names partitions."""
        return f"{table}/day={self.day}/{self.first_block:012d}.parquet"

    def sha256(self, table: str) -> str:
        """Return the hash of a table's file."""
        return self.blocks_sha256 if table == BLOCKS else self.logs_sha256


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a tape is a recording of, and its parts in order of the chain.

    Parameters
    ----------
    start
        Source, tokens, specs, and pools before the first block, as JSON values.
    parts
        The complete ones.
    """

    start: dict[str, Any]
    parts: tuple[Part, ...] = ()

    @property
    def blocks(self) -> int:
        """Blocks in all parts."""
        return sum(part.blocks for part in self.parts)

    @property
    def logs(self) -> int:
        """Logs in all parts."""
        return sum(part.logs for part in self.parts)

    def save(self, folder: Path) -> None:
        """Write the manifest in place of the one that is there, in one step."""
        content: dict[str, Any] = {"version": TAPE_VERSION, **self.start}
        content["parts"] = [asdict(part) for part in self.parts]
        content["digest"] = digest(content)
        unfinished = folder / f"{MANIFEST}.new"
        with unfinished.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(content, indent=1) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(folder / MANIFEST)

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read the manifest of a tape.

        Raises
        ------
        TapeError
            If there is none, its version is not ours, or it is not what was written.
        """
        path = folder / MANIFEST
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            version, said = content.pop("version"), content.pop("digest")
            found = digest({"version": version, **content})
        except FileNotFoundError:
            raise _no_tape(folder, path) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise bad_manifest(folder, error) from error
        if version != TAPE_VERSION:
            raise TapeError(
                f"the tape has version {version}, this program reads {TAPE_VERSION}; record it again",
                file=str(path),
            )
        if said != found:
            raise TapeError(
                f"{path} is not what was recorded (digest differs); record the tape again", file=str(path)
            )
        try:
            parts = tuple(Part(**part) for part in content.pop("parts"))
            if any(not isinstance(part.blocks + part.logs + part.first_block, int) for part in parts):
                raise TypeError("a part's counts are no whole numbers")
        except (KeyError, TypeError, AttributeError) as error:
            raise bad_manifest(folder, error) from error
        return cls(content, parts)


def partial_of(folder: Path) -> Path:
    """Return where a tape lies while it is being recorded."""
    return folder.with_name(folder.name + ".partial")


def day_of(timestamp: int) -> str | None:
    """Return the UTC date of a block, ``None`` if the calendar has none.

    Examples
    --------
    >>> day_of(1704412799), day_of(1704412800), day_of(2**62)
    ('2024-01-04', '2024-01-05', None)
    """
    day = timestamp // DAY_SECONDS
    if not 0 <= day <= _LAST_DAY:
        return None
    return datetime.fromtimestamp(day * DAY_SECONDS, UTC).date().isoformat()


def digest(content: dict[str, Any]) -> str:
    """Return the hash of a manifest's contents, however it is laid out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def sha256_of(file: Path) -> str:
    """Return the hash of a file, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def bad_manifest(folder: Path, error: Exception) -> TapeError:
    """Return the error of a manifest that cannot be understood."""
    path = folder / MANIFEST
    return TapeError(
        f"{path} is corrupt ({type(error).__name__}: {error}); record the tape again", file=str(path)
    )


def _no_tape(folder: Path, path: Path) -> TapeError:
    advice = "record one first"
    if (partial_of(folder) / MANIFEST).is_file():
        advice = f"an unfinished one is in {partial_of(folder)}: replay that, or let `omniarb record` go on"
    return TapeError(f"{folder} is not a tape; {advice}", file=str(path))
