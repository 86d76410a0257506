"""Meet in the middle: the best of all pairs of halves, most of which are never looked at.

A leaving half with the majorant ``(a, c)`` and a coming half with ``(b, d)`` make a cycle with the majorant
``(a b, c + d a)``, which earns at most ``(sqrt(a b) - 1)**2 / (c + d a)`` raw units. Coming halves are sorted
by falling ``b``. So with the least ``d`` of the bucket in place of each, the first of them that cannot earn
what is still of interest ends the search of a leaving half: no later one can. A pair before it is tested with
its own bend and its own costs, and only one that passes is solved.

Shallow pools at odd prices have high rates and earn nothing. Were they among the halves to go through, their
rates and the small bends of others would make a bound that no half reaches. So first the halves of a bucket
that cannot earn enough with any other are put aside.

A rate that no real market has is a sign of a token or a pool that is not what it seems. Pairs above a given
rate are passed over unseen, by a search among the sorted rates: there may be more of them than of all others.
"""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from scoring.columns import EdgeColumns, PieceColumns
from scoring.kernels.solve import solve
from scoring.search.halves import Halves, Side
from scoring.search.keeper import WIDTH, Keeper, keep, least_net
from scoring.search.upkeep import UPWARD, Values, sort_falling
from scoring.search.withheld import believed_from, composed_rate, counted_among, tally

_DOWNWARD = 1.0 - 2.0**-40
VISITED, SOLVED, WITHHELD = 0, 1, 2
"""What is counted."""


@compiled
def meet(
    edges: EdgeColumns,
    pieces: PieceColumns,
    worth: NDArray[np.float64],
    halves: Halves,
    values: Values,
    guesses: NDArray[np.int32],
    max_rate: float,
    keeper: Keeper,
    counted: NDArray[np.int64],
) -> None:
    """Keep the best of all cycles but those that promise too much.

    Parameters
    ----------
    edges, pieces
        The market.
    worth
        Native wei per raw unit of each token; zero where no cycle may start.
    halves, values
        All halves at the present state.
    guesses
        Padded hops of cycles, such as were best at another state: what they earn now is a first threshold.
    max_rate
        Cycles whose majorants' rates make more than this are passed over.
    keeper
        Takes the best.
    counted
        Numbers of pairs visited, of pairs solved, and of cycles passed over, added to.
    """
    cost, least_cost = edges.cost, _try(edges, pieces, worth, guesses, max_rate, keeper)
    room = _room(halves.leaving.first), _room(halves.coming.first)
    own = np.empty(room[0], np.int32)
    others, maps = np.empty(room[1], np.int32), np.empty((room[1], 3))
    tallies = np.empty((room[1] + 1, 2), np.int64)
    for bucket in _open_buckets(worth, halves, values, least_net(keeper) + 2.0 * least_cost):
        price = worth[halves.hub[bucket]]
        floor = least_net(keeper) + least_cost
        count, best_rate, least_ratio = _open_leaving(values, halves.leaving, bucket, cost, floor, price, own)
        end, least_bend, least_spent = _open_coming(
            values, halves.coming, bucket, cost, floor, price, best_rate, least_ratio, others, maps
        )
        if end == 0:
            continue
        if best_rate * maps[0, 0] > max_rate:
            tally(edges.token_out, worth, halves.hub[bucket], halves.coming.edges, others[:end], tallies)
        # one long loop: to call a function that takes so many arrays costs more than to search a half
        for half in own[:count]:
            leaving, rate, bend = halves.leaving.edges[half], values.rate[half], values.bend[half]
            wanted = (least_net(keeper) + cost[leaving[0]] + cost[leaving[1]]) * _DOWNWARD
            needed = _rate_of((wanted + least_spent) / price * (bend + least_bend * rate))
            begin = 0
            if rate * maps[0, 0] > max_rate:
                begin = believed_from(maps[:end, 0], rate, max_rate)
                counted[WITHHELD] += counted_among(
                    edges.token_out, worth, halves.hub[bucket], leaving, tallies[begin]
                )
            for at in range(begin, end):
                whole_rate = UPWARD * rate * maps[at, 0]
                if whole_rate < needed:
                    break
                counted[VISITED] += 1
                gain = sqrt(whole_rate) - 1.0
                whole_bend = bend + maps[at, 1] * rate
                if price * gain * gain < (wanted + maps[at, 2]) * whole_bend:
                    continue
                if _solve_pair(edges, pieces, worth, keeper, leaving, halves.coming.edges[others[at]]):
                    counted[SOLVED] += 1
                    wanted = (least_net(keeper) + cost[leaving[0]] + cost[leaving[1]]) * _DOWNWARD
                    needed = _rate_of((wanted + least_spent) / price * (bend + least_bend * rate))


