"""What a person sees while a run goes on: a bar with rate and ETA per step, then a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

Advance = Callable[[int], None]
"""Call with the absolute number of units done."""


class RateColumn(TextColumn):
    """Units a second of the running task."""

    def __init__(self) -> None:
        super().__init__("{task.speed}")

    def render(self, task: object) -> Text:
        """Return the rate, or a dash before it is known."""
        speed = getattr(task, "finished_speed", None) or getattr(task, "speed", None)
        return Text(f"{speed:,.0f}/s" if speed else "-/s", style="progress.data.speed")


class Screen:
    """Shows steps on a terminal; silent with ``quiet`` (``--json``)."""

    def __init__(self, *, quiet: bool, steps: int) -> None:
        self.console = Console(stderr=False, quiet=quiet, highlight=False)
        self._count = 0
        self._total = steps

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Show one step's bar; yields a callable that takes the units done so far."""
        self._count += 1
        label = f"[bold]{self._count}/{self._total}[/bold] {title}"
        with Progress(*_columns(), console=self.console, refresh_per_second=4) as progress:
            task: TaskID = progress.add_task(label, total=total)
            yield lambda done: progress.update(task, completed=done)
            finished = progress.tasks[0].completed if total is None else total
            progress.update(task, total=finished or 1, completed=finished or 1)

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Advance]:
        """Show a bar for work inside a step."""
        with Progress(*_columns(), console=self.console, refresh_per_second=4) as progress:
            task: TaskID = progress.add_task(f"      {title}", total=total)
            yield lambda done: progress.update(task, completed=done)

    def figure(self, text: str) -> None:
        """Print the line that sums a step up."""
        self.console.print(f"      {text}")

    def skipped(self, title: str, why: str) -> None:
        """Print a step that was not done, with its reason code."""
        self._count += 1
        self.console.print(f"[bold]{self._count}/{self._total}[/bold] {title}: skipped, {why}")

    def table(self, title: str, rows: list[tuple[str, str, str]]) -> None:
        """Print a three-column table: what, value, what it means."""
        table = Table(title=title, title_justify="left", show_header=False, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_column(style="dim")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
