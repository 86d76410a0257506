"""``omniarb bench``: run benchmarks, show rows, write the page of figures."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Result, markdown, measure
from benchmarks.registry import BENCHMARKS, measured_elsewhere
from cli.output import print_json, try_to_write
from core.errors import InputError


def run_bench(name: str, *, as_json: bool, write: Path | None) -> bool:
    """Measure one benchmark, or all, and return whether every row reaches what it should.

    Raises
    ------
    InputError
        If there is no benchmark of that name.
    OSError
        If the page cannot be written; nothing has been measured then.
    """
    if name != "all" and name not in BENCHMARKS:
        known = ", ".join(sorted(BENCHMARKS))
        raise InputError(f"there is no benchmark '{name}'; there are: all, {known}", name=name)
    if write is not None:
        try_to_write(write)
    names = sorted(BENCHMARKS) if name == "all" else [name]
    results = []
    for each in names:
        results.append(measure(each, BENCHMARKS[each], partial(_say, each)))
        if not as_json:
            _show(results[-1])
    if as_json:
        documents = [result.to_dict() for result in results]
        print_json(documents if name == "all" else documents[0])
    if write is not None:
        write.write_text(markdown(results, measured_elsewhere()))
    return all(result.ok for result in results)


def _say(name: str, text: str) -> None:
    sys.stderr.write(f"{name}: {text}\n")


def _show(result: Result) -> None:
    table = Table(
        title=f"{result.name}  ({result.machine}; commit {result.commit})",
        title_justify="left",
        pad_edge=False,
    )
    table.add_column("what")
    table.add_column("value", justify="right")
    for column in ("unit", "reach", "ok", "against"):
        table.add_column(column)
    for row in result.rows:
        verdict = {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}[row.ok]
        table.add_row(row.what, f"{row.value:,.4g}", row.unit, row.reach, verdict, row.baseline)
    Console().print(table)
