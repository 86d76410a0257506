"""A cycle of pairs in floats: its best real size, and where better integers can be.

The composition of the hops is one Moebius map ``A x / (1 + C x)``, whose profit is largest at
``(sqrt(A) - 1) / C`` and is ``(sqrt(A) - 1)**2 / C`` there. What is short of that by less than ``g`` lies
between the roots of ``C x**2 - (A - 1 - C (best - g)) x + best - g = 0``.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from scoring.integers.pairs import PPM, PairRows, reserves_of
from scoring.integers.words import as_float


class CycleMap(NamedTuple):
    """A cycle's map, its best real size, and the hop whose output unit is worth most.

    Parameters
    ----------
    rate, bend
        Of the whole cycle.
    size, profit
        The best, raw units of the start token.
    waist
        Position of that hop.
    rate_to, bend_to
        Of the map from the input to that hop's output.
    """

    rate: float
    bend: float
    size: float
    profit: float
    waist: int
    rate_to: float
    bend_to: float


@compiled
def _hop_map(pairs: PairRows, row: int) -> tuple[float, float]:
    reserve_in, reserve_out, kept = reserves_of(pairs, row)
    bend = float(kept) / (as_float(reserve_in) * float(PPM))
    return as_float(reserve_out) * bend, bend


@compiled
def rate_and_bend(pairs: PairRows, hops: NDArray[np.int64]) -> tuple[float, float]:
    """Return the map of a cycle of pairs that have reserves."""
    rate, bend = 1.0, 0.0
    for row in hops:
        hop_rate, hop_bend = _hop_map(pairs, row)
        bend += hop_bend * rate
        rate *= hop_rate
    return rate, bend


@compiled
def cycle_map(pairs: PairRows, hops: NDArray[np.int64], rate: float, bend: float) -> CycleMap:
    """Return where the profit is best, and the waist; ``rate`` is above one."""
    size = (sqrt(rate) - 1.0) / bend
    rate_to, bend_to = 1.0, 0.0
    waist, waist_rate, waist_bend, least = 0, 1.0, 0.0, np.inf
    for hop in range(len(hops)):
        hop_rate, hop_bend = _hop_map(pairs, hops[hop])
        bend_to += hop_bend * rate_to
        rate_to *= hop_rate
        # the slope of the whole is one at the best size: a unit here is worth one over the slope to here
        slope = rate_to / (1.0 + bend_to * size) ** 2
        if slope < least:
            waist, waist_rate, waist_bend, least = hop, rate_to, bend_to, slope
    return CycleMap(rate, bend, size, (sqrt(rate) - 1.0) * size, waist, waist_rate, waist_bend)


@compiled
def at_waist(cycle: CycleMap, amount_in: float) -> float:
    """Return what an input gives at the waist."""
    return cycle.rate_to * amount_in / (1.0 + cycle.bend_to * amount_in)


@compiled
def window(cycle: CycleMap, short: float) -> tuple[float, float]:
    """Return the least and largest real waist whose profit is at most ``short`` below the best."""
    root, lost = sqrt(cycle.rate), cycle.bend * short
    middle = 2.0 * (root - 1.0) + lost
    # the discriminant with the best profit put in: nothing cancels
    width = sqrt(lost * (4.0 * root + lost))
    low, high = (middle - width) / (2.0 * cycle.bend), (middle + width) / (2.0 * cycle.bend)
    return at_waist(cycle, max(low, 0.0)), at_waist(cycle, max(high, 0.0))


@compiled
def changes_to_try(cycle: CycleMap, start: float, short: float, changes: NDArray[np.float64]) -> int:
    """Write changes of the waist ``start`` after which the profit may be less than ``short`` below the best.

    All, if there is room for them. Otherwise those next to the best; or spread, where the profit
    is so flat that it does not matter, since neighbours may all be rounded alike.
    """
    samples = len(changes)
    low, high = window(cycle, short)
    flat_low, flat_high = window(cycle, short / samples)
    step = max(np.floor((flat_high - flat_low) / samples), 1.0)
    middle = np.floor(at_waist(cycle, cycle.size))
    first = min(middle - step * (samples // 2), np.floor(high) - step * (samples - 1))
    first = max(first, np.ceil(low), 1.0)
    count = int(min(max((np.floor(high) - first) / step + 1.0, 0.0), float(samples)))
    for at in range(count):
        changes[at] = first + step * at - start
    return count
