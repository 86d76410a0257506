"""Curves in columns: output, marginal rate and bend of any edge at any input.

The bend of a curve at an input is ``-f'' / (2 f')``: the ``c`` of the map ``a z / (1 + c z)`` that follows
the curve from there to second order. Sizes are found with it; see :mod:`scoring.kernels.solve`.

A row's ``terms`` mean, with amounts in raw units and outputs taken larger by ``UPWARD`` as in
:mod:`scoring.curves`:

* ``MOEBIUS``: ``a`` and ``c``;
* ``SEGMENTED``: nothing; see :class:`scoring.columns.PieceColumns`;
* ``WEIGHTED``: both balances, exponent, share kept of the input, largest input;
* ``SOLIDLY_STABLE``: both balances in whole tokens, tokens of one raw input, raw output of one token, largest
  input;
* ``STABLE``: both balances and the product term as raw input, raw output of one scaled unit, largest input;
* ``OFFPEG``: the same with the input of the largest output, then the input up to which it is straight, the
  fee at balance, and how many times it may rise.
"""

from __future__ import annotations

from math import asinh, exp, expm1, inf, log1p, sinh, sqrt

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from scoring.columns import MOEBIUS, SEGMENTED, SOLIDLY_STABLE, STABLE, WEIGHTED, EdgeColumns, PieceColumns

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Row = tuple[float, float, float, float, float, float, float, float]
"""Terms of one edge."""
Local = tuple[float, float, float, float]
"""Output, marginal rate, bend, and how much more input there is until the curve has a kink, at an input."""

FEE_STEP = 1e-10
"""Curve's newest generation rounds its fee down to a multiple of this."""
_WIDTH = 2.0 / sqrt(3.0)
_ARGUMENT = 1.5 * sqrt(3.0)


@compiled
def evaluate(edges: EdgeColumns, pieces: PieceColumns, row: int, amount: float) -> tuple[float, float]:
    """Return output and marginal rate of an edge at an input.

    Parameters
    ----------
    edges, pieces
        Curves.
    row
        Which edge.
    amount
        Raw input, not negative; beyond what the pool takes the output is flat.
    """
    kind, before = edges.kind[row], 0.0
    if kind == MOEBIUS:
        found = moebius(edges.terms[row, 0], edges.terms[row, 1], amount)
    elif kind == SEGMENTED:
        piece = piece_at(pieces.start_in, edges.first[row], edges.stop[row], amount)
        before, inside = pieces.start_out[piece], amount - pieces.start_in[piece]
        is_last, width = piece + 1 == edges.stop[row], pieces.width_in[piece]
        found = on_piece(pieces.a[piece], pieces.c[piece], inside, width, is_last)
    else:
        found = smooth(kind, edges.terms, row, amount)
    return before + found[0], found[1]


@compiled
def moebius(a: float, c: float, amount: float) -> Local:
    """Return output, rate, bend and room of ``a x / (1 + c x)``."""
    share = 1.0 / (1.0 + c * amount)
    return a * amount * share, a * share * share, c * share, inf


@compiled
def on_piece(a: float, c: float, inside: float, width: float, is_last: bool) -> Local:
    """Return output, rate, bend and room on one piece; it is flat beyond the last."""
    paid, rate, bend, _ = moebius(a, c, min(inside, width))
    if is_last and inside >= width:
        return paid, 0.0, 0.0, inf
    return paid, rate, bend, max(width - inside, 0.0)


@compiled
def piece_at(starts: Floats, first: int, stop: int, amount: float) -> int:
    """Return the last piece that starts at or before an amount.

    Most trades end near the first piece, so the search looks there first and then ever further.
    """
    step, low = 1, first
    while low + step < stop and starts[low + step] <= amount:
        low += step
        step *= 2
    high = min(low + step, stop)
    while high - low > 1:
        middle = (low + high) // 2
        if starts[middle] <= amount:
            low = middle
        else:
            high = middle
    return low


@compiled
def smooth(kind: int, terms: Floats, row: int, amount: float) -> Local:
    """Return output, rate, bend and room of a curve that has neither pieces nor a closed inverse.

    The row is read at once: an array that is still needed in some branches only is counted in and out of
    each call, by atomic steps that cost more than the curve.
    """
    one = (
        terms[row, 0],
        terms[row, 1],
        terms[row, 2],
        terms[row, 3],
        terms[row, 4],
        terms[row, 5],
        terms[row, 6],
        terms[row, 7],
    )
    if kind == WEIGHTED:
        return _weighted(one, amount)
    if kind == SOLIDLY_STABLE:
        return _solidly(one, amount)
    if kind == STABLE:
        return _stable(one, amount)
    return _offpeg(one, amount)


