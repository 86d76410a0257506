"""For every edge, the cycles that use it, hops included, in one stretch of memory.

When an edge moves, its cycles are scored by reading that stretch from front to back. A list of rows alone
would send every read to another place of a large table, which costs ten times as much as scoring.
The edges of a pool follow each other, and so do their stretches.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.errors import InputError


class Postings(NamedTuple):
    """Cycles by edge, ascending by row within an edge.

    Parameters
    ----------
    first
        int64; the postings of edge ``e`` are those from ``first[e]`` to ``first[e + 1]``.
    rows
        int32 rows of the cycle table.
    hops
        Hops of these cycles, as the table has them.
    """

    first: NDArray[np.int64]
    rows: NDArray[np.int32]
    hops: NDArray[Any]


def postings_of(hops: NDArray[Any], edges: int) -> Postings:
    """Return the postings of a table.

    Parameters
    ----------
    hops
        Hops of the cycles, padded with ``edges``.
    edges
        How many edges there are, without the padding row.

    Raises
    ------
    InputError
        If there are more cycles than 32 bits can number.

    Examples
    --------
    >>> found = postings_of(np.array([[0, 1, 3], [0, 2, 1]], np.uint16), 3)
    >>> found.first.tolist(), found.rows.tolist(), found.hops[0].tolist()
    ([0, 2, 4, 5], [0, 1, 0, 1, 1], [0, 1, 3])
    """
    if len(hops) > np.iinfo(np.int32).max:
        raise InputError("more cycles than 32 bits can number; score fewer, or a sample", cycles=len(hops))
    first = _firsts(hops, edges)
    rows = np.empty(first[-1], np.int32)
    stretches = np.empty((first[-1], hops.shape[1]), hops.dtype)
    _fill(hops, edges, first[:-1].copy(), rows, stretches)
    return Postings(first, rows, stretches)


@compiled
def _firsts(hops: NDArray[Any], edges: int) -> NDArray[np.int64]:
    counts = np.zeros(edges + 1, np.int64)
    for row in range(hops.shape[0]):
        for hop in range(hops.shape[1]):
            counts[hops[row, hop]] += 1
    first = np.zeros(edges + 1, np.int64)
    for edge in range(edges):
        first[edge + 1] = first[edge] + counts[edge]
    return first


@compiled
def _fill(
    hops: NDArray[Any],
    edges: int,
    free: NDArray[np.int64],
    rows: NDArray[np.int32],
    stretches: NDArray[Any],
) -> None:
    for row in range(hops.shape[0]):
        for hop in range(hops.shape[1]):
            edge = hops[row, hop]
            if edge < edges:
                place = free[edge]
                rows[place] = row
                for each in range(hops.shape[1]):
                    stretches[place, each] = hops[row, each]
                free[edge] += 1
