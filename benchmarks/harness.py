"""One shape for every published number: rows of {what, value, unit, reach, ok}.

A benchmark is a module of this package with ``def rows(progress) -> list[Row]``. Ratios are
taken against a baseline that is named in the row and measured in the same process and run.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Progress = Callable[[str], None]
"""Told what is being measured now."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Parameters
    ----------
    what, value, unit
        What was measured.
    reach
        What it should reach, for example ``>= 500``; empty if it is only reported.
    ok
        Whether it does; ``None`` if there is nothing to reach.
    baseline
        Name of what a ratio is taken against.
    """

    what: str
    value: float
    unit: str
    reach: str = ""
    ok: bool | None = None
    baseline: str = ""


def at_least(what: str, value: float, unit: str, bound: float, baseline: str = "") -> Row:
    """Return a row that is ok when ``value >= bound``.

    Examples
    --------
    >>> at_least("replay", 900.0, "blocks/s", 500).ok
    True
    """
    return Row(what, value, unit, f">= {bound:g}", value >= bound, baseline)


def at_most(what: str, value: float, unit: str, bound: float, baseline: str = "") -> Row:
    """Return a row that is ok when ``value <= bound``."""
    return Row(what, value, unit, f"<= {bound:g}", value <= bound, baseline)


def timed(action: Callable[[], Any], repeats: int) -> list[float]:
    """Return wall-clock seconds of each repeat."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return seconds


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return float(statistics.median(values))


def machine() -> str:
    """Return processor, cores and memory in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def commit() -> str:
    """Return the commit the code is at, ``-dirty`` if files differ; ``unknown`` without git."""
    # MLflow comes along and takes seconds to import, which a misspelt name need not wait for; and some
    # benchmarks run where neither it nor the settings' libraries are installed
    from core.config_loader import ROOT
    from models.tracking import code_version

    return code_version(ROOT)


@dataclass(frozen=True, slots=True)
class Result:
    """Rows of one benchmark with where, when and at which commit they were measured."""

    name: str
    commit: str
    machine: str
    measured_at: str
    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """Whether no row falls short."""
        return all(row.ok is not False for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain types for JSON."""
        return {**asdict(self), "rows": [asdict(row) for row in self.rows], "ok": self.ok}


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A benchmark that runs in an environment or on a machine of its own.

    Parameters
    ----------
    name, command
        What measures it.
    result
        What it measured last; ``None`` if it never ran.
    """

    name: str
    command: str
    result: Result | None


def read_result(file: Path) -> Result | None:
    """Return a result that was written as JSON, ``None`` if there is no such file."""
    if not file.exists():
        return None
    document = json.loads(file.read_text())
    rows = tuple(Row(**row) for row in document["rows"])
    return Result(document["name"], document["commit"], document["machine"], document["measured_at"], rows)


def write_result(result: Result, file: Path) -> None:
    """Write a result as JSON."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(result.to_dict(), indent=2) + "\n")


def measure(name: str, rows: Callable[[Progress], list[Row]], progress: Progress) -> Result:
    """Run one benchmark."""
    measured = rows(progress)
    now = datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Result(name, commit(), machine(), now, tuple(measured))


def markdown(results: Sequence[Result], elsewhere: Sequence[Elsewhere] = ()) -> str:
    """Return the performance page: one table per benchmark, with the command that measures it.

    Parameters
    ----------
    results
        Measured by ``omniarb bench``.
    elsewhere
        Benchmarks that have a command of their own, with what they measured last.
    """
    lines = [
        "# Performance",
        "",
        "Measured by `make figures`; every table names the command that repeats it. Absolute times",
        "belong to the machine named; ratios travel. A row with nothing under *reach* is reported only.",
    ]
    for result in results:
        lines += _section(result.name, f"omniarb bench {result.name}", result)
    for other in elsewhere:
        lines += _section(other.name, other.command, other.result)
    return "\n".join(lines) + "\n"


def _section(name: str, command: str, result: Result | None) -> list[str]:
    if result is None:
        return ["", f"## {name}", "", f"Not measured yet; `{command}` measures it."]
    lines = [
        "",
        f"## {name}",
        "",
        f"`{command}`: {result.machine}; commit {result.commit}; {result.measured_at}.",
        "",
        "| what | value | unit | reach | ok | against |",
        "|---|---:|---|---|---|---|",
    ]
    for row in result.rows:
        verdict = {True: "yes", False: "**no**", None: ""}[row.ok]
        lines.append(
            f"| {row.what} | {row.value:,.4g} | {row.unit} | {row.reach} | {verdict} | {row.baseline} |"
        )
    return lines
