"""``omniarb bids``: what other policies would have kept of a run's own trades, from its journal."""

from __future__ import annotations

import os
from pathlib import Path

from rich.table import Table

from cli.bids_view import signed, unsigned
from cli.output import print_json, printable
from cli.screen import Screen
from core.config_loader import load_settings
from core.errors import InputError
from core.reasons import Refusal
from core.seams import SystemClock
from execution.journal import Journal
from execution.journal_schema import journal_copy
from pipeline.own_bids import OwnBids, judge_own_bids

JOURNAL = "journal.db"


def show_bids(run: str, *, as_json: bool) -> None:
    """Judge bid policies on a run's journal, and print what they come to.

    Parameters
    ----------
    run
        Name of a run in the folder of runs, or a path to a run's folder.
    as_json
        Print one document and nothing else.

    Raises
    ------
    InputError
        If there is no such run, or it left no journal or something else in its place.
    ExecutionError
        If its journal cannot be read, or a row of it is damaged.
    """
    file = _journal_of(run)
    # a copy: what is looked at is not written to
    with journal_copy(file) as engine:
        judged = judge_own_bids(Journal(engine, SystemClock()))
    if as_json:
        print_json({"journal": str(file), **judged.to_dict()})
        return
    screen = Screen(quiet=False, steps=1)
    if judged.rows:
        screen.console.print(_table(judged))
    for line in _lines(judged):
        screen.figure(line)


def _journal_of(run: str) -> Path:
    runs = load_settings("replay", os.environ).storage.runs_dir
    folder = Path(run) if Path(run).is_dir() else runs / run
    if not run.strip() or not folder.is_dir():
        raise InputError(f"there is no run '{printable(run)}'; name one in {runs}, or a run's folder")
    if not (folder / JOURNAL).is_file():
        raise InputError(f"run {folder.resolve().name} left no {JOURNAL}; it ended before it traded")
    return folder / JOURNAL


def _table(judged: OwnBids) -> Table:
    table = Table(title="share of the value kept an auction", title_justify="left", pad_edge=False)
    table.add_column("policy", no_wrap=True)
    for heading in ("kept, 95 %", "against ours, 95 %"):
        table.add_column(heading, justify="right", no_wrap=True)
    if judged.kept is not None:
        table.add_row("as sent", unsigned(judged.kept), "", style="bold")
    for row in judged.rows:
        kept, gain = row.kept, row.gain
        table.add_row(
            row.policy,
            kept.reason.value if isinstance(kept, Refusal) else unsigned(kept.doubly_robust),
            "" if isinstance(gain, Refusal) else signed(gain),
        )
    return table


def _lines(judged: OwnBids) -> list[str]:
    drawn = ", ".join(f"{count} by {printable(name)}" for name, count in judged.policies.items())
    lines = [f"{judged.auctions} auctions judged, {judged.won} won, {judged.tries} bids were tries"]
    if drawn:
        lines.append(f"drawn: {drawn}")
    if judged.set_aside:
        aside = ", ".join(f"{count} {verdict}" for verdict, count in judged.set_aside.items())
        lines.append(f"met no rival, not judged: {aside}")
    if judged.unknown:
        lines.append(
            f"{judged.unknown} lost to an unknown price; intervals span what a higher bid might have kept"
        )
    if judged.outranked:
        lines.append(
            f"{judged.outranked} lost at the better price, to one that was there first; "
            "intervals span whether other lost ones could have been won"
        )
    if judged.not_drawn:
        lines.append(f"{judged.not_drawn} settled bundles whose bid was not logged as a draw")
    return lines
