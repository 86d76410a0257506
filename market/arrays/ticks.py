"""Tick maps of all pools in one arena: each has a slice with room to spare, sorted by tick.

A change of one tick moves only what lies behind it in the slice. A slice that is full moves to the end
of the arena; a full arena is packed anew, see :func:`packed`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.arrays.limbs import Limbs, Pair, compiled, from_limbs, signed_as_float, to_limbs, to_signed_floats
from market.pools.v3_ticks import TickMap

HIGHEST_GROSS = 2**127 - 1
"""Liquidity that a tick can hold here; no contract lets as much end at one tick."""

_SPARE = 4


class TickColumns(NamedTuple):
    """Slices, one for each pool, and the ticks in them.

    Parameters
    ----------
    start, length, room
        Where a pool's slice begins, its ticks, and how many it can hold; shape ``(pools,)``.
    tick
        Shape ``(arena,)``, int32.
    net, gross
        Signed and unsigned liquidity, shape ``(arena, 2)``.
    net_floats
        Net liquidity as float64, shape ``(arena,)``.
    used
        Arena places given away, shape ``(1,)``.
    """

    start: NDArray[np.int64]
    length: NDArray[np.int32]
    room: NDArray[np.int32]
    tick: NDArray[np.int32]
    net: Limbs
    gross: Limbs
    net_floats: NDArray[np.float64]
    used: NDArray[np.int64]


def tick_columns(pools: int, arena: int) -> TickColumns:
    """Return an arena without ticks."""
    return TickColumns(
        np.zeros(pools, np.int64),
        np.zeros(pools, np.int32),
        np.zeros(pools, np.int32),
        np.zeros(arena, np.int32),
        np.zeros((arena, 2), np.uint64),
        np.zeros((arena, 2), np.uint64),
        np.zeros(arena),
        np.zeros(1, np.int64),
    )


def packed(ticks: TickColumns, needed: int = 0) -> TickColumns:
    """Return the same ticks in an arena without holes, a fifth larger than what is used.

    Parameters
    ----------
    ticks
        What to copy.
    needed
        Places that must be free in any case.
    """
    count = ticks.length.astype(np.int64)
    room = count + count // 8 + _SPARE
    start = np.cumsum(room) - room
    used = int(room.sum())
    fresh = tick_columns(len(count), used + used // 5 + needed)
    moved = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    source, target = np.repeat(ticks.start, count) + moved, np.repeat(start, count) + moved
    fresh.tick[target], fresh.net_floats[target] = ticks.tick[source], ticks.net_floats[source]
    fresh.net[target], fresh.gross[target] = ticks.net[source], ticks.gross[source]
    fresh.start[:], fresh.length[:], fresh.room[:], fresh.used[0] = start, ticks.length, room, used
    return fresh


def write_ticks(ticks: TickColumns, slot: int, new: TickMap) -> bool:
    """Replace a pool's ticks; tell whether the arena had room for them."""
    count = len(new)
    if count > ticks.room[slot] and not make_room(ticks, slot, count - int(ticks.length[slot])):
        return False
    here = slice(int(ticks.start[slot]), int(ticks.start[slot]) + count)
    ticks.length[slot] = count
    ticks.tick[here] = list(new)
    ticks.net[here] = to_limbs(new.values(), 2, signed=True)
    ticks.gross[here] = to_limbs((new.gross[tick] for tick in new), 2)
    ticks.net_floats[here] = to_signed_floats(ticks.net[here])
    return True


def read_ticks(ticks: TickColumns, slot: int) -> TickMap:
    """Return a pool's ticks."""
    here = slice(int(ticks.start[slot]), int(ticks.start[slot]) + int(ticks.length[slot]))
    order = ticks.tick[here].tolist()
    net = dict(zip(order, from_limbs(ticks.net[here], signed=True), strict=True))
    return TickMap(net, dict(zip(order, from_limbs(ticks.gross[here]), strict=True)))


@compiled
def make_room(ticks: TickColumns, slot: int, more: int) -> bool:
    """Make sure that a slice can take so many more ticks; tell whether the arena had room for that."""
    count = ticks.length[slot]
    if count + more <= ticks.room[slot]:
        return True
    room = count + more + count // 4 + _SPARE
    start, old = ticks.used[0], ticks.start[slot]
    if start + room > len(ticks.tick):
        return False
    for place in range(count):
        _copy(ticks, old + place, start + place)
    ticks.start[slot], ticks.room[slot] = start, room
    ticks.used[0] = start + room
    return True


@compiled
def first_at_or_above(ticks: TickColumns, slot: int, tick: int) -> int:
    """Return the place in the arena of a pool's least tick that is not below ``tick``, or its slice's end."""
    low = ticks.start[slot]
    high = low + ticks.length[slot]
    while low < high:
        middle = (low + high) // 2
        if ticks.tick[middle] < tick:
            low = middle + 1
        else:
            high = middle
    return int(low)


@compiled
def set_tick(ticks: TickColumns, slot: int, tick: int, net: Pair, gross: Pair) -> None:
    """Set net and gross liquidity of a tick, which is gone without gross; there must be room for it."""
    at = first_at_or_above(ticks, slot, tick)
    end = ticks.start[slot] + ticks.length[slot]
    present = at < end and ticks.tick[at] == tick
    if gross[0] == 0 and gross[1] == 0:
        if present:
            for place in range(at + 1, end):
                _copy(ticks, place, place - 1)
            ticks.length[slot] -= 1
        return
    if not present:
        for place in range(end, at, -1):
            _copy(ticks, place - 1, place)
        ticks.length[slot] += 1
    ticks.tick[at] = tick
    ticks.net[at, 0], ticks.net[at, 1] = net
    ticks.gross[at, 0], ticks.gross[at, 1] = gross
    ticks.net_floats[at] = signed_as_float(net[0], net[1])


@compiled
def _copy(ticks: TickColumns, source: int, target: int) -> None:
    ticks.tick[target] = ticks.tick[source]
    for limb in range(2):
        ticks.net[target, limb] = ticks.net[source, limb]
        ticks.gross[target, limb] = ticks.gross[source, limb]
    ticks.net_floats[target] = ticks.net_floats[source]
