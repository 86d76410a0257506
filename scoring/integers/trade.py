"""Best integer trades of cycles of pairs, as Python sees them; :mod:`scoring.integers.waists` finds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.reasons import Reason
from scoring.integers.pairs import PairRows
from scoring.integers.waists import (
    DUST,
    NO_GAIN,
    NO_RESERVES,
    NO_ROW,
    REFUSED,
    ROOM,
    SAMPLES,
    TRADED,
    find_trade,
    find_trades,
)

_FOREIGN_ROW = "a hop is no row of the pairs; make both from the same edges"
_REASONS = {
    NO_RESERVES: Reason.ZERO_LIQUIDITY,
    NO_GAIN: Reason.RATE_BELOW_ONE,
    DUST: Reason.DUST_PROFIT,
    REFUSED: Reason.AMOUNT_TOO_LARGE,
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
    floats, other = np.empty((ROOM, SAMPLES)), np.empty_like(amounts)
    outcome, upper_bound = find_trade(pairs, hops, amounts, other, floats)
    if outcome == NO_ROW:
        raise InputError(_FOREIGN_ROW)
    return _pair_trade(amounts, upper_bound) if outcome == TRADED else _REASONS[outcome]


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
        if outcome != TRADED:
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
    find_trades(pairs, cycles, amounts, profits, ends, bounds)
    outcomes = ends[0].tolist()
    if NO_ROW in outcomes:
        raise InputError(_FOREIGN_ROW)
    return PairTrades(amounts, outcomes, ends[1], profits, bounds)


def _pair_trade(amounts: NDArray[np.uint64], upper_bound: float) -> PairTrade:
    return PairTrade(tuple([low | high << 64 for low, high in amounts.tolist()]), upper_bound)
