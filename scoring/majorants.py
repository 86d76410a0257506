"""The map ``a x / (1 + c x)`` that lies nowhere below an edge's curve; see docs/explanation/majorants.md.

With ``a`` the rate at zero, the largest ``c`` is the least value of ``h(x) = a / f(x) - 1 / x``, which is
``q(x) / x`` with ``q(x) = a x / f(x) - 1``. A curve that is concave and zero at zero has a mean price that
only falls, so ``q`` only rises, and on ``u <= x <= v`` nothing is below ``q(u) / v``. That one sentence turns
values at a few inputs into a bound over all of them.

Some curves have next to no bend at zero, and then ``c`` would be next to nothing, though a trade of any size
meets a bend soon. So ``a`` is taken larger by a millionth, under which ``q`` never falls.
"""

from __future__ import annotations

from math import inf, log1p, sqrt

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from scoring.columns import MOEBIUS, SEGMENTED, WEIGHTED, EdgeColumns, PieceColumns
from scoring.kernels.curves import Floats, evaluate, smooth

STEEPER = 1.0 + 2.0**-20
"""By how much ``a`` is taken above the rate at zero."""

_LEAST = 2.0**-20
"""What ``q`` never falls below then."""
_DOWN = 1.0 - 2.0**-30
_ROUNDED = 2.0**-47
"""More than the rounding of ``q``."""
_FAR = 2.0**12
_COARSE = 2.0
_FINE = 32


@compiled
def set_majorants(edges: EdgeColumns, pieces: PieceColumns, rows: NDArray[np.int64]) -> None:
    """Write rate and bend of edges whose curves are in the columns already.

    Parameters
    ----------
    edges, pieces
        Curves.
    rows
        Which of them.
    """
    for row in rows:
        edges.rate[row], edges.bend[row] = majorant(edges, pieces, row)


@compiled
def majorant(edges: EdgeColumns, pieces: PieceColumns, row: int) -> tuple[float, float]:
    """Return ``a`` and ``c`` of one edge's majorant; no rate and the bend 1 where nothing is paid."""
    kind = edges.kind[row]
    rate = evaluate(edges, pieces, row, 0.0)[1]
    if not rate > 0.0:
        return 0.0, 1.0
    if kind == MOEBIUS:
        return rate, edges.terms[row, 1]
    if kind == SEGMENTED:
        rate *= STEEPER
        return rate, _DOWN * _bend_of_pieces(pieces, edges.first[row], edges.stop[row], rate)
    if kind == WEIGHTED:
        return rate, _DOWN * _bend_of_weighted(edges.terms[row])
    rate *= STEEPER
    return rate, _DOWN * _bend_of_smooth(kind, edges.terms, row, rate)


@compiled
def _bend_of_weighted(terms: Floats) -> float:
    """Return the bend of a weighted curve.

    In ``t = log1p(keep x / balance)`` the function ``h`` rises from its limit at zero if the exponent is
    one or more, and else falls to what is bounded here at the largest input.
    """
    exponent: float = terms[2]
    per_unit: float = terms[3] / terms[0]
    at_zero = 0.5 * (exponent + 1.0)
    if exponent >= 1.0:
        return per_unit * at_zero
    longest = log1p(per_unit * terms[4])
    return per_unit * max(at_zero - longest * (1.0 - exponent * exponent) / 12.0, exponent)


@compiled
def _bend_of_pieces(pieces: PieceColumns, first: int, stop: int, rate: float) -> float:
    """Return the least ``h`` over where pieces meet and where it is stationary inside one."""
    bend = inf
    for piece in range(first, stop):
        a, c, width = pieces.a[piece], pieces.c[piece], pieces.width_in[piece]
        start, before = pieces.start_in[piece], pieces.start_out[piece]
        end, after = start + width, before + a * width / (1.0 + c * width)
        bend = min(bend, _bend_at(end, after, rate))
        if piece > first:  # on the first piece h only falls
            # (before + steep z) / (1 + c z) = f, and h' = 0 where f = x sqrt(rate f')
            steep, root = before * c + a, sqrt(rate * a)
            if root != steep:
                inside = (before - start * root) / (root - steep)
                if 0.0 < inside < width:
                    at = before + a * inside / (1.0 + c * inside)
                    bend = min(bend, _bend_at(start + inside, at, rate))
    return bend


@compiled
def _bend_at(amount: float, out: float, rate: float) -> float:
    return ((rate * amount - out) / out - _ROUNDED) / amount


@compiled
def _bend_of_smooth(kind: int, terms: Floats, row: int, rate: float) -> float:
    """Return a bound of ``h`` from below, walking from far inputs to near ones.

    Beyond ``far`` the output is at most all of it. Where ``steeper / x`` is above the bound, so is ``h``.
    """
    largest = terms[row, 4]
    most = smooth(kind, terms, row, largest)[0]
    high = min(largest, _FAR * most / rate)
    bend = _bend_at(high, most, rate)
    fine = _COARSE ** (1.0 / _FINE)
    while bend * high >= _LEAST:
        low = high / _COARSE
        if _bend_at(low, smooth(kind, terms, row, low)[0], rate) * (low / high) < bend:
            above = high
            for _ in range(_FINE):
                below = above / fine
                least = _bend_at(below, smooth(kind, terms, row, below)[0], rate) * (below / above)
                bend, above = min(bend, least), below
        high = low
    return bend
