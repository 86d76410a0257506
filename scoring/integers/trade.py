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

from collections.abc import Sequence
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

_CHANGES, _BEFORE, _AFTER, _FRACTIONS = range(4)
_ROWS = 4
"""Of floats to work in."""

_TRADED, _NO_RESERVES, _NO_GAIN, _DUST, _REFUSED, _NO_ROW = range(6)
_FOREIGN_ROW = "a hop is no row of the pairs; make both from the same edges"
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
    floats, other = np.empty((_ROWS, SAMPLES)), np.empty_like(amounts)
    outcome, upper_bound = _trade(pairs, hops, amounts, other, floats)
    if outcome == _NO_ROW:
        raise InputError(_FOREIGN_ROW)
    return _pair_trade(amounts, upper_bound) if outcome == _TRADED else _REASONS[outcome]


class PairTrades(Sequence["PairTrade | Reason"]):
    """The best integer trades of many cycles, one for each, or why there is none.

    Amounts stay machine words until a trade is looked at: who ranks many and takes one needs the profits of
    all, and the amounts of that one.

    Parameters
    ----------
    amounts
        uint64 words of shape ``(cycles, width + 1, 2)``, the lower word first.
    outcomes, lengths
        int64; what became of each cycle, and its hops.
    profits
        uint64 words of shape ``(cycles, 2)``.
    bounds
        float64; what no input earns more than.
    """

    __slots__ = ("_amounts", "_bounds", "_lengths", "_outcomes", "_profits")

    def __init__(
        self,
        amounts: NDArray[np.uint64],
        outcomes: list[int],
        lengths: NDArray[np.int64],
        profits: NDArray[np.uint64],
        bounds: NDArray[np.float64],
    ) -> None:
        self._amounts = amounts
        self._outcomes = outcomes
        self._lengths = lengths
        self._profits = profits
        self._bounds = bounds

    def __len__(self) -> int:
        return len(self._outcomes)

    def __getitem__(self, at: int) -> PairTrade | Reason:  # type: ignore[override]
        outcome = self._outcomes[at]
        if outcome != _TRADED:
            return _REASONS[outcome]
        return _pair_trade(self._amounts[at, : self._lengths[at] + 1], float(self._bounds[at]))

    @property
    def profits(self) -> list[int]:
        """Profit of each trade, raw units of its start token; 0 where there is none."""
        return [low | high << 64 if high else low for low, high in self._profits.tolist()]


def best_pair_trades(pairs: PairRows, cycles: NDArray[np.int64]) -> PairTrades:
    """Return the best integer trade of each of many cycles; see :func:`best_pair_trade`.

    Parameters
    ----------
    pairs
        From :func:`scoring.integers.pairs.pair_rows`.
    cycles
        Rows of ``pairs``, shape ``(cycles, width)``; short cycles are padded at the end with its last row.

    Raises
    ------
    InputError
        If a hop is not a row of ``pairs``.

    Examples
    --------
    >>> from scoring.integers.pairs import pair_rows
    >>> pairs = pair_rows([(10**21, 2 * 10**12, 3000), (2 * 10**12, 11 * 10**20, 3000)])
    >>> trades = best_pair_trades(pairs, np.array([[0, 1], [0, 0]]))
    >>> trades.profits, [type(trade).__name__ for trade in trades]
    ([1047236224807529899, 0], ['PairTrade', 'Reason'])
    """
    count, width = cycles.shape
    amounts: NDArray[np.uint64] = np.empty((count, width + 1, 2), np.uint64)
    profits: NDArray[np.uint64] = np.empty((count, 2), np.uint64)
    ends, bounds = np.empty((2, count), np.int64), np.empty(count)
    _trades(pairs, cycles, amounts, profits, ends, bounds)
    outcomes = ends[0].tolist()
    if _NO_ROW in outcomes:
        raise InputError(_FOREIGN_ROW)
    return PairTrades(amounts, outcomes, ends[1], profits, bounds)


def _pair_trade(amounts: NDArray[np.uint64], upper_bound: float) -> PairTrade:
    return PairTrade(tuple([low | high << 64 for low, high in amounts.tolist()]), upper_bound)


@compiled
def _trades(
    pairs: PairRows,
    cycles: NDArray[np.int64],
    amounts: NDArray[np.uint64],
    profits: NDArray[np.uint64],
    ends: NDArray[np.int64],
    bounds: NDArray[np.float64],
) -> None:
    """Write the trade of every cycle: amounts, what became of it, its hops, and the bound of its profit."""
    # allocated once: for one cycle after the other it would take as long as the search
    floats, other = np.empty((_ROWS, SAMPLES)), np.empty((cycles.shape[1] + 1, 2), np.uint64)
    for cycle in range(len(cycles)):
        length = cycles.shape[1]
        while length > 0 and cycles[cycle, length - 1] == len(pairs) - 1:
            length -= 1
        traded = amounts[cycle, : length + 1]
        outcome, bounds[cycle] = _trade(pairs, cycles[cycle, :length], traded, other[: length + 1], floats)
        ends[0, cycle], ends[1, cycle] = outcome, length
        profits[cycle, 0], profits[cycle, 1] = ZERO, ZERO
        if outcome == _TRADED:
            first, last = (traded[0, 0], traded[0, 1]), (traded[length, 0], traded[length, 1])
            profits[cycle, 0], profits[cycle, 1] = subtracted(last, first)


@compiled
def _trade(
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
    fractions = floats[_FRACTIONS]
    waist = from_float(max(at_waist(cycle, cycle.size), 1.0))
    step = (ONE, ZERO)
    while not _walk(pairs, hops, cycle.waist, waist, amounts, fractions):
        if not is_less(step, waist):
            return _REFUSED, bound
        waist, step = subtracted(waist, step), added(step, step)
    _improve(pairs, hops, cycle, bound, amounts, other, floats)
    _run_forward(pairs, hops, amounts)
    return (_TRADED if _profit(amounts) > 0.0 else _DUST), bound


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
