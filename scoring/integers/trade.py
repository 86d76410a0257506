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

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.errors import InputError
from core.reasons import Reason
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

_TRADED, _NO_RESERVES, _NO_GAIN, _DUST, _REFUSED, _NO_ROW = range(6)
_REASONS = {
    _NO_RESERVES: Reason.ZERO_LIQUIDITY,
    _NO_GAIN: Reason.RATE_BELOW_ONE,
    _DUST: Reason.DUST_PROFIT,
    _REFUSED: Reason.AMOUNT_TOO_LARGE,
}


class PairTrade(NamedTuple):
    """A trade around a cycle of pairs.

    Parameters
    ----------
    amounts
        Raw units: the input, then the output of each hop.
    upper_bound
        No input, integer or not, earns more than this many raw units.
    """

    amounts: tuple[int, ...]
    upper_bound: float

    @property
    def profit(self) -> int:
        """What comes back beyond the input, raw units of the start token."""
        return self.amounts[-1] - self.amounts[0]


def best_pair_trade(pairs: PairRows, hops: NDArray[np.int64]) -> PairTrade | Reason:
    """Return the best integer trade found on one cycle of pairs, or why there is none.

    Parameters
    ----------
    pairs
        From :func:`scoring.integers.pairs.pair_rows`.
    hops
        Rows of ``pairs``, two at least; the last gives the token that the first takes.

    Returns
    -------
    PairTrade or Reason
        ``ZERO_LIQUIDITY`` if a pair has no reserves, ``RATE_BELOW_ONE`` if no input earns anything,
        ``DUST_PROFIT`` if none found earns one raw unit, ``AMOUNT_TOO_LARGE`` if the pairs do not take it.

    Raises
    ------
    InputError
        If a hop is not a row of ``pairs``.

    Examples
    --------
    >>> from scoring.integers.pairs import pair_rows
    >>> pairs = pair_rows([(10**21, 2 * 10**12, 3000), (2 * 10**12, 11 * 10**20, 3000)])
    >>> trade = best_pair_trade(pairs, np.array([0, 1]))
    >>> trade.amounts, trade.profit
    ((22934312011962539451, 44708730274, 23981548236770069350), 1047236224807529899)
    >>> str(best_pair_trade(pair_rows([(10**9, 10**9, 3000), (10**9, 10**9, 3000)]), np.array([0, 1])))
    'rate_below_one'
    """
    amounts: NDArray[np.uint64] = np.empty((len(hops) + 1, 2), np.uint64)
    outcome, upper_bound = _trade(pairs, hops, amounts)
    if outcome != _TRADED:
        return _refusal(outcome)
    return PairTrade(tuple([low | high << 64 for low, high in amounts.tolist()]), upper_bound)


def best_pair_trades(pairs: PairRows, cycles: NDArray[np.int64]) -> list[PairTrade | Reason]:
    """Return the best integer trade of each of many cycles; see :func:`best_pair_trade`.

    Parameters
    ----------
    pairs
        From :func:`scoring.integers.pairs.pair_rows`.
    cycles
        Rows of ``pairs``, shape ``(cycles, width)``; short cycles are padded at the end with its last row.
    """
    count, width = cycles.shape
    amounts: NDArray[np.uint64] = np.empty((count, width + 1, 2), np.uint64)
    ends, bounds = np.empty((count, 2), np.int64), np.empty(count)
    _trades(pairs, cycles, amounts, ends, bounds)
    # one list for all: a list of its own for every trade would take longer than finding the trade
    words = iter(amounts.reshape(-1).tolist())
    flat = tuple([low | high << 64 if high else low for low, high in zip(words, words, strict=True)])
    starts = range(0, len(flat), width + 1)
    return [
        PairTrade(flat[start : start + length + 1], bound) if outcome == _TRADED else _refusal(outcome)
        for start, (outcome, length), bound in zip(starts, ends.tolist(), bounds.tolist(), strict=True)
    ]


