"""The best cycles in a state that is only imagined: a pending transaction's, before it is known to happen.

The edges that it would move are overridden, what uses them is scored, and they are put back bit for bit. No
market is copied, and the reserve is only read: its cycles that use no such edge are worth the same in both
states, and all that use one are scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from scoring.batch import BEND, BLOCK, RATE, Majorants, net_value, survivors
from scoring.devices.device import Top
from scoring.postings import Postings
from scoring.reserve import Kept, Mark, is_stale, offer, stands_above, unheap


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What an imagined state offers.

    Parameters
    ----------
    affected
        The best of the cycles that use an edge that moves.
    market
        The best of all.
    """

    affected: Top
    market: Top


MARKED, DONE = 1, 2
"""States of an edge that moves: its postings are to be read, or were."""

EDGE_POSTINGS = 10
"""Postings that could be read in the time it takes to begin with an edge's."""


class _Heap(NamedTuple):
    nets: NDArray[np.float64]
    rows: NDArray[np.int64]


@compiled
def override(
    majorants: Majorants,
    edges: NDArray[np.int64],
    rates: NDArray[np.float64],
    bends: NDArray[np.float64],
) -> None:
    """Write rates and bends over those of some edges."""
    for place, edge in enumerate(edges):
        majorants.rate[edge] = majorants.edges[edge, RATE] = rates[place]
        majorants.edges[edge, BEND] = bends[place]


@compiled
def touch(postings: Postings, edges: NDArray[np.int64], touched: NDArray[np.uint8]) -> int:
    """Mark edges; return how many postings they have, or could have read in the time that they take."""
    total = 0
    for edge in edges:
        touched[edge] = MARKED
        total += postings.first[edge + 1] - postings.first[edge] + EDGE_POSTINGS
    return total


@compiled
def untouch(edges: NDArray[np.int64], touched: NDArray[np.uint8]) -> None:
    """Unmark edges."""
    for edge in edges:
        touched[edge] = 0


@compiled
def first_touched(hops: NDArray[Any], at: int, touched: NDArray[np.uint8]) -> int:
    """Return the first marked edge of the cycle ``hops[at]``, -1 if it has none."""
    for hop in range(hops.shape[1]):
        if touched[hops[at, hop]]:
            return int(hops[at, hop])
    return -1


@compiled
def imagine(
    majorants: Majorants,
    postings: Postings,
    hops: NDArray[Any],
    edges: NDArray[np.int64],
    rates: NDArray[np.float64],
    bends: NDArray[np.float64],
    kept: Kept,
    mark: Mark,
    touched: NDArray[np.uint8],
    count: int,
    limit: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Return rows and net values of the best affected cycles, then of the best of all."""
    before_rates, before_bends = majorants.rate[edges], majorants.edges[edges, BEND].copy()
    override(majorants, edges, rates, bends)
    affected, market = _heap(count), _heap(count)
    in_affected = in_market = 0
    complete = False
    if touch(postings, edges, touched) <= limit:
        in_market = _offer_untouched(kept, mark, touched, market)
        in_affected, in_market = _offer_postings(
            majorants, postings, edges, touched, affected, market, in_market
        )
        # what is neither kept nor affected stands below the floor
        _, floor, floor_row = mark
        complete = floor == 0.0 or (
            in_market == count and stands_above(market.nets[0], market.rows[0], floor, floor_row)
        )
    if not complete:
        in_affected, in_market = _offer_table(majorants, hops, touched, affected, market)
    # backwards, since an edge may be given twice
    override(majorants, edges[::-1].copy(), before_rates[::-1].copy(), before_bends[::-1].copy())
    untouch(edges, touched)
    unheap(affected.nets, affected.rows, in_affected)
    unheap(market.nets, market.rows, in_market)
    best, all_best = slice(0, in_affected), slice(0, in_market)
    return affected.rows[best], affected.nets[best], market.rows[all_best], market.nets[all_best]


@compiled
def _heap(count: int) -> _Heap:
    return _Heap(np.empty(count), np.empty(count, np.int64))


@compiled
def _offer_untouched(kept: Kept, mark: Mark, touched: NDArray[np.uint8], market: _Heap) -> int:
    in_market = 0
    for place in range(mark[0]):
        net, row = kept.nets[place], kept.rows[place]
        is_better = in_market < len(market.nets) or stands_above(net, row, market.nets[0], market.rows[0])
        if is_better and not is_stale(kept, place) and first_touched(kept.hops, place, touched) < 0:
            in_market = offer(market.nets, market.rows, in_market, net, row)
    return in_market


@compiled
def _offer_postings(
    majorants: Majorants,
    postings: Postings,
    edges: NDArray[np.int64],
    touched: NDArray[np.uint8],
    affected: _Heap,
    market: _Heap,
    in_market: int,
) -> tuple[int, int]:
    products, places = np.empty(BLOCK), np.empty(BLOCK + 1, np.int64)
    rate, hops, rows = majorants.rate, postings.hops, postings.rows
    in_affected = 0
    for edge in edges:
        if touched[edge] == DONE:
            continue
        touched[edge] = DONE
        stop = postings.first[edge + 1]
        for start in range(postings.first[edge], stop, BLOCK):
            found = survivors(rate, hops, start, min(start + BLOCK, stop), products, places)
            for at in places[:found]:
                if first_touched(hops, at, touched) == edge:
                    net, row = net_value(majorants.edges, hops, at), rows[at]
                    in_affected = offer(affected.nets, affected.rows, in_affected, net, row)
                    in_market = offer(market.nets, market.rows, in_market, net, row)
    return in_affected, in_market


@compiled
def _offer_table(
    majorants: Majorants, hops: NDArray[Any], touched: NDArray[np.uint8], affected: _Heap, market: _Heap
) -> tuple[int, int]:
    products, places = np.empty(BLOCK), np.empty(BLOCK + 1, np.int64)
    in_affected = in_market = 0
    for start in range(0, len(hops), BLOCK):
        found = survivors(majorants.rate, hops, start, min(start + BLOCK, len(hops)), products, places)
        for row in places[:found]:
            net = net_value(majorants.edges, hops, row)
            in_market = offer(market.nets, market.rows, in_market, net, row)
            if first_touched(hops, row, touched) >= 0:
                in_affected = offer(affected.nets, affected.rows, in_affected, net, row)
    return in_affected, in_market
