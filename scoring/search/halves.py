"""Half cycles: the paths of one or two hops from a hub to a token, and from there back.

A cycle of two, three or four hops is a path ``hub -> mid`` of one, two or two hops and a path ``mid -> hub``
of one, one or two hops. So all cycles are pairs of halves, and there are about as many halves as the square
root of the number of pairs. Halves of one hub and one mid stand together in a *bucket*.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.errors import InputError
from scoring.columns import EdgeColumns

_MOST_HALVES = 2**31 - 1


class Side(NamedTuple):
    """All halves that leave hubs, or all that come back, those of one bucket in a row.

    Parameters
    ----------
    edges
        int32 of shape ``(halves, 2)``: rows of the edges in the order of trading; the second of a half of
        one hop is the padding row.
    bucket
        int32; the bucket of each half.
    first
        int64 of length ``buckets + 1``: where each bucket begins.
    holding, holding_first
        The halves that hold an edge, int32, and where those of each edge begin, int64.
    """

    edges: NDArray[np.int32]
    bucket: NDArray[np.int32]
    first: NDArray[np.int64]
    holding: NDArray[np.int32]
    holding_first: NDArray[np.int64]


class Halves(NamedTuple):
    """Both sides of all buckets; ``hub`` is the int32 token of each bucket in which its cycles start."""

    leaving: Side
    coming: Side
    hub: NDArray[np.int32]


def build_halves(edges: EdgeColumns, hubs: NDArray[np.int32], max_hops: int) -> Halves:
    """Return the halves of all cycles up to a length.

    Buckets that lack one side are left out.

    Parameters
    ----------
    edges
        The market; only pools and tokens are read.
    hubs
        Tokens in which a cycle may start.
    max_hops
        2, 3 or 4.

    Raises
    ------
    InputError
        If there are more halves than 32 bits can number.
    """
    count = len(edges.rate) - 1
    tokens = int(max(edges.token_in.max(), edges.token_out.max(), hubs.max(initial=-1))) + 1
    graphs = (
        (_grouped(edges.token_in[:count], tokens), edges.token_out, max_hops >= 3, False),
        (_grouped(edges.token_out[:count], tokens), edges.token_in, max_hops >= 4, True),
    )
    sizes = [np.zeros((len(hubs), tokens), np.int64) for _ in graphs]
    nothing = np.zeros((0, 2), np.int32)
    for (graph, far, two_hops, backward), size in zip(graphs, sizes, strict=True):
        _walk(graph, far, edges.pool, hubs, two_hops, backward, size, nothing)
    kept = (sizes[0] > 0) & (sizes[1] > 0)
    sides = []
    for (graph, far, two_hops, backward), size in zip(graphs, sizes, strict=True):
        first = np.concatenate((np.zeros(1, np.int64), np.cumsum(size[kept])))
        if first[-1] > _MOST_HALVES:
            raise InputError("too many half cycles to number; take fewer hubs or hops", halves=int(first[-1]))
        cursor = np.full(size.shape, -1, np.int64)
        cursor[kept] = first[:-1]
        paths = np.empty((first[-1], 2), np.int32)
        _walk(graph, far, edges.pool, hubs, two_hops, backward, cursor, paths)
        bucket = np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first))
        sides.append(Side(paths, bucket, first, *_holding(paths, count)))
    hub = np.broadcast_to(hubs[:, None], kept.shape)[kept]
    return Halves(sides[0], sides[1], hub)


def combinations(halves: Halves, padding: int) -> int:
    """Return how many pairs of halves the buckets stand for; about how many cycles, as few pairs are none.

    Parameters
    ----------
    halves
        The halves.
    padding
        The padding row of the edges.
    """
    short, long = [], []
    for side in (halves.leaving, halves.coming):
        is_short = side.edges[:, 1] == padding
        buckets = len(halves.hub)
        short.append(np.bincount(side.bucket[is_short], minlength=buckets).astype(np.int64))
        long.append(np.bincount(side.bucket[~is_short], minlength=buckets).astype(np.int64))
    return int(np.sum(long[0] * (long[1] + short[1]) + short[0] * short[1]))


class _Graph(NamedTuple):
    """Edges grouped by one of their tokens; ``edges[first[token]:first[token + 1]]`` are those of a token."""

    edges: NDArray[np.int64]
    first: NDArray[np.int64]


def _grouped(token: NDArray[np.int32], tokens: int) -> _Graph:
    sizes = np.bincount(token, minlength=tokens)
    return _Graph(np.argsort(token, kind="stable"), np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes))))


@compiled
def _walk(
    graph: _Graph,
    far: NDArray[np.int32],
    pool: NDArray[np.int32],
    hubs: NDArray[np.int32],
    two_hops: bool,
    backward: bool,
    cursor: NDArray[np.int64],
    paths: NDArray[np.int32],
) -> None:
    """Move each bucket's cursor by its halves, and write them where it stands if there are rows to write to.

    ``cursor`` is of shape ``(hubs, tokens)``; a bucket whose cursor is negative is passed over.
    """
    padding = len(pool) - 1
    write = len(paths) > 0
    for row in range(len(hubs)):
        hub = hubs[row]
        for near in graph.edges[graph.first[hub] : graph.first[hub + 1]]:
            middle = far[near]
            if middle == hub:
                continue
            place = cursor[row, middle]
            if place >= 0:
                cursor[row, middle] += 1
                if write:
                    paths[place, 0], paths[place, 1] = near, padding
            if not two_hops:
                continue
            for next_edge in graph.edges[graph.first[middle] : graph.first[middle + 1]]:
                mid = far[next_edge]
                place = cursor[row, mid]
                if mid in (hub, middle) or pool[next_edge] == pool[near] or place < 0:
                    continue
                cursor[row, mid] += 1
                if write and backward:
                    paths[place, 0], paths[place, 1] = next_edge, near
                elif write:
                    paths[place, 0], paths[place, 1] = near, next_edge


@compiled
def _holding(paths: NDArray[np.int32], edges: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the halves that hold each edge, and where those of each edge begin."""
    first = np.zeros(edges + 1, np.int64)
    for half in range(len(paths)):
        for hop in range(2):
            if paths[half, hop] < edges:
                first[paths[half, hop] + 1] += 1
    for edge in range(edges):
        first[edge + 1] += first[edge]
    cursor = first.copy()
    holding = np.empty(first[edges], np.int32)
    for half in range(len(paths)):
        for hop in range(2):
            edge = paths[half, hop]
            if edge < edges:
                holding[cursor[edge]] = half
                cursor[edge] += 1
    return holding, first
