"""``omniarb replay``: one recording through the loop, counted."""

from __future__ import annotations

import os
from pathlib import Path

from chain.networks import load_network
from cli.history import open_recording, profit_token
from cli.output import print_json
from cli.screen import Screen
from core.config_loader import load_settings
from pipeline.replay import replay
from pipeline.summary import history_part


def show_replay(tape: Path | None, day: str, *, as_json: bool) -> None:
    """Replay and print counts.

    Raises
    ------
    InputError
        If there is nothing to replay, no such day, or both a tape and a day are named.
    TapeError
        If a row cannot be used; the message names file, row and position.
    """
    settings = load_settings("replay", os.environ)
    recorded = open_recording(tape, day, settings)
    token = profit_token(recorded, load_network(settings.web3.chain).weth)
    screen = Screen(quiet=as_json, steps=1)
    with screen.step(f"Replay: {recorded.source}", recorded.block_count) as advance:
        result = replay(recorded, token, advance=advance)
    counts = history_part(result)
    if as_json:
        print_json(counts)
    else:
        refusals = counts.pop("refusals")
        rows = [*counts.items(), *((f"refused: {reason}", count) for reason, count in refusals.items())]
        screen.table("Replay", [(name, f"{value}", "") for name, value in rows])
