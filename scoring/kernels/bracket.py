"""The best input of a concave curve between two tangents, by Newton's method and by its kinks.

Let ``F`` be the curve of a cycle. ``F'**-0.5`` is linear in the input where every hop is on one piece of
constant product, and nearly so elsewhere. So Newton's method on it, with the composed rate ``A`` and bend
``K`` of the hops' present pieces, steps from ``x`` to ``x + (sqrt(A) - 1) / K``. For constant product that is
the closed form, for pieces it is exact as soon as both ends of a step lie on the same ones, and for smooth
curves a few steps are enough.

Two tangents bracket the best input all the while. Where a step leaves the bracket or does not shrink, a
kink is in the way: at a range without liquidity, or where a pool takes no more. Each hop knows how far it is
to its next one, so that is where to look, from both sides.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import NamedTuple

from core.compiled import compiled

Point = tuple[float, float, float, float]
"""Input, profit, slope of the profit, and about how much more input leads the first hop to a kink."""
Found = tuple[float, float, float, float]
"""Best input, its profit, the height of the tangents there, and an input that is beyond doubt too much."""

CLEARLY_FALLING = -1e-9
"""A slope that no rounding makes positive."""
GAP_RELATIVE = 2.0**-44
GAP_UNITS = 0.25
_WIDTH_RELATIVE = 2.0**-50
_HAIR = 2.0**-48
_PATIENCE = 4
_NOT_SEEN = -1.0
"""The room at an end that no one has looked at: the majorant's rate stands for the curve's."""
_WIDE = 4.0
"""Beyond how many times the size an input that is too much makes the margin wider than it need be."""


class Bracket(NamedTuple):
    """How far a search is.

    Parameters
    ----------
    low, high
        Ends of the bracket.
    at
        The input to look at next.
    top
        The least input known to be beyond doubt too much.
    last_step, widest, stalled
        What tells whether steps still shrink the bracket.
    is_last, is_done
        Whether only ``top`` is still looked for, and whether nothing is.
    """

    low: Point
    high: Point
    at: float
    top: float
    last_step: float
    widest: float
    stalled: int
    is_last: bool
    is_done: bool


@compiled
def bracket(rate: float, guess: float, most: float) -> Bracket:
    """Return where a search begins.

    Parameters
    ----------
    rate
        Of the cycle at zero, by its majorant.
    guess
        The first input to look at.
    most
        An input beyond which nothing earns.
    """
    low, high = (0.0, 0.0, rate - 1.0, _NOT_SEEN), (most, 0.0, -inf, inf)
    return Bracket(low, high, guess, most, inf, most, 0, False, False)


@compiled
def narrowed(now: Bracket, paid: float, rate: float, bend: float, room: float) -> Bracket:
    """Return how far a search is after a look at the input it asked for.

    Parameters
    ----------
    now
        Before it.
    paid, rate, bend, room
        What the cycle pays for that input, its rate and bend there, and how far it is to a kink.
    """
    at, slope = now.at, rate - 1.0
    here = (at, paid - at, slope, room)
    rises = slope >= 0.0
    low = here if rises else now.low
    high = here if not rises and at < now.high[0] else now.high
    top = min(now.top, at) if slope < CLEARLY_FALLING else now.top
    along, width = _meeting(low, high), high[0] - low[0]
    gap = low[1] + low[2] * along - _better(low, high)[1]
    if now.is_last or gap <= max(GAP_UNITS, GAP_RELATIVE * at) or width <= _WIDTH_RELATIVE * high[0]:
        size = low[0] if low[0] > 0.0 else high[0]
        is_done = now.is_last or top <= _WIDE * size
        # beyond doubt too much, and not far: the margin is a share of it
        return Bracket(low, high, 2.0 * size, top, width, width, 0, True, is_done)
    halved = width <= 0.5 * now.widest
    widest, stalled = (width, 0) if halved else (now.widest, now.stalled + 1)
    step = (sqrt(rate) - 1.0) / bend if bend > 0.0 else inf
    if low[0] < at + step < high[0] and abs(step) <= 0.5 * now.last_step:
        return Bracket(low, high, at + step, top, abs(step), widest, stalled, False, False)
    at = low[0] + 0.5 * width if stalled > _PATIENCE else _next_kink(low, high, along)
    return Bracket(low, high, at, top, width, widest, stalled, False, False)


@compiled
def result(now: Bracket) -> Found:
    """Return the better end of a bracket, and the height at which its tangents meet."""
    best = _better(now.low, now.high)
    return best[0], best[1], now.low[1] + now.low[2] * _meeting(now.low, now.high), now.top


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
