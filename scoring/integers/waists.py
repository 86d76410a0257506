"""The best integer trade of a cycle of pairs, in microseconds.

Rounding decides it: the profit over real sizes is flat near its top, but every hop rounds against the trader.
Let the *waist* be the hop whose output unit is worth most at the end. For a given integer there, the least
input is found backward from it, and the most output forward; no other trade with that waist earns more. So
there are as many trades as waists, and only those count at which the real profit exceeds the best integer
profit known: a window around the best real size, see :mod:`scoring.integers.maps`.

One trade is computed exactly. The others of the window follow from it in floats, for a hop maps a *change* of
its amount by a Moebius map too: the fraction that rounding took, plus the image of the change, tells what the
next integer changes by. The best is then computed exactly, so floats choose and never decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from scoring.integers.maps import CycleMap, at_waist, changes_to_try, cycle_map, rate_and_bend
from scoring.integers.pairs import PPM, PairRows, amount_out, reserves_of, smallest_input
from scoring.integers.words import ONE, ZERO, Words2, added, as_float, from_float, is_less, subtracted

SAMPLES = 128
"""Waists tried at most."""
_ENOUGH = 2.0**-30
_MARGIN = 2.0**-46
"""Of what comes back: a hundred roundings of floats."""
_NEARLY = 1e-9
"""A change in floats that is as near to an integer is taken for it."""

_CHANGES, _BEFORE, _AFTER, _FRACTIONS = range(4)
ROOM = 4
"""Rows of ``SAMPLES`` floats to work in."""

TRADED, NO_RESERVES, NO_GAIN, DUST, REFUSED, NO_ROW = range(6)
"""What became of a cycle."""


@compiled
def find_trades(
    pairs: PairRows,
    cycles: NDArray[np.int64],
    amounts: NDArray[np.uint64],
    profits: NDArray[np.uint64],
    ends: NDArray[np.int64],
    bounds: NDArray[np.float64],
) -> None:
    """Write the trade of every cycle: amounts, what became of it, its hops, and the bound of its profit."""
    # allocated once: for one cycle after the other it would take as long as the search
    floats, other = np.empty((ROOM, SAMPLES)), np.empty((cycles.shape[1] + 1, 2), np.uint64)
    for cycle in range(len(cycles)):
        length = cycles.shape[1]
        while length > 0 and cycles[cycle, length - 1] == len(pairs) - 1:
            length -= 1
        traded = amounts[cycle, : length + 1]
        outcome, bounds[cycle] = find_trade(
            pairs, cycles[cycle, :length], traded, other[: length + 1], floats
        )
        ends[0, cycle], ends[1, cycle] = outcome, length
        profits[cycle, 0], profits[cycle, 1] = ZERO, ZERO
        if outcome == TRADED:
            first, last = (traded[0, 0], traded[0, 1]), (traded[length, 0], traded[length, 1])
            profits[cycle, 0], profits[cycle, 1] = subtracted(last, first)


@compiled
def find_trade(
    pairs: PairRows,
    hops: NDArray[np.int64],
    amounts: NDArray[np.uint64],
    other: NDArray[np.uint64],
    floats: NDArray[np.float64],
) -> tuple[int, float]:
    """Write the amounts of the best trade found; return what became of it, and the bound of its profit.

    ``other``, as ``amounts``, and ``floats`` are room to work in.
    """
    for row in hops:
        if not 0 <= row < len(pairs):
            return NO_ROW, 0.0
        reserve_in, reserve_out, _ = reserves_of(pairs, row)
        if as_float(reserve_in) == 0.0 or as_float(reserve_out) == 0.0:
            return NO_RESERVES, 0.0
    rate, bend = rate_and_bend(pairs, hops)
    if not rate > 1.0:
        return NO_GAIN, 0.0
    cycle = cycle_map(pairs, hops, rate, bend)
    bound = cycle.profit + _MARGIN * (cycle.size + cycle.profit)
    if bound < 1.0:
        return DUST, bound
    fractions = floats[_FRACTIONS]
    waist = from_float(max(at_waist(cycle, cycle.size), 1.0))
    step = (ONE, ZERO)
    while not _walk(pairs, hops, cycle.waist, waist, amounts, fractions):
        if not is_less(step, waist):
            return REFUSED, bound
        waist, step = subtracted(waist, step), added(step, step)
    _improve(pairs, hops, cycle, bound, amounts, other, floats)
    _run_forward(pairs, hops, amounts)
    return (TRADED if _profit(amounts) > 0.0 else DUST), bound


@compiled
def _improve(
    pairs: PairRows,
    hops: NDArray[np.int64],
    cycle: CycleMap,
    bound: float,
    amounts: NDArray[np.uint64],
    other: NDArray[np.uint64],
    floats: NDArray[np.float64],
) -> None:
    """Replace the input of a trade by that of another waist, if that is better."""
    profit = _profit(amounts)
    short = bound - profit - 1.0
    if short <= _ENOUGH * profit:
        return
    start = amounts[cycle.waist + 1, 0], amounts[cycle.waist + 1, 1]
    fractions = floats[_FRACTIONS]
    count = changes_to_try(cycle, as_float(start), short, floats[_CHANGES])
    changes, before, after = floats[_CHANGES, :count], floats[_BEFORE, :count], floats[_AFTER, :count]
    _follow(pairs, hops, cycle.waist, amounts, fractions, changes, before, after)
    chosen, most = 0.0, 0.0
    for at in range(count):
        if after[at] - before[at] > most:
            chosen, most = changes[at], after[at] - before[at]
    if chosen == 0.0:
        return
    change = from_float(abs(chosen))
    waist = added(start, change) if chosen > 0.0 else subtracted(start, change)
    if _walk(pairs, hops, cycle.waist, waist, other, fractions) and _profit(other) > profit:
        amounts[0, 0], amounts[0, 1] = other[0, 0], other[0, 1]


@compiled
def _walk(
    pairs: PairRows,
    hops: NDArray[np.int64],
    waist: int,
    amount: Words2,
    amounts: NDArray[np.uint64],
    fractions: NDArray[np.float64],
) -> bool:
    """Write the trade that has this waist; tell whether all pairs take it."""
    amounts[waist + 1, 0], amounts[waist + 1, 1] = amount
    for hop in range(waist, -1, -1):
        wanted = amounts[hop + 1, 0], amounts[hop + 1, 1]
        amounts[hop, 0], amounts[hop, 1], fractions[hop] = smallest_input(pairs, hops[hop], wanted)
    for hop in range(waist + 1, len(hops)):
        paid = amounts[hop, 0], amounts[hop, 1]
        amounts[hop + 1, 0], amounts[hop + 1, 1], fractions[hop] = amount_out(pairs, hops[hop], paid)
        if fractions[hop] < 0.0:
            return False
    return bool(amounts[0, 1] != ~ZERO)


@compiled
def _run_forward(pairs: PairRows, hops: NDArray[np.int64], amounts: NDArray[np.uint64]) -> None:
    """Let every hop take all that the one before gives, which may be more than the next needs."""
    for hop in range(len(hops)):
        paid = amounts[hop, 0], amounts[hop, 1]
        amounts[hop + 1, 0], amounts[hop + 1, 1], _ = amount_out(pairs, hops[hop], paid)


@compiled
def _profit(amounts: NDArray[np.uint64]) -> float:
    first, last = (amounts[0, 0], amounts[0, 1]), (amounts[-1, 0], amounts[-1, 1])
    if is_less(last, first):
        return -as_float(subtracted(first, last))
    return as_float(subtracted(last, first))


@compiled
def _follow(
    pairs: PairRows,
    hops: NDArray[np.int64],
    waist: int,
    amounts: NDArray[np.uint64],
    fractions: NDArray[np.float64],
    changes: NDArray[np.float64],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
) -> None:
    """Write by how much the input and the output of a trade change when its waist does."""
    before[:] = changes
    after[:] = changes
    for hop in range(waist, -1, -1):
        wanted = amounts[hop + 1, 0], amounts[hop + 1, 1]
        _inputs(pairs, hops[hop], wanted, fractions[hop], before)
    for hop in range(waist + 1, len(hops)):
        _outputs(pairs, hops[hop], (amounts[hop, 0], amounts[hop, 1]), fractions[hop], after)


@compiled
def _inputs(pairs: PairRows, row: int, amount: Words2, fraction: float, changes: NDArray[np.float64]) -> None:
    """Replace changes of an output by those of its smallest input; infinite if no input gives it."""
    reserve_in, reserve_out, kept = reserves_of(pairs, row)
    left = as_float(subtracted(reserve_out, amount))
    slope = as_float(reserve_in) / left * (as_float(reserve_out) / left) * (float(PPM) / float(kept))
    bend, rounded = 1.0 / left, fraction + _NEARLY
    for at in range(len(changes)):
        room = 1.0 - bend * changes[at]
        needed = np.ceil(slope * changes[at] / room - rounded)
        changes[at] = needed if room > 0.0 else np.inf


@compiled
def _outputs(
    pairs: PairRows, row: int, amount: Words2, fraction: float, changes: NDArray[np.float64]
) -> None:
    """Replace changes of an input by those of its output."""
    reserve_in, reserve_out, kept = reserves_of(pairs, row)
    alone = as_float(reserve_in) * float(PPM)
    grown = alone + as_float(amount) * float(kept)
    slope = as_float(reserve_out) / grown * (alone / grown) * float(kept)
    bend, rounded = float(kept) / grown, fraction + _NEARLY
    for at in range(len(changes)):
        changes[at] = np.floor(slope * changes[at] / (1.0 + bend * changes[at]) + rounded)