@compiled
def _try(
    edges: EdgeColumns,
    pieces: PieceColumns,
    worth: NDArray[np.float64],
    guesses: NDArray[np.int32],
    max_rate: float,
    keeper: Keeper,
) -> float:
    """Keep what cycles earn now, and return the least cost of a swap."""
    padding = len(edges.rate) - 1
    for row in range(len(guesses)):
        hops = guesses[row]
        if composed_rate(edges.rate, hops) > max_rate:
            continue
        length = 2 + (hops[2] < padding) + (hops[3] < padding)
        _solve_and_keep(edges, pieces, worth, keeper, hops, length)
    least = inf
    for edge in range(padding):
        least = min(least, edges.cost[edge])
    return least


@compiled
def _room(first: NDArray[np.int64]) -> int:
    """Return the size of the largest bucket."""
    largest = 0
    for bucket in range(len(first) - 1):
        largest = max(largest, first[bucket + 1] - first[bucket])
    return largest


@compiled
def _open_buckets(
    worth: NDArray[np.float64], halves: Halves, values: Values, least_gross: float
) -> NDArray[np.int32]:
    """Return the buckets that may hold a cycle worth so many wei before costs, the best first."""
    bounds, buckets = np.empty(len(halves.hub)), np.empty(len(halves.hub), np.int32)
    count = 0
    for bucket in range(len(halves.hub)):
        bound = worth[halves.hub[bucket]] * values.bucket_most[bucket]
        if bound > 0.0 and bound >= least_gross * _DOWNWARD:
            bounds[count], buckets[count] = bound, bucket
            count += 1
    sort_falling(bounds[:count], buckets[:count])
    return buckets[:count]


@compiled
def _open_leaving(
    values: Values,
    side: Side,
    bucket: int,
    cost: NDArray[np.float64],
    floor: float,
    price: float,
    own: NDArray[np.int32],
) -> tuple[int, float, float]:
    """Write the leaving halves of a bucket that may earn ``floor`` wei after their costs.

    Returns their number, their greatest rate, and their least ratio of bend to rate.
    """
    count, best_rate, least_ratio = 0, 0.0, inf
    for half in range(side.first[bucket], side.first[bucket + 1]):
        gross = price * values.most[half]
        if gross < floor * _DOWNWARD or gross <= 0.0:
            continue
        if gross >= (floor + cost[side.edges[half, 0]] + cost[side.edges[half, 1]]) * _DOWNWARD:
            own[count] = half
            count += 1
            best_rate = max(best_rate, values.rate[half])
            least_ratio = min(least_ratio, values.bend[half] / values.rate[half])
    return count, best_rate, least_ratio


