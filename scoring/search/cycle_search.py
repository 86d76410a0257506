"""The exact best of all cycles of a market, kept up as the market moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from scoring.columns import MOEBIUS, EdgeColumns, PieceColumns
from scoring.devices.device import Change
from scoring.search.halves import build_halves, combinations
from scoring.search.keeper import WIDTH, Keeper, empty_keeper, kept
from scoring.search.meet import SOLVED, VISITED, WITHHELD, meet
from scoring.search.upkeep import first_values, renew

_GREATEST = 2.0**255
"""Four rates and bends up to this multiply without overflow, and down to its inverse without underflow."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Best loops first, by net value and then by hops; only those whose net value is positive.

    Parameters
    ----------
    hops
        int32 rows of the edges, shape ``(loops, 4)``, padded with the padding row.
    count
        int32; how many hops each has.
    start
        int32; the token each starts in, of all its tokens with worth the one that earns most.
    amount_in, profit, upper_bound
        float64; raw units of the start token. No input earns more than the bound.
    net
        float64; worth of the profit less the hops' costs, in wei of the native token.
    widest
        Wei; greatest distance between profit and bound of all loops that were solved, listed or not. One
        that is not listed nets at most the last one's ``net`` and that much.
    """

    hops: NDArray[np.int32]
    count: NDArray[np.int32]
    start: NDArray[np.int32]
    amount_in: NDArray[np.float64]
    profit: NDArray[np.float64]
    upper_bound: NDArray[np.float64]
    net: NDArray[np.float64]
    widest: float

    def __len__(self) -> int:
        return len(self.net)


@dataclass(frozen=True, slots=True)
class Counters:
    """How much a search stands for, and what the latest one looked at.

    Parameters
    ----------
    halves
        Paths of one or two hops from a hub and back to a hub.
    combinations
        Pairs of halves that make cycles; a loop counts once for each hub in it.
    visited, solved
        Pairs that the latest search came upon, and those it solved.
    withheld
        Loops that the latest search passed over for their rate, each counted once; the few pairs that use a
        pool or a token twice count too. Those that could not be among the best anyway are mostly left out.
    """

    halves: int
    combinations: int
    visited: int
    solved: int
    withheld: int


class CycleSearch:
    """Find the best of all cycles up to a length by meeting in the middle.

    The market is never copied: whoever owns the arrays changes them and then calls :meth:`update` with the
    rows of the edges that moved. Costs, and the worths of tokens that have one, may change without notice. A
    market with other pools needs a new search.

    Parameters
    ----------
    edges
        The market's edges.
    worth
        Native wei per raw unit of each token, float64; cycles start where it is positive.
    max_hops
        Longest cycle: 2, 3 or 4 swaps.
    max_rate
        Cycles whose majorants' rates at size zero make more than this are passed over.

    Raises
    ------
    InputError
        If the length is another, the greatest rate is not above one, a worth or a cost is negative or no
        number, or a majorant is none.

    Examples
    --------
    >>> from scoring.columns import moebius_columns
    >>> pool, tokens = np.array([0, 1], np.int32), np.array([0, 1], np.int32)
    >>> edges, pieces = moebius_columns(
    ...     np.array([2.0, 2.0]), np.full(2, 1e-6), pool, tokens, tokens[::-1], np.zeros(2)
    ... )
    >>> search = CycleSearch(edges, np.array([1.0, 0.0]))
    >>> found = search.top(1, pieces)
    >>> found.hops.tolist(), found.count.tolist(), round(found.net[0])
    ([[0, 1, 2, 2]], [2], 333333)
    """

    def __init__(
        self,
        edges: EdgeColumns,
        worth: NDArray[np.float64],
        max_hops: int = WIDTH,
        max_rate: float = inf,
    ) -> None:
        if max_hops not in (2, 3, WIDTH):
            raise InputError("cycles have 2, 3 or 4 hops; ask for one of these", max_hops=max_hops)
        if not max_rate > 1.0:
            raise InputError(f"a rate of {max_rate:g} leaves no cycle that earns; give more than 1")
        self._edges, self._worth, self._max_rate = edges, worth, max_rate
        self._check(edges, worth)
        self._halves = build_halves(edges, np.flatnonzero(worth > 0.0).astype(np.int32), max_hops)
        self._values = first_values(edges, self._halves)
        self._combinations = combinations(self._halves, len(edges.rate) - 1)
        self._counted = np.zeros(3, np.int64)
        self._best = np.zeros((0, WIDTH), np.int32)

    @property
    def counters(self) -> Counters:
        """How much the search stands for, and what the latest one looked at."""
        halves = len(self._halves.leaving.edges) + len(self._halves.coming.edges)
        counted = (int(self._counted[what]) for what in (VISITED, SOLVED, WITHHELD))
        return Counters(halves, self._combinations, *counted)

    def update(self, changed: Sequence[int] | NDArray[np.int64]) -> None:
        """Take over edges whose majorants moved.

        Parameters
        ----------
        changed
            Rows of edges; others are not looked at.

        Raises
        ------
        InputError
            If a row is none, or its majorant is none; nothing was taken over.
        """
        rows = np.asarray(changed, np.int64)
        self._check_rows(rows)
        _check_majorants(self._edges.rate[rows], self._edges.bend[rows])
        renew(self._edges, self._halves, self._values, rows)

    def top(self, count: int, pieces: PieceColumns) -> Ranked:
        """Return the best loops of all at the present state.

        Parameters
        ----------
        count
            How many at most.
        pieces
            Pieces of the segmented edges.

        Raises
        ------
        InputError
            If the count is below one.
        """
        ranked = self._search(count, pieces)
        self._best = ranked.hops
        return ranked

    def what_if(self, change: Change, count: int, pieces: PieceColumns) -> Ranked:
        """Return the best loops of all if some edges were other maps, and leave everything as it was.

        A changed edge is scored as its majorant, as if it were constant product. The market's arrays hold
        the other state for as long as the search takes.

        Raises
        ------
        InputError
            If the count is below one, a row is none, a majorant is none, or lengths differ.
        """
        edges, rows = self._edges, change.edges
        if not len(rows) == len(change.rates) == len(change.bends):
            raise InputError("a change needs one rate and one bend for each edge", edges=len(rows))
        self._check_rows(rows)
        _check_majorants(change.rates, change.bends)
        before = edges.rate[rows], edges.bend[rows], edges.kind[rows], edges.terms[rows]
        terms = before[3].copy()
        terms[:, 0], terms[:, 1] = change.rates, change.bends
        try:
            self._put(rows, change.rates, change.bends, np.full(len(rows), MOEBIUS, np.uint8), terms)
            return self._search(count, pieces)
        finally:
            self._put(rows, *before)

    def _put(
        self,
        rows: NDArray[np.int64],
        rates: NDArray[np.float64],
        bends: NDArray[np.float64],
        kinds: NDArray[np.uint8],
        terms: NDArray[np.float64],
    ) -> None:
        edges = self._edges
        edges.rate[rows], edges.bend[rows], edges.kind[rows], edges.terms[rows] = rates, bends, kinds, terms
        renew(edges, self._halves, self._values, rows)

    def _search(self, count: int, pieces: PieceColumns) -> Ranked:
        if count < 1:
            raise InputError("ask for one loop at least", count=count)
        keeper = empty_keeper(min(count, self._combinations + 1))
        self._counted[:] = 0
        edges, worth, halves, values = self._edges, self._worth, self._halves, self._values
        meet(edges, pieces, worth, halves, values, self._best, self._max_rate, keeper, self._counted)
        return _ranked(keeper)

    def _check_rows(self, rows: NDArray[np.int64]) -> None:
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(self._edges.rate) - 1):
            raise InputError("a row is no edge of this market; build a new search for other pools")

    @staticmethod
    def _check(edges: EdgeColumns, worth: NDArray[np.float64]) -> None:
        for name, column in (("worth", worth), ("cost", edges.cost)):
            if not np.all((column >= 0.0) & (column < np.inf)):
                raise InputError(f"every {name} must be a number of wei from zero up", column=name)
        _check_majorants(edges.rate[:-1], edges.bend[:-1])


def _check_majorants(rate: NDArray[np.float64], bend: NDArray[np.float64]) -> None:
    is_dead = rate == 0.0
    is_map = (rate >= 1.0 / _GREATEST) & (rate <= _GREATEST) & (bend > 0.0) & (bend <= _GREATEST)
    if not np.all(is_dead & (bend >= 0.0) & (bend <= _GREATEST) | is_map):
        raise InputError(
            "an edge has no majorant: its rate or bend is no number, negative, or far beyond any pool's; "
            "give a pool that cannot trade the rate 0"
        )


def _ranked(keeper: Keeper) -> Ranked:
    taken = kept(keeper)
    order = np.lexsort((*keeper.hops[:taken].T[::-1], -keeper.net[:taken]))
    return Ranked(
        keeper.hops[order],
        keeper.length[order],
        keeper.start[order],
        keeper.amount_in[order],
        keeper.profit[order],
        keeper.upper_bound[order],
        keeper.net[order],
        float(keeper.widest[0]),
    )
