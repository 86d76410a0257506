"""What scores all cycles of a list at once: one interface, on the processor or on a graphics card.

A device knows majorants only, so its values are upper bounds of what cycles earn, exact where all pools are
constant product. Every device does the same operations in the same order in float64 where it decides, and
breaks ties by the row of the cycle, so every device returns the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CycleTable:
    """Cycles in rows.

    Parameters
    ----------
    hops
        Rows of :class:`scoring.columns.EdgeColumns`, shape ``(cycles, width)``, uint16 where all fit and
        int32 otherwise; short cycles are padded at the end with the last edge. Rows ascend
        lexicographically, so the order of rows is an order of cycles.
    start
        int32; the token each starts in, which is what it earns.
    """

    hops: NDArray[np.uint16] | NDArray[np.int32]
    start: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True, slots=True)
class Change:
    """Edges that move, to which majorants; all arrays of one length, ``edges`` int64."""

    edges: NDArray[np.int64]
    rates: NDArray[np.float64]
    bends: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Top:
    """Best cycles first, by net value and then by row; only those whose net value is positive.

    Parameters
    ----------
    rows
        int64 rows of the cycle table.
    nets
        float64 net values in wei of the native token: worth of the profit's bound, less the hops' costs.
    """

    rows: NDArray[np.int64]
    nets: NDArray[np.float64]


class Device(Protocol):
    """All cycles of one table at the present state of a market."""

    @property
    def name(self) -> str:
        """What it runs on, for people."""
        ...

    def update(self, change: Change) -> None:
        """Take over edges that moved."""
        ...

    def top(self, count: int) -> Top:
        """Return the best cycles of all."""
        ...

    def what_if(self, changes: Sequence[Change], count: int) -> list[Top]:
        """Return the best of all cycles in each of many states that differ by a few edges; keep none."""
        ...
