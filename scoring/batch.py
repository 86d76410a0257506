"""Net values of all cycles of a table, in machine code.

A first pass over a block of cycles multiplies rates and nothing else, which suffices to drop nine cycles of
ten: one earns nothing unless the product exceeds one. The block's survivors are collected without branches,
since which cycle survives cannot be predicted, and only they meet the closed form. Composed in hop order from
``A = 1, C = 0`` by ``C += c A``, ``A *= a``, a cycle's majorant is ``A x / (1 + C x)``. It earns at most
``(sqrt(A) - 1)**2 / C``, and nets that times the worth of its start token, less its hops' costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.errors import InputError
from scoring.columns import EdgeColumns
from scoring.devices.device import CycleTable, Top
from scoring.reserve import NOTHING, Kept, Mark, Reserve, drop_below, keep_best, put, room_for, stands_above

RATE, BEND, COST, WORTH = range(4)
BLOCK = 1024
"""Cycles between two visits to the survivors: their products stay in the first cache."""

UNROLLED, MOST_HOPS = 4, 5
"""Hops that every table has columns for, since written out they take a third less time; and the most."""


class Majorants(NamedTuple):
    """What kernels read of a market.

    Parameters
    ----------
    rate
        ``a`` of every edge, apart from the rest: all that most cycles need.
    edges
        Rate, bend, cost in wei, and worth of the token taken in wei per raw unit; ``(edges + 1, 4)``.
    """

    rate: NDArray[np.float64]
    edges: NDArray[np.float64]


def majorants_of(edges: EdgeColumns, worth: NDArray[np.float64]) -> Majorants:
    """Return a copy of what kernels read of a market's columns.

    Parameters
    ----------
    edges
        Curves of all edges.
    worth
        Wei of the native token for a raw unit of every token, 0 where no cycle may start.

    Raises
    ------
    InputError
        If a number is not finite, or a rate, bend or worth is negative.
    """
    price = np.append(np.asarray(worth, np.float64), 0.0)
    if edges.token_in.max(initial=-1) >= len(price) - 1:
        raise InputError("an edge takes a token that has no worth; give every token's, 0 for most")
    table = np.stack([edges.rate, edges.bend, edges.cost, price[edges.token_in]], axis=1)
    if not np.isfinite(table).all() or not (table[:, [RATE, BEND, WORTH]] >= 0.0).all():
        raise InputError(
            "a rate, bend, cost or worth is not finite, or negative; give a dead edge the rate 0"
        )
    return Majorants(table[:, RATE].copy(), table)


def hops_of(edges: EdgeColumns, table: CycleTable) -> NDArray[Any]:
    """Return a table's hops as kernels take them, four columns at least.

    Raises
    ------
    InputError
        If the table is not one of these edges.
    """
    hops = np.asarray(table.hops)
    if hops.dtype not in (np.uint16, np.int32) or hops.ndim != 2 or not 2 <= hops.shape[1] <= MOST_HOPS:
        raise InputError(
            f"hops must be uint16 or int32 in rows of 2 to {MOST_HOPS}; make them by scoring.cycle_table"
        )
    if hops.size and (hops.max() >= len(edges.rate) or hops.min() < 0):
        raise InputError("a hop is no row of the edges; make the cycles from these edges")
    if len(table.start) != len(hops) or (edges.token_in[hops[:, 0]] != table.start).any():
        raise InputError("a cycle starts in another token than its first edge takes")
    missing = max(UNROLLED - hops.shape[1], 0)
    padded = np.pad(hops, ((0, 0), (0, missing)), constant_values=len(edges.rate) - 1) if missing else hops
    return np.require(padded, requirements=["C", "W"])


@compiled
def survivors(
    rate: NDArray[np.float64],
    hops: NDArray[Any],
    first: int,
    stop: int,
    products: NDArray[np.float64],
    places: NDArray[np.int64],
) -> int:
    """Write which rows of a block have rates whose product exceeds one; return how many."""
    block = hops[first:stop]
    for at in range(len(block)):
        products[at] = rate[block[at, 0]] * rate[block[at, 1]] * rate[block[at, 2]] * rate[block[at, 3]]
    for hop in range(UNROLLED, hops.shape[1]):
        for at in range(len(block)):
            products[at] *= rate[block[at, hop]]
    found = 0
    for at in range(len(block)):
        places[found] = first + at
        found += products[at] > 1.0
    return found


@compiled
def net_value(edges: NDArray[np.float64], hops: NDArray[Any], at: int) -> float:
    """Return what the cycle ``hops[at]``, a survivor, nets at most, in wei."""
    # chosen by arithmetic: a branch here makes numba count references to the arrays at every call
    none, width = len(edges) - 1, hops.shape[1]
    fifth = none + (width > UNROLLED) * (hops[at, width - 1] - none)
    first, second, third, fourth = hops[at, 0], hops[at, 1], hops[at, 2], hops[at, 3]
    rate, bend = edges[first, RATE], edges[first, BEND]
    bend += edges[second, BEND] * rate
    rate *= edges[second, RATE]
    bend += edges[third, BEND] * rate
    rate *= edges[third, RATE]
    bend += edges[fourth, BEND] * rate
    rate *= edges[fourth, RATE]
    bend += edges[fifth, BEND] * rate
    rate *= edges[fifth, RATE]
    cost = edges[first, COST] + edges[second, COST] + edges[third, COST] + edges[fourth, COST]
    gain = np.sqrt(rate) - 1.0
    net: float = edges[first, WORTH] * (gain * gain / bend) - (cost + edges[fifth, COST])
    return net


@compiled
def scan(
    majorants: Majorants, hops: NDArray[Any], first: int, stop: int, kept: Kept, mark: Mark, want: int
) -> Mark:
    """Add the cycles of rows ``first`` to ``stop`` to those kept, ``want`` at least and all at best."""
    size, floor, floor_row = mark
    products, places = np.empty(BLOCK), np.empty(BLOCK + 1, np.int64)
    for start in range(first, stop, BLOCK):
        found = survivors(majorants.rate, hops, start, min(start + BLOCK, stop), products, places)
        for row in places[:found]:
            net = net_value(majorants.edges, hops, row)
            if stands_above(net, row, floor, floor_row):
                put(kept, size, net, row, 0, hops, row)
                size += 1
                if size == len(kept.nets):
                    size, floor, floor_row = keep_best(kept, size, want)
    return size, floor, floor_row


def collect(majorants: Majorants, hops: NDArray[Any], want: int, threads: int = 1) -> Reserve:
    """Score all cycles and keep the best ``want`` at least, twice as many at most.

    Threads share the rows. They are Python's own, since kernels release the GIL: a pool of OpenMP beside
    another library's makes calls wait for whole time slices.

    Parameters
    ----------
    majorants, hops
        The market and its cycles.
    want
        One at least.
    threads
        How many score at once; one is best below the size that
        :func:`scoring.devices.choice.threads_pay_from` measures.
    """
    want = min(want, max(len(hops), 1))
    if threads == 1:
        kept = room_for(2 * want, hops, len(majorants.rate))
        return Reserve(kept, scan(majorants, hops, 0, len(hops), kept, NOTHING, want))
    edges = np.linspace(0, len(hops), threads + 1).astype(np.int64).tolist()
    parts = [room_for(2 * want, hops, len(majorants.rate)) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        work = [
            pool.submit(scan, majorants, hops, first, stop, kept, NOTHING, want)
            for first, stop, kept in zip(edges, edges[1:], parts, strict=False)
        ]
        marks = [part.result() for part in work]
    return _merged(parts, marks, hops, want)


def _merged(parts: Sequence[Kept], marks: Sequence[Mark], hops: NDArray[Any], want: int) -> Reserve:
    """Join what parts kept; the highest of their floors holds for all."""
    kept = room_for(len(parts) * 2 * want, hops, len(parts[0].moved))
    size = 0
    for part, (count, _, _) in zip(parts, marks, strict=True):
        for whole, piece in zip(kept[:-1], part[:-1], strict=True):
            whole[size : size + count] = piece[:count]
        size += count
    _, floor, floor_row = max(marks, key=lambda mark: (mark[1], -mark[2]))
    mark = drop_below(kept, size, floor, floor_row)
    if mark[0] > want:
        mark = keep_best(kept, mark[0], want)
    return Reserve(kept, mark)


def best_cycles(majorants: Majorants, hops: NDArray[Any], count: int, threads: int = 1) -> Top:
    """Return the best cycles of all.

    Parameters
    ----------
    majorants, hops
        From :func:`majorants_of` and :func:`hops_of`.
    count
        How many, one at least.
    threads
        How many score at once.

    Raises
    ------
    InputError
        If ``count`` or ``threads`` is below one.

    Examples
    --------
    >>> from scoring.columns import moebius_columns
    >>> there, back = np.array([0, 1]), np.array([1, 0])
    >>> edges, _ = moebius_columns(
    ...     np.array([2.0, 2.0]), np.full(2, 1e-3), np.array([0, 1]), there, back, np.full(2, 5.0)
    ... )
    >>> table = CycleTable(np.array([[0, 1]], np.uint16), np.zeros(1, np.int32))
    >>> top = best_cycles(majorants_of(edges, np.array([1.0, 0.0])), hops_of(edges, table), 3)
    >>> top.rows.tolist(), round(float(top.nets[0]), 3)
    ([0], 323.333)
    """
    if count < 1 or threads < 1:
        raise InputError("ask for one cycle and one thread at least", count=count, threads=threads)
    return collect(majorants, hops, count, threads).best(count)
