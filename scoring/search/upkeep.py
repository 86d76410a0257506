"""What halves are worth at the present state, kept up as edges move.

The leaving halves of a bucket keep their majorant and the most that they could earn with the best of the
bucket's coming halves. The coming halves are kept sorted by rate, then by number, so what is kept depends on
the state alone, never on the moves that led to it.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from scoring.columns import EdgeColumns
from scoring.search.halves import Halves, Side

UPWARD = 1.0 + 2.0**-40
"""What a rate is multiplied with before it bounds anything: far more than rounding takes away."""

_MANY = 16


class Values(NamedTuple):
    """What moves with the market; one row per half, or per bucket.

    Parameters
    ----------
    rate, bend
        Majorants of the leaving halves, float64.
    most
        The most raw units of the hub's token that a leaving half can earn with any half of its bucket.
    order, sorted_rate, sorted_bend
        Coming halves of each bucket by falling rate, and their majorants in that order.
    bucket_most
        The greatest ``most`` of each bucket.
    best_rate, least_bend
        The greatest rate and the least bend of the coming halves of each bucket.
    leaving_moved, coming_moved
        uint8 marks of halves to renew; all zero between updates.
    bucket_moved
        uint8 of shape ``(2, buckets)``: marks of buckets with a leaving half, or a coming half, to renew.
    scratch_rate, scratch_half
        Room for the moved halves of one bucket.
    """

    rate: NDArray[np.float64]
    bend: NDArray[np.float64]
    most: NDArray[np.float64]
    order: NDArray[np.int32]
    sorted_rate: NDArray[np.float64]
    sorted_bend: NDArray[np.float64]
    bucket_most: NDArray[np.float64]
    best_rate: NDArray[np.float64]
    least_bend: NDArray[np.float64]
    leaving_moved: NDArray[np.uint8]
    coming_moved: NDArray[np.uint8]
    bucket_moved: NDArray[np.uint8]
    scratch_rate: NDArray[np.float64]
    scratch_half: NDArray[np.int32]


def first_values(edges: EdgeColumns, halves: Halves) -> Values:
    """Return the values of all halves at the present state."""
    leaving, coming, buckets = len(halves.leaving.edges), len(halves.coming.edges), len(halves.hub)
    largest = int(np.diff(halves.coming.first).max(initial=0))
    values = Values(
        np.zeros(leaving),
        np.zeros(leaving),
        np.zeros(leaving),
        np.arange(coming, dtype=np.int32),
        np.zeros(coming),
        np.zeros(coming),
        np.zeros(buckets),
        np.zeros(buckets),
        np.zeros(buckets),
        np.ones(leaving, np.uint8),
        np.ones(coming, np.uint8),
        np.ones((2, buckets), np.uint8),
        np.empty(largest),
        np.empty(largest, np.int32),
    )
    _settle(edges, halves, values)
    return values


@compiled
def renew(edges: EdgeColumns, halves: Halves, values: Values, changed: NDArray[np.int64]) -> None:
    """Take over edges that moved."""
    touched = 0
    for edge in changed:
        for side in (halves.leaving, halves.coming):
            touched += side.holding_first[edge + 1] - side.holding_first[edge]
    if touched * _MANY > len(halves.leaving.edges) + len(halves.coming.edges):
        # one pass over all halves in their order is cheaper than many leaps between them
        is_changed = np.zeros(len(edges.rate), np.uint8)
        for edge in changed:
            is_changed[edge] = 1
        _mark_by_pass(halves.leaving, is_changed, values.leaving_moved, values.bucket_moved[0])
        _mark_by_pass(halves.coming, is_changed, values.coming_moved, values.bucket_moved[1])
    else:
        _mark(halves.leaving, changed, values.leaving_moved, values.bucket_moved[0])
        _mark(halves.coming, changed, values.coming_moved, values.bucket_moved[1])
    _settle(edges, halves, values)


@compiled
def _mark(
    side: Side,
    changed: NDArray[np.int64],
    half_moved: NDArray[np.uint8],
    bucket_moved: NDArray[np.uint8],
) -> None:
    for edge in changed:
        for half in side.holding[side.holding_first[edge] : side.holding_first[edge + 1]]:
            half_moved[half] = 1
            bucket_moved[side.bucket[half]] = 1


@compiled
def _mark_by_pass(
    side: Side,
    is_changed: NDArray[np.uint8],
    half_moved: NDArray[np.uint8],
    bucket_moved: NDArray[np.uint8],
) -> None:
    for half in range(len(side.edges)):
        if is_changed[side.edges[half, 0]] | is_changed[side.edges[half, 1]]:
            half_moved[half] = 1
            bucket_moved[side.bucket[half]] = 1


@compiled
def _settle(edges: EdgeColumns, halves: Halves, values: Values) -> None:
    """Renew what is marked, and clear the marks."""
    leaving_moved, coming_moved = values.bucket_moved[0], values.bucket_moved[1]
    for bucket in range(len(halves.hub)):
        if not (leaving_moved[bucket] | coming_moved[bucket]):
            continue
        rate, bend = values.best_rate[bucket], values.least_bend[bucket]
        if coming_moved[bucket]:
            _sort_coming(edges.rate, edges.bend, halves.coming, values, bucket)
        all_most = rate != values.best_rate[bucket] or bend != values.least_bend[bucket]
        _renew_leaving(edges.rate, edges.bend, halves.leaving, values, bucket, all_most)
        leaving_moved[bucket] = coming_moved[bucket] = 0


@compiled
def _renew_leaving(
    rates: NDArray[np.float64],
    bends: NDArray[np.float64],
    side: Side,
    values: Values,
    bucket: int,
    all_most: bool,
) -> None:
    best_rate, least_bend = values.best_rate[bucket] * UPWARD, values.least_bend[bucket]
    bucket_most = 0.0
    for half in range(side.first[bucket], side.first[bucket + 1]):
        if values.leaving_moved[half]:
            values.leaving_moved[half] = 0
            near, far = side.edges[half, 0], side.edges[half, 1]
            values.rate[half] = rates[near] * rates[far]
            values.bend[half] = bends[near] + bends[far] * rates[near]
        elif not all_most:
            bucket_most = max(bucket_most, values.most[half])
            continue
        rate = values.rate[half]
        gain = sqrt(rate * best_rate) - 1.0
        most = gain * gain / (values.bend[half] + least_bend * rate) * UPWARD if gain > 0.0 else 0.0
        values.most[half] = most
        bucket_most = max(bucket_most, most)
    values.bucket_most[bucket] = bucket_most


@compiled
def _sort_coming(
    rates: NDArray[np.float64], bends: NDArray[np.float64], side: Side, values: Values, bucket: int
) -> None:
    """Merge the moved halves of a bucket, sorted, into the others, which are."""
    low, high = side.first[bucket], side.first[bucket + 1]
    order, sorted_rate, sorted_bend = values.order, values.sorted_rate, values.sorted_bend
    moved_rate, moved_half = values.scratch_rate, values.scratch_half
    count, keep = 0, low
    for at in range(low, high):
        half = order[at]
        if values.coming_moved[half]:
            values.coming_moved[half] = 0
            moved_rate[count] = rates[side.edges[half, 0]] * rates[side.edges[half, 1]]
            moved_half[count] = half
            count += 1
        else:
            order[keep], sorted_rate[keep], sorted_bend[keep] = half, sorted_rate[at], sorted_bend[at]
            keep += 1
    sort_falling(moved_rate[:count], moved_half[:count])
    for at in range(high - 1, low - 1, -1):
        if count == 0:
            break
        rate, half = moved_rate[count - 1], moved_half[count - 1]
        if keep > low and falls_before(rate, half, sorted_rate[keep - 1], order[keep - 1]):
            keep -= 1
            order[at], sorted_rate[at], sorted_bend[at] = order[keep], sorted_rate[keep], sorted_bend[keep]
        else:
            count -= 1
            near, far = side.edges[half, 0], side.edges[half, 1]
            order[at], sorted_rate[at], sorted_bend[at] = half, rate, bends[near] + bends[far] * rates[near]
    values.best_rate[bucket] = sorted_rate[low]
    least_bend = inf
    for at in range(low, high):
        least_bend = min(least_bend, sorted_bend[at])
    values.least_bend[bucket] = least_bend


@compiled
def falls_before(key: float, number: int, other_key: float, other_number: int) -> bool:
    """Return whether one comes before another: greater keys first, then smaller numbers."""
    return key > other_key or (key == other_key and number < other_number)


@compiled
def sort_falling(keys: NDArray[np.float64], numbers: NDArray[np.int32]) -> None:
    """Sort keys, and the numbers with them, in place by :func:`falls_before`."""
    gap = len(keys)
    while gap > 1:
        gap = max(1, gap * 5 // 11)
        for at in range(gap, len(keys)):
            key, number = keys[at], numbers[at]
            hole = at
            while hole >= gap and falls_before(key, number, keys[hole - gap], numbers[hole - gap]):
                keys[hole], numbers[hole] = keys[hole - gap], numbers[hole - gap]
                hole -= gap
            keys[hole], numbers[hole] = key, number
