"""Snapshot files as text and JSON: plain or zstd, checked before anybody looks into them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import zstandard

from core.errors import InputError, TapeError
from market.snapshots.fields import Record

MAX_BYTES = 512 * 1024 * 1024
"""Most bytes a file may unpack to; a larger one is refused instead of filling the memory."""

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_PIECE = 1 << 12


def read_text(file: Path) -> str:
    """Return the text of a file, unpacked if it is zstd.

    Raises
    ------
    InputError
        If the file cannot be read, or unpacks to more than ``MAX_BYTES``.
    TapeError
        If it is damaged, or no UTF-8 text.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        why = f"{file.name} cannot be read ({error.strerror}); name a file that is there"
        raise InputError(why, path=str(file)) from None
    if raw.startswith(_ZSTD_MAGIC):
        raw = _unpacked(file, raw)
    if len(raw) > MAX_BYTES:
        raise InputError(f"{file.name} holds more than {MAX_BYTES} bytes; split it", path=str(file))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        bad_file(file, f"is no text (byte {error.start})", byte=error.start)


def parse(file: Path, text: str, line: int = 1) -> Any:
    """Return JSON values, objects as :class:`~market.snapshots.fields.Record`.

    Parameters
    ----------
    file
        Named in errors.
    text
        One JSON document.
    line
        Line of the file that it begins on, from 1.

    Raises
    ------
    TapeError
        If it is no JSON; ``fields`` carry file, line and column.
    """
    try:
        return json.loads(text, object_pairs_hook=Record, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        at = line + error.lineno - 1
        bad_file(file, f"is no JSON at line {at}, column {error.colno}", line=at, column=error.colno)
    except ValueError as error:
        bad_file(file, f"is no JSON of ours from line {line} on ({error})", line=line)
    except RecursionError:
        bad_file(file, f"is nested too deeply from line {line} on", line=line)


def bad_file(file: Path, what: str, /, **fields: Any) -> NoReturn:
    """Refuse a whole file.

    Raises
    ------
    TapeError
        Always.
    """
    raise TapeError(f"{file.name} {what}; fetch it again or name another file", file=str(file), **fields)


def _unpacked(file: Path, packed: bytes) -> bytes:
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    whole = bytearray()
    try:
        # in small pieces, since a few bytes may unpack to very many
        for at in range(0, len(packed), _PIECE):
            whole += unpacker.decompress(packed[at : at + _PIECE])
            if len(whole) > MAX_BYTES:
                break
    except zstandard.ZstdError as error:
        bad_file(file, f"is damaged zstd ({error})")
    if unpacker.unused_data:
        bad_file(file, f"goes on after its zstd frame, which gives {len(whole)} bytes", byte=len(whole))
    if not unpacker.eof and len(whole) <= MAX_BYTES:
        bad_file(file, f"ends in the middle of its zstd frame, after {len(whole)} bytes", byte=len(whole))
    return bytes(whole)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
