"""Scoring all cycles of a list on the processor."""

from __future__ import annotations

import platform
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.columns import EdgeColumns
from scoring.devices.device import Change, CycleTable, Top
from scoring.incremental import IncrementalScorer


class CpuDevice:
    """All cycles of one table on the processor, scored as their edges move.

    Parameters
    ----------
    edges
        The market at first.
    worth
        Wei of the native token for a raw unit of every token, 0 where no cycle may start.
    table
        The cycles.
    threads
        How many scan the table.

    Raises
    ------
    InputError
        If these do not fit each other, or a number among them is not finite.

    Examples
    --------
    >>> from scoring.columns import moebius_columns
    >>> tokens = np.array([0, 1])
    >>> edges, _ = moebius_columns(
    ...     np.array([2.0, 0.5]), np.full(2, 1e-3), np.zeros(2), tokens, tokens[::-1], np.zeros(2)
    ... )
    >>> table = CycleTable(np.array([[0, 1]], np.uint16), np.zeros(1, np.int32))
    >>> device = CpuDevice(edges, np.array([1.0, 0.0]), table)
    >>> device.top(1).rows.tolist()
    []
    >>> device.update(Change(np.array([1]), np.array([2.0]), np.array([1e-3])))
    >>> device.top(1).rows.tolist()
    [0]
    """

    def __init__(
        self, edges: EdgeColumns, worth: NDArray[np.float64], table: CycleTable, threads: int = 1
    ) -> None:
        self._scorer = IncrementalScorer(edges, worth, table, threads)
        self._threads = threads

    @property
    def name(self) -> str:
        """What it runs on, for people."""
        count = f"{self._threads} thread" + "s" * (self._threads > 1)
        return f"processor ({platform.machine()}, {count})"

    def update(self, change: Change) -> None:
        """Take over edges that moved; see :meth:`IncrementalScorer.update`."""
        self._scorer.update(change)

    def top(self, count: int) -> Top:
        """Return the best cycles of all; see :meth:`IncrementalScorer.top`."""
        return self._scorer.top(count)

    def what_if(self, changes: Sequence[Change], count: int) -> list[Top]:
        """Return the best of all cycles in each imagined state; see :meth:`IncrementalScorer.what_if`."""
        return [self._scorer.what_if(change, count).market for change in changes]