@compiled
def _weighted(terms: Row, amount: float) -> Local:
    balance_in, balance_out, exponent, keep = terms[0], terms[1], terms[2], terms[3]
    grown = keep * min(amount, terms[4]) / balance_in
    power = -exponent * log1p(grown)
    paid = -balance_out * expm1(power)
    if amount > terms[4]:
        return paid, 0.0, 0.0, inf
    rate = balance_out / balance_in * keep * exponent * exp(power) / (1.0 + grown)
    bend = 0.5 * (exponent + 1.0) * keep / balance_in / (1.0 + grown)
    return paid, rate, bend, terms[4] - amount


@compiled
def _solidly(terms: Row, amount: float) -> Local:
    """Return the trade on ``x**3 y + x y**3``; see :mod:`market.quotes.solidly_stable`."""
    x0, y0, into, out = terms[0], terms[1], terms[2], terms[3]
    given = into * min(amount, terms[4])
    squares = x0 * x0 + y0 * y0
    x = x0 + given
    share = x0 * y0 * squares / (x * x) / (x * x)
    ratio = _WIDTH * sinh(asinh(_ARGUMENT * share) / 3.0)
    ratio = (2.0 * ratio * ratio * ratio + share) / (3.0 * ratio * ratio + 1.0)
    y = x * ratio
    paid = y0 * given * ((x + x0 + squares / x) / (x * x + y * y + y * y0 + y0 * y0))
    if amount > terms[4]:
        return out * paid, 0.0, 0.0, inf
    squared = ratio * ratio
    per_out = 1.0 + 3.0 * squared
    rate = ratio * (3.0 + squared) / per_out
    bend = 3.0 * (rate * (1.0 + squared) - ratio * (1.0 + rate * rate)) / (per_out * rate * x)
    return out * paid, out * into * rate, into * bend, terms[4] - amount


@compiled
def _stable(terms: Row, amount: float) -> Local:
    paid, rate, bend, _ = _stable_trade(terms, min(amount, terms[4]))
    if amount > terms[4]:
        return terms[3] * paid, 0.0, 0.0, inf
    return terms[3] * paid, terms[3] * rate, bend, terms[4] - amount


@compiled
def _stable_trade(terms: Row, given: float) -> tuple[float, float, float, float]:
    """Return output, rate, bend and balance left, before a fee; see :mod:`market.quotes.stable`."""
    x0, y0, term = terms[0], terms[1], terms[2]
    x, above = x0 + given, term + given - y0
    constant = term * (x0 / x) * y0
    root = sqrt(above * above + 4.0 * constant)
    left = 2.0 * constant / (above + root) if above > 0.0 else 0.5 * (root - above)
    paid = 2.0 * y0 * (1.0 + term / x) * (given / (y0 + term + given + root))
    moved = constant / left
    weight = 1.0 + moved / x
    rate = weight / (1.0 + moved / left)
    turned = rate / left
    bend = moved * (1.0 / (x * x) - turned / x + turned * turned) / weight
    return paid, rate, bend, left


@compiled
def _offpeg(terms: Row, amount: float) -> Local:
    """Return the concave bound of :class:`scoring.curves.OffpegCurve`."""
    out, flat_from, straight_to = terms[3], terms[4], terms[5]
    if amount >= flat_from:
        return out * _after_fee(terms, flat_from)[0], 0.0, 0.0, inf
    if amount <= straight_to:
        paid, rate, bend = _after_fee(terms, straight_to)
        if straight_to == 0.0:
            return 0.0, out * rate, bend, flat_from
        price = out * (paid / straight_to)
        return price * amount, price, 0.0, straight_to - amount
    paid, rate, bend = _after_fee(terms, amount)
    return out * paid, out * rate, bend, flat_from - amount


@compiled
def _after_fee(terms: Row, given: float) -> tuple[float, float, float]:
    """Return output, rate and about the bend under a fee that rises as balances move apart."""
    paid, rate, bend, left = _stable_trade(terms, given)
    mean_in, mean_out = terms[0] + 0.5 * given, 0.5 * (terms[1] + left)
    total = mean_in + mean_out
    share_in, share_out = mean_in / total, mean_out / total
    above = terms[7] - 1.0
    closeness = 1.0 + 4.0 * above * share_in * share_out
    fee = terms[6] * terms[7] / closeness
    turn = 2.0 * above * (share_out - share_in) / total * (share_out + share_in * rate)
    falls = fee * turn / closeness
    keep = 1.0 - fee + FEE_STEP
    return paid * keep, rate * keep + paid * falls, bend - falls / keep
