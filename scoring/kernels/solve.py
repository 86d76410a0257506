"""The best input of a cycle over any mix of curves, and what no input can beat.

The reasoning is that of :mod:`scoring.sizing`; here is how the size is found. Let ``F`` be the composed
curve. ``F'**-0.5`` is linear in the input where every hop is on one piece of constant product, and nearly so
elsewhere. So Newton's method on it, with the composed rate ``A`` and bend ``K`` of the hops' present pieces,
steps from ``x`` to ``x + (sqrt(A) - 1) / K``. For constant product that is the closed form, for pieces it is
exact as soon as both ends of a step lie on the same ones, and for smooth curves a few steps are enough.

Two tangents bracket the best input all the while. Where a step leaves the bracket or does not shrink, a
kink is in the way: at a range without liquidity, or where a pool takes no more. Each hop knows how far it is
to its next one, so that is where to look, from both sides.
"""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from scoring.columns import MOEBIUS, SEGMENTED, EdgeColumns, PieceColumns
from scoring.compiled import compiled
from scoring.kernels.curves import Floats, Places, moebius, on_piece, piece_at, smooth

Hops = NDArray[np.integer]
Point = tuple[float, float, float, float]
"""Input, profit, slope of the profit, and about how much more input leads the first hop to a kink."""
Composed = tuple[float, float, float, bool]
Solution = tuple[float, float, float]
"""Input, profit and upper bound of any profit, in raw units of the start token."""

_MARGIN = 2.0**-40
_CLEARLY_FALLING = -1e-9
_GAP_RELATIVE = 2.0**-44
_GAP_UNITS = 0.25
_WIDTH_RELATIVE = 2.0**-50
_HAIR = 2.0**-48
_PATIENCE = 4
_NOT_SEEN = -1.0
"""The room at an end that no one has looked at: the majorant's rate stands for the curve's."""
_MAX_STEPS = 200
_WIDE = 4.0
"""Beyond how many times the size an input that is too much makes the margin wider than it need be."""


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
    composed = _composed(hops, count, edges.rate, edges.bend, edges.excess, edges.kind)
    a, c, start_in, start_out, width_in = pieces
    kind, terms, first, stop = edges.kind, edges.terms, edges.first, edges.stop
    return _solved(hops, count, composed, kind, terms, first, stop, a, c, start_in, start_out, width_in)


@compiled
def _composed(
    hops: Hops, count: int, rates: Floats, bends: Floats, excesses: Floats, kind: NDArray[np.uint8]
) -> Composed:
    """Return the composed majorant and excess of a cycle, and whether all of it is constant product."""
    rate, bend, excess, plain = 1.0, 0.0, 0.0, True
    for place in range(count):
        row = hops[place]
        bend += bends[row] * rate
        excess = excess * rates[row] + excesses[row]
        rate *= rates[row]
        plain = plain and kind[row] == MOEBIUS
    return rate, bend, excess, plain


@compiled
def _solved(
    hops: Hops,
    count: int,
    composed: Composed,
    kind: NDArray[np.uint8],
    terms: Floats,
    first: Places,
    stop: Places,
    a: Floats,
    c: Floats,
    start_in: Floats,
    start_out: Floats,
    width_in: Floats,
) -> Solution:
    """Return what :func:`solve` does; columns come one by one.

    Compiled code takes longer to hand on a tuple of arrays than to evaluate the hops.
    """
    rate, bend, excess, plain = composed
    if not rate > 1.0:
        return 0.0, 0.0, 0.0
    beyond = sqrt(rate) - 1.0
    amount, profit = beyond / bend, beyond * beyond / bend
    if plain:
        return amount, profit, profit + _MARGIN * (4.0 * amount + profit) + excess
    most = (rate * (1.0 + _MARGIN) - 1.0) / bend
    amount, profit, height, top = _search(
        hops, count, rate, amount, most, kind, terms, first, stop, a, c, start_in, start_out, width_in
    )
    return amount, profit, height + _MARGIN * (2.0 * top + profit) + excess


