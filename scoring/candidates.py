"""Loops with upper bounds, highest first, from the two ways to look at all cycles.

*Searching* (:mod:`scoring.search`) solves in floats what its majorants cannot rule out. It orders by profits
in floats, each with a certified bound just above. A loop that is not listed was either ruled out by its
majorant, which is below the last one's net value, or solved: then its bound is above its profit by at most
the widest such distance that the search met. The same distance bounds a listed loop from any of its starts.

*Listing* every cycle and scoring the list on a device orders by the majorants themselves, which are bounds.

Neither counts what some contracts pay beyond their curves by rounding, a few units of a token; it is added
here to every bound. What such units alone could earn is not looked for.

Neither looks at cycles that surely promise too much: they would fill any list, and hide the others. What is
sure is told from majorants, whose rates are a little above the curves' own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from scoring.columns import EdgeColumns, PieceColumns
from scoring.cycles import Edge
from scoring.devices.device import CycleTable, Device, Top
from scoring.majorants import STEEPER
from scoring.ranking import Candidates, Loop, Source
from scoring.search.cycle_search import CycleSearch

EdgeOf = Callable[[int], Edge]
"""Gives the edge of a row of the columns."""

_STEEPEST = STEEPER**8
"""More than the rate of five majorants can be above their curves', with room for rounding."""


def surely_above(max_gap: float) -> float:
    """Return the rate of majorants beyond which the rate of the curves is beyond ``max_gap``."""
    return max_gap * _STEEPEST


def believable(
    table: CycleTable, edges: EdgeColumns, worth: NDArray[np.float64], max_gap: float
) -> tuple[CycleTable, int]:
    """Return a table without cycles surely above a rate at size zero, and how many loops these are.

    Parameters
    ----------
    table
        All cycles.
    edges, worth
        As for :func:`searched`.
    max_gap
        The greatest rate that is believed.
    """
    passes = _not_above(table.hops, edges.rate, surely_above(max_gap))
    if passes.all():
        return table, 0
    tokens = edges.token_in[table.hops[~passes]]
    hubs = np.where((tokens >= 0) & (worth[tokens] > 0.0), tokens, len(worth))
    # a loop is listed once for each of its hubs
    withheld = int(np.count_nonzero(hubs.min(axis=1) == table.start[~passes]))
    return CycleTable(table.hops[passes], table.start[passes]), withheld


def searched(
    search: CycleSearch,
    edges: EdgeColumns,
    pieces: PieceColumns,
    worth: NDArray[np.float64],
    edge_of: EdgeOf,
) -> Source:
    """Return a source that searches.

    Parameters
    ----------
    search
        At the present state of the columns.
    edges, pieces
        The market.
    worth
        Wei per raw unit of each token.
    edge_of
        Leads back from rows.
    """
    spare = rounding_worth(edges, worth)

    def source(count: int) -> Candidates:
        found = search.top(count, pieces)
        # the best start in floats need not be the best in integers, but none is above this
        bounds = found.net + found.widest + spare
        rest = bounds[-1] if len(found) == count else -np.inf
        loops = [
            _loop(hops[:hop_count], edge_of) for hops, hop_count in zip(found.hops, found.count, strict=True)
        ]
        return _falling(loops, bounds, rest, search.counters.withheld)

    return source


def listed(
    device: Device,
    table: CycleTable,
    edges: EdgeColumns,
    worth: NDArray[np.float64],
    edge_of: EdgeOf,
    withheld: int = 0,
) -> Source:
    """Return a source that scores a list of all cycles on a device.

    Parameters
    ----------
    device
        Holds the table at the present state of the columns.
    table
        All cycles, or those that are believable.
    edges, worth, edge_of
        As for :func:`searched`.
    withheld
        How many loops the table lacks for their rate.
    """
    spare = rounding_worth(edges, worth)
    padding = len(edges.rate) - 1

    def source(count: int) -> Candidates:
        most = min(count, len(table))
        found = device.top(most) if most else Top(np.zeros(0, np.int64), np.zeros(0))
        bounds = found.nets + spare
        rest = bounds[-1] if len(bounds) == most < len(table) else -np.inf
        loops = [_loop(hops[hops != padding], edge_of) for hops in table.hops[found.rows]]
        return _falling(loops, bounds, rest, withheld)

    return source


def rounding_worth(edges: EdgeColumns, worth: NDArray[np.float64], hops: int = 4) -> float:
    """Return how many wei a cycle may gain by contracts that pay beyond their curves.

    A unit gained somewhere is worth at the end at most what the best walk from its token to a hub gives at
    size zero, since curves are concave; the walk may use edges that the cycle does not.

    Parameters
    ----------
    edges
        The market.
    worth
        Wei per raw unit of each token where a cycle may end; zero elsewhere.
    hops
        Longest cycle.
    """
    real = slice(0, len(edges.rate) - 1)
    if not edges.excess[real].any():
        return 0.0
    unit = worth.copy()
    for _ in range(hops - 1):
        reached = edges.rate[real] * unit[edges.token_out[real]]
        after = unit.copy()
        np.maximum.at(after, edges.token_in[real], reached)
        unit = after
    return hops * float((edges.excess[real] * unit[edges.token_out[real]]).max())


@compiled
def _not_above(hops: NDArray[np.integer], rates: NDArray[np.float64], max_rate: float) -> NDArray[np.bool_]:
    passes = np.empty(len(hops), np.bool_)
    for row in range(len(hops)):
        rate = 1.0
        for hop in hops[row]:
            rate *= rates[hop]
        passes[row] = rate <= max_rate
    return passes


def _loop(rows: NDArray[np.generic], edge_of: EdgeOf) -> Loop:
    return tuple(edge_of(int(row)) for row in rows)


def _falling(loops: list[Loop], bounds: NDArray[np.float64], rest: float, withheld: int) -> Candidates:
    """Return candidates whose bounds nowhere rise: each covers those that follow it."""
    reversed_bounds = np.maximum.accumulate(np.append(bounds, rest)[::-1])
    return Candidates(loops, reversed_bounds[::-1][:-1].tolist(), rest, withheld)
