"""The best input of a cycle over any mix of curves, and what no input can beat.

The reasoning is that of :mod:`scoring.sizing`. There are three ways to the size, the cheapest first: the
closed form where all hops are constant product; along the pieces where some have pieces
(:mod:`scoring.kernels.walk`), after which one look at every hop is mostly enough; and a search between two
tangents from the majorants' best input (:mod:`scoring.kernels.bracket`). The last two end alike, so what is
guessed never matters to the bound.

Columns are handed on one by one, and a function that takes many of them calls nothing that takes any, unless
it is small: else numba counts each array in and out, by atomic steps that cost as much as the hops.
"""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from scoring.columns import MOEBIUS, SEGMENTED, EdgeColumns, PieceColumns
from scoring.kernels.bracket import CLEARLY_FALLING, GAP_RELATIVE, GAP_UNITS, Found, bracket, narrowed, result
from scoring.kernels.curves import Floats, Places, moebius, on_piece, piece_at, smooth
from scoring.kernels.walk import walk

Hops = NDArray[np.integer]
Kinds = NDArray[np.uint8]
Composed = tuple[float, float, float, int]
Solution = tuple[float, float, float]
"""Input, profit and upper bound of any profit, in raw units of the start token."""

_MARGIN = 2.0**-40
_MAX_STEPS, _MAX_LOOKS = 200, 8
_NOTHING = 0.0, 0.0, 0.0, 0.0


@compiled
def solve(edges: EdgeColumns, pieces: PieceColumns, hops: Hops, count: int) -> Solution:
    """Return the best input of a cycle, its profit, and an upper bound of any input's profit.

    Parameters
    ----------
    edges, pieces
        Curves.
    hops
        Rows of ``edges`` in order; the first ``count`` of them are the cycle.
    count
        Number of hops.

    Returns
    -------
    tuple of float
        Raw units of the start token; three zeros where the product of the rates is not above one, so that
        no input earns anything. A bound below one says that no integer input does either.
    """
    rates, bends, kind, terms = edges.rate, edges.bend, edges.kind, edges.terms
    first, stop = edges.first, edges.stop
    a, c, start_in, start_out, width_in = pieces
    composed = _composed(hops, count, rates, bends, edges.excess, kind)
    if not composed[0] > 1.0:
        return 0.0, 0.0, 0.0
    if composed[3] == MOEBIUS:
        return _closed_form(composed)
    guess, is_best, found = _majorants_best(composed), False, _NOTHING
    if composed[3] == SEGMENTED:
        before, after, row = _around_pieces(hops, count, kind, rates, bends)
        guess = walk(before, after, first[row], stop[row], a, c, start_in, start_out, width_in)
        found, is_best = _on_pieces(
            hops, count, guess, kind, rates, bends, first, stop, a, c, start_in, start_out, width_in
        )
    if not is_best:
        found = _on_curves(
            hops, count, composed, guess, kind, terms, first, stop, a, c, start_in, start_out, width_in
        )
    return _bounded(found, composed[2])


@compiled
def solve_many(
    edges: EdgeColumns,
    pieces: PieceColumns,
    hops: Hops,
    amounts_in: Floats,
    profits: Floats,
    upper_bounds: Floats,
) -> None:
    """Solve many cycles; see :func:`solve`.

    Parameters
    ----------
    edges, pieces
        Curves.
    hops
        Shape ``(cycles, width)``; short cycles are padded at the end with the last edge.
    amounts_in, profits, upper_bounds
        Written; float64 of shape ``(cycles,)``.
    """
    width, padding = hops.shape[1], len(edges.rate) - 1
    here = np.empty(width, np.int64)
    rates, bends, excess, kind = edges.rate, edges.bend, edges.excess, edges.kind
    terms, first, stop = edges.terms, edges.first, edges.stop
    a, c, start_in, start_out, width_in = pieces
    for cycle in range(len(hops)):
        count = 0
        while count < width and hops[cycle, count] != padding:
            here[count] = hops[cycle, count]
            count += 1
        composed = _composed(here, count, rates, bends, excess, kind)
        solution, found = (0.0, 0.0, 0.0), _NOTHING
        if composed[0] > 1.0 and composed[3] == MOEBIUS:
            solution = _closed_form(composed)
        elif composed[0] > 1.0:
            guess, is_best = _majorants_best(composed), False
            if composed[3] == SEGMENTED:
                before, after, row = _around_pieces(here, count, kind, rates, bends)
                guess = walk(before, after, first[row], stop[row], a, c, start_in, start_out, width_in)
                found, is_best = _on_pieces(
                    here, count, guess, kind, rates, bends, first, stop, a, c, start_in, start_out, width_in
                )
            if not is_best:
                found = _on_curves(
                    here,
                    count,
                    composed,
                    guess,
                    kind,
                    terms,
                    first,
                    stop,
                    a,
                    c,
                    start_in,
                    start_out,
                    width_in,
                )
            solution = _bounded(found, composed[2])
        amounts_in[cycle], profits[cycle], upper_bounds[cycle] = solution


@compiled
def _composed(
    hops: Hops, count: int, rates: Floats, bends: Floats, excesses: Floats, kind: Kinds
) -> Composed:
    """Return the composed majorant and excess of a cycle, and the hardest kind of curve in it."""
    rate, bend, excess, hardest = 1.0, 0.0, 0.0, MOEBIUS
    for place in range(count):
        row = hops[place]
        bend += bends[row] * rate
        excess = excess * rates[row] + excesses[row]
        rate *= rates[row]
        hardest = max(hardest, kind[row])
    return rate, bend, excess, hardest


