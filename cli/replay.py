"""``omniarb replay``: one recording through the loop, counted."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.world import WRAPPED_NATIVE

from cli.output import print_json
from cli.screen import Screen
from core.errors import InputError
from market.history import load_day
from market.recorded import Recorded
from market.tape import TapeReader
from pipeline.replay import Replay, replay

DATA_VARIABLE = "OMNIARB_DATA"


def data_root() -> Path | None:
    """Return the folder of recorded history: ``OMNIARB_DATA``, else ``data/``; ``None`` if neither is there.

    Raises
    ------
    InputError
        If the variable names a folder that is not there.
    """
    named = os.environ.get(DATA_VARIABLE)
    if named:
        if not Path(named).is_dir():
            raise InputError(
                f"{DATA_VARIABLE} is '{named}', which is no folder; correct or unset it", path=named
            )
        return Path(named)
    return Path("data") if Path("data").is_dir() else None


def show_replay(tape: Path | None, *, as_json: bool) -> None:
    """Replay and print counts."""
    recorded = _open(tape)
    screen = Screen(quiet=as_json, steps=1)
    with screen.step(f"Replay {recorded.source}", recorded.block_count) as advance:
        result = replay(recorded, WRAPPED_NATIVE, advance)
    if as_json:
        print_json(summary_of(result))
    else:
        screen.table("Replay", [(name, f"{value}", "") for name, value in summary_of(result).items()])


def summary_of(result: Replay) -> dict[str, object]:
    """Return a replay's counts as the summary file has them."""
    return {
        "source": result.source,
        "blocks": result.blocks,
        "logs": result.logs,
        "swaps": result.swaps,
        "invariant_checked": result.invariant_checked,
        "invariant_ok": result.invariant_ok,
        "not_checkable": result.not_checkable,
        "opportunities": result.opportunities,
        "digest": result.digest,
    }


def _open(tape: Path | None) -> Recorded:
    if tape is not None:
        return TapeReader(tape).recorded()
    root = data_root()
    if root is None:
        raise InputError(
            f"there is no recorded history: set {DATA_VARIABLE} to its folder, or give --tape "
            "(make one with `omniarb devnet --record`)"
        )
    return load_day(root)