def _refusal(outcome: int) -> Reason:
    if outcome == _NO_ROW:
        raise InputError("a hop is no row of the pairs; make both from the same edges")
    return _REASONS[outcome]


@compiled
def _trades(
    pairs: PairRows,
    cycles: NDArray[np.int64],
    amounts: NDArray[np.uint64],
    ends: NDArray[np.int64],
    bounds: NDArray[np.float64],
) -> None:
    """Write the trade of every cycle: amounts, what became of it, its hops, and the bound of its profit."""
    for cycle in range(len(cycles)):
        length = cycles.shape[1]
        while length > 0 and cycles[cycle, length - 1] == len(pairs) - 1:
            length -= 1
        ends[cycle, 1] = length
        ends[cycle, 0], bounds[cycle] = _trade(pairs, cycles[cycle, :length], amounts[cycle, : length + 1])


@compiled
def _trade(pairs: PairRows, hops: NDArray[np.int64], amounts: NDArray[np.uint64]) -> tuple[int, float]:
    """Write the amounts of the best trade found; return what became of it, and the bound of its profit."""
    for row in hops:
        if not 0 <= row < len(pairs):
            return _NO_ROW, 0.0
        reserve_in, reserve_out, _ = reserves_of(pairs, row)
        if as_float(reserve_in) == 0.0 or as_float(reserve_out) == 0.0:
            return _NO_RESERVES, 0.0
    rate, bend = rate_and_bend(pairs, hops)
    if not rate > 1.0:
        return _NO_GAIN, 0.0
    cycle = cycle_map(pairs, hops, rate, bend)
    bound = cycle.profit + _MARGIN * (cycle.size + cycle.profit)
    if bound < 1.0:
        return _DUST, bound
    fractions = np.empty(len(hops))
    waist = from_float(max(at_waist(cycle, cycle.size), 1.0))
    step = (ONE, ZERO)
    while not _walk(pairs, hops, cycle.waist, waist, amounts, fractions):
        if not is_less(step, waist):
            return _REFUSED, bound
        waist, step = subtracted(waist, step), added(step, step)
    _improve(pairs, hops, cycle, bound, amounts, fractions)
    _run_forward(pairs, hops, amounts)
    return (_TRADED if _profit(amounts) > 0.0 else _DUST), bound


@compiled
def _improve(
    pairs: PairRows,
    hops: NDArray[np.int64],
    cycle: CycleMap,
    bound: float,
    amounts: NDArray[np.uint64],
    fractions: NDArray[np.float64],
) -> None:
    """Replace the input of a trade by that of another waist, if that is better."""
    profit = _profit(amounts)
    short = bound - profit - 1.0
    if short <= _ENOUGH * profit:
        return
    start = amounts[cycle.waist + 1, 0], amounts[cycle.waist + 1, 1]
    changes = changes_to_try(cycle, as_float(start), short, SAMPLES)
    before, after = _followed(pairs, hops, cycle.waist, amounts, fractions, changes)
    chosen, most = 0.0, 0.0
    for at in range(len(changes)):
        if after[at] - before[at] > most:
            chosen, most = changes[at], after[at] - before[at]
    if chosen == 0.0:
        return
    change = from_float(abs(chosen))
    waist = added(start, change) if chosen > 0.0 else subtracted(start, change)
    other = np.empty(amounts.shape, np.uint64)
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
def _followed(
    pairs: PairRows,
    hops: NDArray[np.int64],
    waist: int,
    amounts: NDArray[np.uint64],
    fractions: NDArray[np.float64],
    changes: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how much the input and the output of a trade change when its waist does."""
    before, after = changes.copy(), changes.copy()
    for hop in range(waist, -1, -1):
        wanted = amounts[hop + 1, 0], amounts[hop + 1, 1]
        _inputs(pairs, hops[hop], wanted, fractions[hop], before)
    for hop in range(waist + 1, len(hops)):
        _outputs(pairs, hops[hop], (amounts[hop, 0], amounts[hop, 1]), fractions[hop], after)
    return before, after


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