@compiled
def _closed_form(composed: Composed) -> Solution:
    """Return the solution of a map that gains."""
    rate, bend, excess, _ = composed
    beyond = sqrt(rate) - 1.0
    amount = beyond / bend
    profit = beyond * amount
    return amount, profit, profit + _MARGIN * (4.0 * amount + profit) + excess


@compiled
def _bounded(found: Found, excess: float) -> Solution:
    amount, profit, height, top = found
    return amount, profit, height + _MARGIN * (2.0 * top + profit) + excess


@compiled
def _majorants_best(composed: Composed) -> float:
    return (sqrt(composed[0]) - 1.0) / composed[1]


@compiled
def _most(composed: Composed) -> float:
    """Return an input beyond which nothing earns."""
    return (composed[0] * (1.0 + _MARGIN) - 1.0) / composed[1]


@compiled
def _on_pieces(
    hops: Hops,
    count: int,
    guess: float,
    kind: Kinds,
    rates: Floats,
    bends: Floats,
    first: Places,
    stop: Places,
    a: Floats,
    c: Floats,
    start_in: Floats,
    start_out: Floats,
    width_in: Floats,
) -> tuple[Found, bool]:
    """Return the size of a cycle of constant product and pieces, and whether it is one.

    Parameters are as of :func:`solve`, with where to begin. Newton's steps end on the pieces of the best
    input, or the size is none: a kink is there.
    """
    at, last_step, looks = guess, inf, _MAX_LOOKS
    paid, slope, top, is_best = 0.0, 0.0, 0.0, False
    while looks > 0:
        amount, rate, bend, reach = at, 1.0, 0.0, inf
        for place in range(count):
            row, given = hops[place], 0.0
            if kind[row] == MOEBIUS:
                found = moebius(rates[row], bends[row], amount)
            else:
                piece = piece_at(start_in, first[row], stop[row], amount)
                given, inside, is_last = start_out[piece], amount - start_in[piece], piece + 1 == stop[row]
                found = on_piece(a[piece], c[piece], inside, width_in[piece], is_last)
            reach = _reach(reach, found[3], rate, bend)
            amount, bend, rate = given + found[0], bend + found[2] * rate, rate * found[1]
        paid, slope = amount, rate - 1.0
        top = _falling(at, rate, bend, reach)
        is_best = abs(slope) * top <= max(GAP_UNITS, GAP_RELATIVE * at)
        looks = 0 if is_best else looks - 1
        if looks > 0:
            step = (sqrt(rate) - 1.0) / bend
            # a step that does not shrink is one to and fro over a kink
            looks = looks if abs(step) <= 0.5 * last_step and at + step > 0.0 else 0
            at, last_step = at + step, abs(step)
    return (at, paid - at, paid - at + abs(slope) * top, top), is_best


@compiled
def _around_pieces(
    hops: Hops, count: int, kind: Kinds, rates: Floats, bends: Floats
) -> tuple[tuple[float, float], tuple[float, float], int]:
    """Return the maps before and after the first hop that has pieces, and its row; majorants for others."""
    before_rate, before_bend, after_rate, after_bend, chosen = 1.0, 0.0, 1.0, 0.0, -1
    for place in range(count):
        row = hops[place]
        if chosen >= 0:
            after_bend += bends[row] * after_rate
            after_rate *= rates[row]
        elif kind[row] == MOEBIUS:
            before_bend += bends[row] * before_rate
            before_rate *= rates[row]
        else:
            chosen = row
    return (before_rate, before_bend), (after_rate, after_bend), chosen


@compiled
def _reach(reach: float, room: float, rate: float, bend: float) -> float:
    """Return how much more input leads to a kink, given a hop's room and the map before the hop."""
    if room < inf and rate > bend * room:
        return min(reach, room / (rate - bend * room))
    return reach


@compiled
def _falling(at: float, rate: float, bend: float, reach: float) -> float:
    """Return an input beyond ``at`` where a curve of pieces falls clearly; infinity if none is near."""
    further = min(reach, at)
    bent = 1.0 + bend * further
    return at + further if rate / (bent * bent) - 1.0 < CLEARLY_FALLING else inf


@compiled
def _on_curves(
    hops: Hops,
    count: int,
    composed: Composed,
    guess: float,
    kind: Kinds,
    terms: Floats,
    first: Places,
    stop: Places,
    a: Floats,
    c: Floats,
    start_in: Floats,
    start_out: Floats,
    width_in: Floats,
) -> Found:
    """Return the size of a cycle of any curves; parameters are as of :func:`_on_pieces`."""
    now, steps = bracket(composed[0], guess, _most(composed)), 0
    while steps < _MAX_STEPS:
        amount, rate, bend, reach = now.at, 1.0, 0.0, inf
        for place in range(count):
            row, given = hops[place], 0.0
            if kind[row] == MOEBIUS:
                found = moebius(terms[row, 0], terms[row, 1], amount)
            elif kind[row] == SEGMENTED:
                piece = piece_at(start_in, first[row], stop[row], amount)
                given, inside, is_last = start_out[piece], amount - start_in[piece], piece + 1 == stop[row]
                found = on_piece(a[piece], c[piece], inside, width_in[piece], is_last)
            else:
                found = smooth(kind[row], terms, row, amount)
            reach = _reach(reach, found[3], rate, bend)
            amount, bend, rate = given + found[0], bend + found[2] * rate, rate * found[1]
        now = narrowed(now, amount, rate, bend, reach)
        steps = _MAX_STEPS if now.is_done else steps + 1
    return result(now)