@compiled
def _search(
    hops: Hops,
    count: int,
    rate: float,
    guess: float,
    most: float,
    kind: NDArray[np.uint8],
    terms: Floats,
    first: Places,
    stop: Places,
    a: Floats,
    c: Floats,
    start_in: Floats,
    start_out: Floats,
    width_in: Floats,
) -> tuple[float, float, float, float]:
    """Return the best input, its profit, the height of the tangents there, and an input that is too much.

    Parameters are as of :func:`solve`, with the product of the rates, where to begin, and an input beyond
    which nothing earns. Hops are evaluated here and not in a function of its own for the reason above.
    """
    low, high, at, top = (0.0, 0.0, rate - 1.0, _NOT_SEEN), (most, 0.0, -inf, inf), guess, most
    best, height, last_step, widest, stalled, done = low, inf, inf, most, 0, False
    for _ in range(_MAX_STEPS):
        amount, rate, bend, reach = at, 1.0, 0.0, inf
        for place in range(count):
            row, before = hops[place], 0.0
            if kind[row] == MOEBIUS:
                found = moebius(terms[row, 0], terms[row, 1], amount)
            elif kind[row] == SEGMENTED:
                piece = piece_at(start_in, first[row], stop[row], amount)
                before, inside, is_last = start_out[piece], amount - start_in[piece], piece + 1 == stop[row]
                found = on_piece(a[piece], c[piece], inside, width_in[piece], is_last)
            else:
                found = smooth(kind[row], terms, row, amount)
            amount, marginal, bent, room = before + found[0], found[1], found[2], found[3]
            if room < inf and rate > bend * room:
                reach = min(reach, room / (rate - bend * room))
            bend += bent * rate
            rate *= marginal
        here = (at, amount - at, rate - 1.0, reach)
        low, high = (here, high) if here[2] >= 0.0 else (low, here if at < high[0] else high)
        top = min(top, at) if here[2] < _CLEARLY_FALLING else top
        along, width = _meeting(low, high), high[0] - low[0]
        height = low[1] + low[2] * along
        best = _better(low, high)
        gap = height - best[1]
        if done or gap <= max(_GAP_UNITS, _GAP_RELATIVE * at) or width <= _WIDTH_RELATIVE * high[0]:
            if done or top <= _WIDE * low[0] or low[0] == 0.0:
                break
            # beyond doubt too much, and not far: the margin is a share of it
            at, done = 2.0 * low[0], True
            continue
        widest, stalled = (width, 0) if width <= 0.5 * widest else (widest, stalled + 1)
        step = (sqrt(rate) - 1.0) / bend if bend > 0.0 else inf
        if low[0] < at + step < high[0] and abs(step) <= 0.5 * last_step:
            at, last_step = at + step, abs(step)
        else:
            at = low[0] + 0.5 * width if stalled > _PATIENCE else _next_kink(low, high, along)
            last_step = width
    return best[0], best[1], height, top


@compiled
def _better(low: Point, high: Point) -> Point:
    """Return the end of a bracket that earns more and is no more than a pool takes.

    Where the slope is -1 the last unit in buys nothing.
    """
    return high if high[1] > low[1] and high[2] > -1.0 else low


@compiled
def _next_kink(low: Point, high: Point, along: float) -> float:
    """Return the next input at which a piece ends, or a hair beside an end of the bracket that is there."""
    if low[3] == _NOT_SEEN:
        return 0.0
    kink = low[0] + low[3]
    if kink < high[0]:
        return max(kink, low[0] * (1.0 + _HAIR))
    if kink <= high[0] * (1.0 + _HAIR):
        return high[0] * (1.0 - _HAIR)
    width = high[0] - low[0]
    return low[0] + (along if 0.0 < along < width else 0.5 * width)


@compiled
def _meeting(low: Point, high: Point) -> float:
    """Return how far beyond the low end the tangents at both ends meet."""
    width, steepness = high[0] - low[0], low[2] - high[2]
    if not 0.0 < steepness < inf:
        return width if steepness == inf else 0.0
    return min(max((high[1] - low[1] - high[2] * width) / steepness, 0.0), width)


@compiled
def solve_many(
    edges: EdgeColumns,
    pieces: PieceColumns,
    hops: Hops,
    amounts_in: NDArray[np.float64],
    profits: NDArray[np.float64],
    upper_bounds: NDArray[np.float64],
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
    rates, bends, excesses, kind = edges.rate, edges.bend, edges.excess, edges.kind
    terms, first, stop = edges.terms, edges.first, edges.stop
    a, c, start_in, start_out, width_in = pieces
    for cycle in range(len(hops)):
        count = 0
        while count < width and hops[cycle, count] != padding:
            here[count] = hops[cycle, count]
            count += 1
        composed = _composed(here, count, rates, bends, excesses, kind)
        amounts_in[cycle], profits[cycle], upper_bounds[cycle] = _solved(
            here, count, composed, kind, terms, first, stop, a, c, start_in, start_out, width_in
        )
