"""The best cycles, kept with a line below which everything was left out.

Cycles are ordered by net value, highest first, and where those are equal by row, lowest first. The order is
total, so a *floor*, the pair of a net value and a row, divides all cycles: those kept stand at or above it,
and **every other cycle stands below it**. As long as that holds, the best of those kept are the best of all.
At first the floor is ``(0, -1)``: what nets nothing is never kept, and nothing else was left out.

A cycle of which an edge has moved since it was put there is *stale*: its net value is that of a former state.
Stale cycles are passed over where they are met and dropped when room is needed: going through all that is
kept whenever an edge moves would take as long as scoring the cycles of its pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from scoring.devices.device import Top

Mark = tuple[int, float, int]
"""How many are kept, and the net value and row of the floor."""

NOTHING: Mark = (0, 0.0, -1)
"""No cycle is kept, and none that nets something was left out."""


class Kept(NamedTuple):
    """Room for the cycles that are kept, in no order, and what tells which of them are stale.

    Parameters
    ----------
    nets
        float64, wei.
    rows
        int64 rows of the cycle table.
    seen
        int64; the change, counted from one, after which each was scored.
    hops
        Their hops, as the table has them.
    moved
        int64; the last change, counted from one, that moved each edge.
    """

    nets: NDArray[np.float64]
    rows: NDArray[np.int64]
    seen: NDArray[np.int64]
    hops: NDArray[Any]
    moved: NDArray[np.int64]


def room_for(count: int, hops: NDArray[Any], edges: int) -> Kept:
    """Return empty room for so many cycles of a table; ``edges`` counts the padding row too."""
    columns = np.empty((count, hops.shape[1]), hops.dtype)
    integers = np.empty(count, np.int64), np.empty(count, np.int64)
    return Kept(np.empty(count), *integers, columns, np.zeros(edges, np.int64))


@compiled
def stands_above(net: float, row: int, floor: float, floor_row: int) -> bool:
    """Return whether a cycle stands at or above the floor; a net value that is no number does not."""
    return net > floor or (net == floor and row <= floor_row)


@compiled
def put(kept: Kept, place: int, net: float, row: int, seen: int, hops: NDArray[Any], at: int) -> None:
    """Write a cycle to a place; its hops are those at ``hops[at]``."""
    kept.nets[place] = net
    kept.rows[place] = row
    kept.seen[place] = seen
    for hop in range(hops.shape[1]):
        kept.hops[place, hop] = hops[at, hop]


@compiled
def is_stale(kept: Kept, place: int) -> bool:
    """Return whether an edge of a kept cycle has moved since it was scored."""
    last = 0
    for hop in range(kept.hops.shape[1]):
        last = max(last, kept.moved[kept.hops[place, hop]])
    return bool(last > kept.seen[place])


@compiled
def drop_stale(kept: Kept, size: int) -> int:
    """Drop what is stale; return how many are left."""
    place = 0
    while place < size:
        if is_stale(kept, place):
            size -= 1
            _move(kept, size, place)
        else:
            place += 1
    return size


@compiled
def _move(kept: Kept, place: int, to: int) -> None:
    put(kept, to, kept.nets[place], kept.rows[place], kept.seen[place], kept.hops, place)


@compiled
def keep_best(kept: Kept, size: int, want: int) -> Mark:
    """Drop all but the best ``want``, at least one, and raise the floor to the last; none is stale."""
    floor, floor_row = _in_place(kept.nets[:size].copy(), kept.rows[:size].copy(), want - 1)
    return drop_below(kept, size, floor, floor_row)


@compiled
def _in_place(nets: NDArray[np.float64], rows: NDArray[np.int64], wanted: int) -> tuple[float, int]:
    """Return the cycle that would stand at a place if all were in order; Hoare's selection."""
    low, high = 0, len(nets) - 1
    while low < high:
        net, row = nets[(low + high) // 2], rows[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while not stands_above(net, row, nets[left], rows[left]):
                left += 1
            while not stands_above(nets[right], rows[right], net, row):
                right -= 1
            if left <= right:
                nets[left], nets[right] = nets[right], nets[left]
                rows[left], rows[right] = rows[right], rows[left]
                left, right = left + 1, right - 1
        if wanted <= right:
            high = right
        elif wanted >= left:
            low = left
        else:
            break
    return nets[wanted], rows[wanted]


@compiled
def drop_below(kept: Kept, size: int, floor: float, floor_row: int) -> Mark:
    """Drop what stands below a floor."""
    place = 0
    while place < size:
        if stands_above(kept.nets[place], kept.rows[place], floor, floor_row):
            place += 1
        else:
            size -= 1
            _move(kept, size, place)
    return size, floor, floor_row


@compiled
def offer(nets: NDArray[np.float64], rows: NDArray[np.int64], size: int, net: float, row: int) -> int:
    """Offer a cycle to a heap of the best, its worst first; return the heap's new size.

    The arrays' length is how many the heap holds at most. Only positive net values are taken.
    """
    if not net > 0.0:
        return size
    if size < len(nets):
        place = size
        while place > 0:
            parent = (place - 1) // 2
            if not stands_above(nets[parent], rows[parent], net, row):
                break
            nets[place], rows[place] = nets[parent], rows[parent]
            place = parent
        nets[place], rows[place] = net, row
        return size + 1
    if size > 0 and stands_above(net, row, nets[0], rows[0]):
        _sink(nets, rows, size, net, row)
    return size


@compiled
def _sink(nets: NDArray[np.float64], rows: NDArray[np.int64], size: int, net: float, row: int) -> None:
    """Put a cycle in the place of the heap's worst."""
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and stands_above(nets[child], rows[child], nets[child + 1], rows[child + 1]):
            child += 1
        if not stands_above(net, row, nets[child], rows[child]):
            break
        nets[place], rows[place] = nets[child], rows[child]
        place = child
    nets[place], rows[place] = net, row


@compiled
def unheap(nets: NDArray[np.float64], rows: NDArray[np.int64], size: int) -> None:
    """Bring a heap into order, the best first."""
    for last in range(size - 1, 0, -1):
        net, row = nets[last], rows[last]
        nets[last], rows[last] = nets[0], rows[0]
        _sink(nets, rows, last, net, row)


@compiled
def best_kept(kept: Kept, size: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return rows and net values of the best ``count`` of those kept that are not stale, in order."""
    best_nets, best_rows = np.empty(count), np.empty(count, np.int64)
    found = 0
    for place in range(size):
        net, row = kept.nets[place], kept.rows[place]
        # most cycles end here: handing arrays to a function costs more than comparing
        is_better = found < count or stands_above(net, row, best_nets[0], best_rows[0])
        if is_better and not is_stale(kept, place):
            found = offer(best_nets, best_rows, found, net, row)
    unheap(best_nets, best_rows, found)
    return best_rows[:found], best_nets[:found]


@dataclass(slots=True)
class Reserve:
    """The cycles kept, and the floor.

    Parameters
    ----------
    kept
        Room.
    mark
        How much of it is used, and the floor.
    """

    kept: Kept
    mark: Mark = NOTHING

    def has_best(self, count: int, best: Top) -> bool:
        """Return whether these, the best of those kept, are the best ``count`` of all cycles."""
        return len(best.rows) == count or self.mark[1] == 0.0

    def best(self, count: int) -> Top:
        """Return the best of those kept."""
        size = self.mark[0]
        return Top(*best_kept(self.kept, size, min(count, size)))