@compiled
def _open_coming(
    values: Values,
    side: Side,
    bucket: int,
    cost: NDArray[np.float64],
    floor: float,
    price: float,
    best_rate: float,
    least_ratio: float,
    others: NDArray[np.int32],
    maps: NDArray[np.float64],
) -> tuple[int, float, float]:
    """Write the coming halves of a bucket that may earn ``floor`` wei after their costs, by falling rate.

    With a leaving half ``(a, c)`` one earns ``(sqrt(b) - 1 / sqrt(a))**2 / (c / a + d)``, which grows with
    ``a`` and falls with ``c / a``; and ``sqrt(x) - 1 <= (x - 1) / 2`` spares the roots. Written to
    ``maps`` are rate, bend and costs of each.

    Returns their number, their least bend, and their least costs.
    """
    count, least_bend, least_spent = 0, inf, inf
    scale = 4.0 * best_rate * _DOWNWARD / price
    for at in range(side.first[bucket], side.first[bucket + 1]):
        gain = UPWARD * best_rate * values.sorted_rate[at] - 1.0
        if gain <= 0.0:
            break
        bend = values.sorted_bend[at]
        needed = scale * (least_ratio + bend)
        if gain * gain < needed * floor:
            continue
        half = values.order[at]
        spent = cost[side.edges[half, 0]] + cost[side.edges[half, 1]]
        if gain * gain < needed * (floor + spent):
            continue
        others[count] = half
        maps[count, 0], maps[count, 1], maps[count, 2] = values.sorted_rate[at], bend, spent * _DOWNWARD
        least_bend, least_spent = min(least_bend, bend), min(least_spent, maps[count, 2])
        count += 1
    return count, least_bend, least_spent


@compiled
def _rate_of(squared_gain: float) -> float:
    """Return the rate of a cycle whose gain, squared, is so much."""
    root = 1.0 + sqrt(squared_gain)
    return root * root * _DOWNWARD


@compiled
def _solve_pair(
    edges: EdgeColumns,
    pieces: PieceColumns,
    worth: NDArray[np.float64],
    keeper: Keeper,
    leaving: NDArray[np.int32],
    coming: NDArray[np.int32],
) -> bool:
    """Solve and keep the cycle of two halves; return whether they make one."""
    hops = np.empty(WIDTH, np.int32)
    length = _join(edges.pool, edges.token_out, leaving, coming, hops)
    if length == 0:
        return False
    _solve_and_keep(edges, pieces, worth, keeper, hops, length)
    return True


@compiled
def _join(
    pool: NDArray[np.int32],
    token_out: NDArray[np.int32],
    leaving: NDArray[np.int32],
    coming: NDArray[np.int32],
    hops: NDArray[np.int32],
) -> int:
    """Write the hops of two halves and return how many they are; 0 if they make no cycle of their own.

    They make none if they share a pool or an inner token. One hop and then two is the cycle that another
    mid makes of two hops and then one.
    """
    padding = len(pool) - 1
    one_leaves, one_comes = leaving[1] == padding, coming[1] == padding
    if one_leaves and not one_comes:
        return 0
    if token_out[leaving[0]] == token_out[coming[0]]:
        return 0
    for hop in leaving:
        for other in coming:
            if hop != padding and pool[hop] == pool[other]:
                return 0
    hops[0] = leaving[0]
    if one_leaves:
        hops[1], hops[2], hops[3] = coming[0], padding, padding
        return 2
    hops[1], hops[2], hops[3] = leaving[1], coming[0], coming[1]
    return 3 if one_comes else 4


@compiled
def _cost(cost: NDArray[np.float64], hops: NDArray[np.int32]) -> float:
    return ((cost[hops[0]] + cost[hops[1]]) + cost[hops[2]]) + cost[hops[3]]  # type: ignore[no-any-return]


@compiled
def _solve_and_keep(
    edges: EdgeColumns,
    pieces: PieceColumns,
    worth: NDArray[np.float64],
    keeper: Keeper,
    hops: NDArray[np.int32],
    length: int,
) -> None:
    start = edges.token_in[hops[0]]
    size = solve(edges, pieces, hops, length)
    keeper.widest[0] = max(keeper.widest[0], worth[start] * (size[2] - size[1]))
    keep(keeper, hops, length, start, size, worth[start] * size[1] - _cost(edges.cost, hops))
