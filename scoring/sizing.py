"""How much to put into a cycle, and how much it could possibly earn.

Let ``F`` be the composition of the hops' curves. Every curve is increasing, concave and zero
at zero, so ``F`` is too, and ``G(x) = F(x) - x`` is concave. Hence

* a cycle can earn something iff ``F'(0) > 1``, the product of the marginal rates at zero;
* the best input is where ``F'`` crosses 1, and ``F'`` only falls, so a bracket finds it,
  whatever families of pools are mixed;
* a concave function lies below each of its tangents. With ``G' >= 0`` at the low end of a
  bracket and ``G' <= 0`` at the high end, no input anywhere earns more than the height at
  which the two tangents meet. This is the certificate's upper bound.

Integers cannot beat it: every contract rounds in the pool's favour, so an integer hop pays at
most its curve; curves increase, so by induction a cycle of integer hops ends with at most
``F(x)``.

A few contracts round one step the other way and pay some units more than their curve. Each curve
says by how many, its ``excess``. A unit more somewhere is worth at the end at most what the hops after
it give at size zero, and that much is added to the bound.

Floats could: their rounding is answered by an explicit margin. A curve's output and rate are
each the result of a few dozen roundings (a few hundred at most, where a swap crosses as many
ticks), an error in an input is never amplified, since the elasticity of a concave function
through zero is at most one, and so 2**-42 is a generous relative error for a composition. It
reaches the bound through the heights (at most ``top + F(top)``) and through the slopes (at
most ``top``), with ``top`` an input at which the rate is below one beyond doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

from core.reasons import Reason
from scoring.curves import Curve

_MARGIN = 2.0**-40
_CLEARLY_BELOW_ONE = 1.0 - 1e-9
_GAP_RELATIVE = 2.0**-44
_GAP_UNITS = 0.25
_WIDTH_RELATIVE = 2.0**-50
_MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class Size:
    """The best input of a cycle in floats, and the proof of how good it is.

    Parameters
    ----------
    amount_in, profit
        Raw units of the start token.
    low, high
        The final bracket of the best input.
    upper_bound
        No input, integer or not, earns more than this many raw units.
    """

    amount_in: float
    profit: float
    low: float
    high: float
    upper_bound: float


@dataclass(frozen=True, slots=True)
class _Point:
    """An input, what it earns, and the slope of the profit there."""

    amount_in: float
    profit: float
    slope: float


def marginal_rate(curves: Sequence[Curve]) -> float:
    """Return the rate of the whole cycle at size zero; above one, it can earn something."""
    rate = 1.0
    for curve in curves:
        rate *= curve.tangent_map()[0]
    return rate


def size_cycle(curves: Sequence[Curve]) -> Size | Reason:
    """Return the best input of a cycle and its bound, or why there is none.

    A cycle of constant-product hops is one Moebius map, whose best input is the closed form
    that the search starts with: it ends at once. Other cycles take a few steps of a secant on
    ``F'**-0.5``, which is linear for such a map, guarded by bisection.

    Parameters
    ----------
    curves
        Hops in order; the last gives the token that the first takes.

    Returns
    -------
    Size or Reason
        ``RATE_BELOW_ONE`` if no input earns anything, ``DUST_PROFIT`` if none earns one raw
        unit.

    Examples
    --------
    >>> from scoring.curves import MoebiusCurve
    >>> size = size_cycle([MoebiusCurve(4.0, 1e-6), MoebiusCurve(1.0, 0.0)])
    >>> size.amount_in, size.profit, size.upper_bound - size.profit < 1e-5
    (1000000.0, 1000000.0, True)
    >>> str(size_cycle([MoebiusCurve(2.0, 1e-6), MoebiusCurve(0.5, 1e-6)]))
    'rate_below_one'
    """
    rate = marginal_rate(curves)
    if not rate > 1.0:
        return Reason.RATE_BELOW_ONE
    guess = _closed_form(curves)
    top = _clearly_too_much(curves, guess)
    low, high, top = _search(curves, _Point(0.0, 0.0, rate - 1.0), top, guess)
    margin = _MARGIN * (2.0 * top.amount_in + abs(top.profit))
    bound = _meeting_height(low, high) + margin + _excess(curves)
    if bound < 1.0:
        return Reason.DUST_PROFIT
    # at a slope of -1 the last unit in buys nothing: that end may be more than a pool takes
    best = high if high.profit > low.profit and high.slope > -1.0 else low
    return Size(best.amount_in, best.profit, low.amount_in, high.amount_in, bound)


def _excess(curves: Sequence[Curve]) -> float:
    """Return what the hops may pay beyond their curves, in units of the start token."""
    units = 0.0
    for curve in curves:
        units = units * curve.tangent_map()[0] + curve.excess
    return units


def _at(curves: Sequence[Curve], amount_in: float) -> _Point:
    amount, rate = amount_in, 1.0
    for curve in curves:
        amount, marginal = curve.evaluate(amount)
        rate *= marginal
    return _Point(amount_in, amount - amount_in, rate - 1.0)


def _closed_form(curves: Sequence[Curve]) -> float:
    """Return the best input, one unit at least, of the Moebius maps that follow the curves at zero."""
    a, c = 1.0, 0.0
    for curve in curves:
        hop_a, hop_c = curve.tangent_map()
        c += hop_c * a
        a *= hop_a
    return max((sqrt(a) - 1.0) / c, 1.0)


def _clearly_too_much(curves: Sequence[Curve], guess: float) -> _Point:
    """Return an input beyond the best by more than rounding can hide."""
    top = _at(curves, 2.0 * guess)
    while top.slope + 1.0 > _CLEARLY_BELOW_ONE:
        top = _at(curves, 2.0 * top.amount_in)
    return top


def _search(curves: Sequence[Curve], low: _Point, top: _Point, guess: float) -> tuple[_Point, _Point, _Point]:
    """Shrink the bracket until its bound is as good as its better end.

    Returns the two ends, and the least input seen that is beyond doubt too much.
    """
    high, at, width = top, guess, inf
    for _ in range(_MAX_STEPS):
        point = _at(curves, at)
        if point.slope >= 0.0:
            low = point
        else:
            high = point
            top = point if point.slope + 1.0 < _CLEARLY_BELOW_ONE else top
        best = max(low.profit, high.profit)
        gap = _meeting_height(low, high) - best
        now = high.amount_in - low.amount_in
        if gap <= max(_GAP_UNITS, _GAP_RELATIVE * best) or now <= _WIDTH_RELATIVE * high.amount_in:
            break
        at = _secant(low, high) if now <= 0.5 * width else low.amount_in + 0.5 * now
        width = now
    return low, high, top


def _secant(low: _Point, high: _Point) -> float:
    """Return where ``F'**-0.5`` would be one, were it linear; the middle if that is no step."""
    width = high.amount_in - low.amount_in
    if high.slope > -1.0:
        below, above = 1.0 / sqrt(1.0 + low.slope), 1.0 / sqrt(1.0 + high.slope)
        share = (1.0 - below) / (above - below)
        if 0.0 < share < 1.0:
            return low.amount_in + share * width
    return low.amount_in + 0.5 * width


def _meeting_height(low: _Point, high: _Point) -> float:
    """Return the height at which the tangents at the two ends meet."""
    width = high.amount_in - low.amount_in
    steepness = low.slope - high.slope
    if steepness <= 0.0:
        return max(low.profit, high.profit)
    along = (high.profit - low.profit - high.slope * width) / steepness
    return low.profit + low.slope * min(max(along, 0.0), width)
