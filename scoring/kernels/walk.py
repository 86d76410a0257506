"""Along the pieces of one edge to the best input of a cycle whose other hops are constant product.

With ``u`` the input of that edge, ``(A, C)`` the composed map of the hops before it and ``(B, D)`` of those
after, the first takes ``t = u / (A - C u)`` and its rate there is ``(A - C u)**2 / A``. So at the start of a
piece, where the edge has taken ``u``, given ``v`` and goes on at the rate ``a``, the cycle still gains iff

    ``(A - C u)**2 * a * B > A * (1 + D v)**2``

Rates only fall, so the last piece where that holds is where the best input lies. It is found by doubling
steps and then by halves, with neither a division nor a root, and on the piece there is a closed form.
"""

from __future__ import annotations

from math import inf, sqrt

from core.compiled import compiled
from scoring.kernels.curves import Floats

Map = tuple[float, float]
"""Rate and bend of ``a x / (1 + c x)``."""


@compiled
def walk(
    before: Map,
    after: Map,
    first: int,
    stop: int,
    a: Floats,
    c: Floats,
    start_in: Floats,
    start_out: Floats,
    width_in: Floats,
) -> float:
    """Return the best input of a cycle, in its start token; zero if it gains nothing.

    Parameters
    ----------
    before, after
        The composed maps of the hops before and after the one that has pieces.
    first, stop
        Rows of its pieces.
    a, c, start_in, start_out, width_in
        Columns of :class:`scoring.columns.PieceColumns`.
    """
    step, low = 1, first
    while low + step < stop and _gains(
        before, after, start_in[low + step], start_out[low + step], a[low + step]
    ):
        low += step
        step *= 2
    high = min(low + step, stop)
    while high - low > 1:
        middle = (low + high) // 2
        if _gains(before, after, start_in[middle], start_out[middle], a[middle]):
            low = middle
        else:
            high = middle
    start = start_in[low], start_out[low]
    return _on_piece(before, after, start, a[low], c[low], width_in[low])


@compiled
def _gains(before: Map, after: Map, taken: float, given: float, rate: float) -> bool:
    """Return whether a cycle still gains where its edge with pieces has taken and given so much."""
    left, bent = before[0] - before[1] * taken, 1.0 + after[1] * given
    return left > 0.0 and left * left * rate * after[0] > before[0] * bent * bent


@compiled
def _on_piece(before: Map, after: Map, start: Map, a: float, c: float, width: float) -> float:
    """Return the best input that ends on a piece: its start at least, its end at most."""
    left, bent = before[0] - before[1] * start[0], 1.0 + after[1] * start[1]
    share = left / before[0]
    rate_before, bend_before = left * share, before[1] * share
    rate = rate_before * a * after[0] / (bent * bent)
    bend = bend_before + rate_before * (c + a * after[1] / bent)
    slowed = rate_before - bend_before * width
    room = width / slowed if slowed > 0.0 else inf
    beyond = sqrt(rate) - 1.0
    further = beyond / bend if beyond > 0.0 else 0.0
    return start[0] / left + min(further, room)
