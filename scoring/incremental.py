"""The best cycles of a market that moves by a few edges at a time, exactly those that a full scan would find.

A moved edge touches its cycles alone. Those kept in the reserve that use it are stale from then on; all that
use it are scored from their postings, and enter where they stand at or above the reserve's floor. What did
not move keeps its side of the floor, so the reserve stays what it says it is. When it holds too few, or when
so much moved that reading postings costs more than reading the table, the table is scanned anew.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.errors import InputError
from scoring.batch import BLOCK, Majorants, collect, hops_of, majorants_of, net_value, survivors
from scoring.columns import EdgeColumns
from scoring.devices.device import Change, CycleTable, Top
from scoring.postings import Postings, postings_of
from scoring.reserve import Kept, Mark, drop_stale, keep_best, put, stands_above
from scoring.what_if import DONE, WhatIf, first_touched, imagine, override, touch, untouch

SCAN_SHARE = 0.9
"""Postings per cycle of the table from which scanning it is faster; measured on 1e5 to 4e6 cycles."""

LEAST_KEPT = 2048
"""Cycles kept at least: with fewer, a pool that holds most of the best leaves too few when it moves away;
with more, going through them costs as much as scoring a pool's cycles."""

_REFUSED, _DONE, _STALE = range(3)


class IncrementalScorer:
    """All cycles of a table, scored as their edges move.

    Parameters
    ----------
    edges
        The market; a copy is taken of what changes.
    worth
        Wei of the native token for a raw unit of every token, 0 where no cycle may start.
    table
        The cycles.
    threads
        How many scan the table; see :func:`scoring.batch.collect`.

    Raises
    ------
    InputError
        If these do not fit each other, or a number among them is not finite.
    """

    def __init__(
        self, edges: EdgeColumns, worth: NDArray[np.float64], table: CycleTable, threads: int = 1
    ) -> None:
        if threads < 1:
            raise InputError("scoring needs one thread at least", threads=threads)
        self._threads = threads
        self._edges = len(edges.rate) - 1
        self._stale = False
        self._majorants = majorants_of(edges, worth)
        self._hops = hops_of(edges, table)
        self._postings = postings_of(self._hops, self._edges)
        self._limit = int(SCAN_SHARE * len(self._hops))
        self._touched = np.zeros(self._edges + 1, np.uint8)
        self._want = LEAST_KEPT
        self._scan()

    def update(self, change: Change) -> None:
        """Take over edges that moved.

        Raises
        ------
        InputError
            If a row is no edge, or a rate or bend is negative or not finite. Nothing is changed then.
        """
        edges, rates, bends = _arrays(change)
        outcome, mark = _rescore(
            self._majorants,
            self._postings,
            edges,
            rates,
            bends,
            self._reserve.kept,
            self._reserve.mark,
            self._touched,
            self._changes + 1,
            self._want,
            -1 if self._stale else self._limit,
        )
        if outcome == _REFUSED:
            raise _refusal(edges, rates, bends, self._edges)
        self._stale = outcome == _STALE
        self._changes += 1
        self._reserve.mark = mark

    def top(self, count: int) -> Top:
        """Return the best cycles of all.

        Raises
        ------
        InputError
            If ``count`` is below one.
        """
        count = self._possible(count)
        if not self._stale:
            best = self._reserve.best(count)
            if self._reserve.has_best(count, best):
                return best
        self._want = max(self._want, 4 * count)
        self._scan()
        return self._reserve.best(count)

    def what_if(self, change: Change, count: int) -> WhatIf:
        """Return the best cycles in a state that differs by a change; nothing of it stays.

        Raises
        ------
        InputError
            As :meth:`update` and :meth:`top`.
        """
        edges, rates, bends = _arrays(change)
        if not _is_sound(edges, rates, bends, self._edges):
            raise _refusal(edges, rates, bends, self._edges)
        count = self._possible(count)
        self.top(count)  # so that the reserve holds the best of the present state
        affected_rows, affected_nets, rows, nets = imagine(
            self._majorants,
            self._postings,
            self._hops,
            edges,
            rates,
            bends,
            self._reserve.kept,
            self._reserve.mark,
            self._touched,
            count,
            self._limit,
        )
        return WhatIf(Top(affected_rows, affected_nets), Top(rows, nets))

    def _possible(self, count: int) -> int:
        """Return how many cycles there can be at most of those asked for."""
        if count < 1:
            raise InputError("ask for one cycle at least", count=count)
        return min(count, max(len(self._hops), 1))

    def _scan(self) -> None:
        self._want = min(self._want, max(len(self._hops), 1))
        self._reserve = collect(self._majorants, self._hops, self._want, self._threads)
        self._stale, self._changes = False, 0


