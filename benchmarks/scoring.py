"""Scoring cycles: exact search, lists of cycles, sizes, and a recorded market.

The seeded market is described in docs/reference/benchmark-market.md; everything runs on one core.
"""

from __future__ import annotations

from benchmarks.harness import Progress, Row
from benchmarks.scoring_calls import call_rows
from benchmarks.scoring_events import event_rows
from benchmarks.scoring_lists import list_rows
from benchmarks.scoring_recorded import recorded_rows
from benchmarks.scoring_searching import search_rows
from benchmarks.scoring_solving import solving_rows


def rows(progress: Progress) -> list[Row]:
    """Return the figures of scoring."""
    parts = (search_rows, list_rows, event_rows, call_rows, solving_rows, recorded_rows)
    return [row for part in parts for row in part(progress)]
