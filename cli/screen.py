"""What a person sees while a run goes on: a line per step, a bar with rate and ETA, a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from cli.output import printable

Advance = Callable[[int], None]
"""Call with the number of units done so far."""

INDENT = "      "


@contextmanager
def waiting(what: str, *, quiet: bool) -> Iterator[None]:
    """Show that something takes a while, where a terminal can show it."""
    console = Console(quiet=quiet)
    if not console.is_terminal:
        console.print(f"{what} …")
    with console.status(f"{what} …"):
        yield


class RateColumn(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        """Return the rate, or a dash before it is known."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "-/s", style="progress.data.speed")


class Screen:
    """Shows steps on a terminal; silent with ``quiet`` (``--json``).

    Parameters
    ----------
    quiet
        Print nothing.
    steps
        How many steps there will be.
    """

    def __init__(self, *, quiet: bool, steps: int) -> None:
        # names, symbols and reverts come from strangers: nothing in a text is markup
        self.console = Console(quiet=quiet, highlight=False, markup=False, emoji=False)
        self._count = 0
        self._total = steps

    @contextmanager
    def step(self, title: str, total: int = 1) -> Iterator[Advance]:
        """Show one numbered step; yields a callable that takes the units done so far."""
        self._count += 1
        self.console.print(f"{self._count}/{self._total} {printable(title)}", style="bold")
        with self.bar("", total) as advance:
            yield advance

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Advance]:
        """Show a bar of its own, below a title if there is one."""
        if title:
            self.console.print(f"{INDENT}{printable(title)}")
        columns = (
            TextColumn(INDENT.removesuffix(" ")),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            RateColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, refresh_per_second=4) as progress:
            task = progress.add_task("", total=total)
            yield lambda done: progress.update(task, completed=done)

    def figure(self, text: str) -> None:
        """Print the line that sums a step up."""
        self.console.print(f"{INDENT}{printable(text)}", soft_wrap=True)

    def table(self, title: str, rows: list[tuple[str, str, str]]) -> None:
        """Print a table of what, value, and what it means."""
        table = Table(title=printable(title), title_justify="left", show_header=False, pad_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        if any(row[2] for row in rows):
            table.add_column(style="dim", overflow="fold")
        for row in rows:
            table.add_row(*map(printable, row if any(row[2] for row in rows) else row[:2]))
        self.console.print(table)