def _arrays(change: Change) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return copies of a change's arrays, so that kernels meet one type of each."""
    if np.asarray(change.edges).dtype.kind not in "iu" and len(change.edges):
        raise InputError("edges of a change are rows; give integers")
    return (
        np.array(change.edges, np.int64),
        np.array(change.rates, np.float64),
        np.array(change.bends, np.float64),
    )


def _refusal(
    edges: NDArray[np.int64], rates: NDArray[np.float64], bends: NDArray[np.float64], count: int
) -> InputError:
    if not edges.shape == rates.shape == bends.shape:
        return InputError("a change needs one rate and one bend for each edge")
    strange = edges[(edges < 0) | (edges >= count)]
    if len(strange):
        return InputError(f"row {strange[0]} is no edge; there are {count}", row=int(strange[0]))
    unsound = ~(np.isfinite(rates) & np.isfinite(bends) & (rates >= 0.0) & (bends >= 0.0))
    row = int(edges[unsound][0])
    return InputError(
        f"the new rate or bend of edge {row} is negative or not finite; a dead edge has the rate 0", row=row
    )


@compiled
def _is_sound(
    edges: NDArray[np.int64], rates: NDArray[np.float64], bends: NDArray[np.float64], count: int
) -> bool:
    if len(edges) != len(rates) or len(edges) != len(bends):
        return False
    for place, edge in enumerate(edges):
        if edge < 0 or edge >= count:
            return False
        if not (0.0 <= rates[place] < np.inf and 0.0 <= bends[place] < np.inf):
            return False
    return True


@compiled
def _rescore(
    majorants: Majorants,
    postings: Postings,
    edges: NDArray[np.int64],
    rates: NDArray[np.float64],
    bends: NDArray[np.float64],
    kept: Kept,
    mark: Mark,
    touched: NDArray[np.uint8],
    change: int,
    want: int,
    limit: int,
) -> tuple[int, Mark]:
    """Take over a change, and bring the reserve up to date unless that takes more postings than the limit."""
    if not _is_sound(edges, rates, bends, len(touched) - 1):
        return _REFUSED, mark
    override(majorants, edges, rates, bends)
    if touch(postings, edges, touched) > limit:
        untouch(edges, touched)
        return _STALE, mark
    for edge in edges:
        kept.moved[edge] = change
    mark = _with_postings(majorants, postings, edges, kept, mark, touched, change, want)
    untouch(edges, touched)
    return _DONE, mark


@compiled
def _with_postings(
    majorants: Majorants,
    postings: Postings,
    edges: NDArray[np.int64],
    kept: Kept,
    mark: Mark,
    touched: NDArray[np.uint8],
    change: int,
    want: int,
) -> Mark:
    """Score the cycles of marked edges, each with the first of its hops that is marked."""
    size, floor, floor_row = mark
    rate, hops, rows = majorants.rate, postings.hops, postings.rows
    products, places = np.empty(BLOCK), np.empty(BLOCK + 1, np.int64)
    for edge in edges:
        if touched[edge] == DONE:
            continue
        touched[edge] = DONE
        stop = postings.first[edge + 1]
        for start in range(postings.first[edge], stop, BLOCK):
            found = survivors(rate, hops, start, min(start + BLOCK, stop), products, places)
            for at in places[:found]:
                net, row = net_value(majorants.edges, hops, at), rows[at]
                if stands_above(net, row, floor, floor_row) and first_touched(hops, at, touched) == edge:
                    put(kept, size, net, row, change, hops, at)
                    size += 1
                    if size == len(kept.nets):
                        size = drop_stale(kept, size)
                        if size > want:
                            size, floor, floor_row = keep_best(kept, size, want)
    return size, floor, floor_row
