"""Options of several commands: their types, and what they refuse before a command begins."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_SEED = 7
LARGEST_SEED = 2**63 - 1
"""What every generator of random numbers takes."""


def named_path(text: str) -> Path:
    """Return a path; nothing at all (an empty shell variable) would mean the current folder.

    Raises
    ------
    typer.BadParameter
        If the text is empty.
    """
    if not text.strip():
        raise typer.BadParameter("it is empty; name a file or a folder")
    return Path(text)


def finite(seconds: float) -> float:
    """Return the seconds.

    Raises
    ------
    typer.BadParameter
        For ``nan`` and ``inf``, after which no block would ever come.
    """
    if not math.isfinite(seconds):
        raise typer.BadParameter("it must be a number of seconds, such as 2 or 0.5")
    return seconds


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Same seed, same run, up to times.")
]
Config = Annotated[str, typer.Option("--config", help="A name in configs/ or a path to a JSON file.")]
Realtime = Annotated[
    float,
    typer.Option(
        "--realtime", min=0.0, callback=finite, help="Mine on a clock, seconds a block; 0 is lock-step."
    ),
]
Day = Annotated[
    str,
    typer.Option("--day", help="A day of the data root: ethereum-2024-01-05 (default), polygon-2022-01-05."),
]
Tape = Annotated[
    Path | None,
    typer.Option(
        "--tape",
        parser=named_path,
        metavar="<path>",
        help="A recorded tape; default is the day in the data root.",
    ),
]
Record = Annotated[
    Path | None,
    typer.Option("--record", parser=named_path, metavar="<path>", help="Write what happens to this tape."),
]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        parser=named_path,
        metavar="<path>",
        help="Write the searcher's encrypted keystores to this folder.",
    ),
]
Write = Annotated[
    Path | None,
    typer.Option("--write", parser=named_path, metavar="<path>", help="Also write the page of figures here."),
]
