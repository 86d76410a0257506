"""Every benchmark by name."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import loop, market, scoring
from benchmarks.harness import Progress, Row

BENCHMARKS: dict[str, Callable[[Progress], list[Row]]] = {
    "loop": loop.rows,
    "market": market.rows,
    "scoring": scoring.rows,
}
