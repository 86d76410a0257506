"""Which format a snapshot file has, told by what it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from market.snapshots.files import bad_file, read_text
from market.snapshots.formats import FORMATS


def detect_format(file: Path) -> str:
    """Return a key of :data:`market.snapshots.formats.FORMATS`.

    The first JSON document of the file decides; whether the file is sound is for its reader to say.

    Raises
    ------
    InputError
        If the file cannot be read.
    TapeError
        If it begins like none of the formats.
    """
    text = read_text(file).lstrip()
    if not text:
        bad_file(file, "is empty")
    try:
        document, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        bad_file(file, "does not begin with a JSON document")
    name = _format_of(document)
    if name is None:
        bad_file(file, f"is none of the formats of snapshots ({', '.join(FORMATS)})")
    return name


def _format_of(document: Any) -> str | None:
    if isinstance(document, list):
        return "tycho-pools"
    if not isinstance(document, dict):
        return None
    if "format" in document:
        return "omniarb"
    if "amms" in document:
        return "cow-auction"
    return "tycho-snapshot" if "state_msgs" in document else None
