"""Concentrated liquidity for the seeded market: pieces of constant product, drawn without ticks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.columns import SEGMENTED, EdgeColumns, PieceColumns

PIECES = 64
"""Pieces of each direction."""

_STEP = 1.0001 ** (60 / 2)
_FADE = 16.0
_PPM = 1_000_000

Floats = NDArray[np.float64]


def concentrated(
    edges: EdgeColumns, pools: NDArray[np.int64], held: Floats, fees: NDArray[np.int64]
) -> tuple[EdgeColumns, PieceColumns]:
    """Return the columns with the curves of some pools replaced by concentrated ones.

    A pool keeps its price and what it holds. Ranges are 60 ticks wide, and liquidity falls away from the
    price, so that the first piece lies nowhere below the curve and is its majorant.

    Parameters
    ----------
    edges
        Rows ``2 p`` and ``2 p + 1`` are pool ``p``.
    pools
        Which pools, int64.
    held
        Raw units of both tokens of all pools, shape ``(all pools, 2)``.
    fees
        Of all pools, ppm.
    """
    keep = 1.0 - fees[pools] / _PPM
    directions = [_pieces(held[pools, side], held[pools, 1 - side], keep) for side in (0, 1)]
    # the two directions of a pool lie beside each other
    pieces = PieceColumns(*(np.stack(both, axis=1).reshape(-1) for both in zip(*directions, strict=True)))
    rows = np.stack([2 * pools, 2 * pools + 1], axis=1).reshape(-1)
    first, stop, kind = edges.first.copy(), edges.stop.copy(), edges.kind.copy()
    rate, bend, terms = edges.rate.copy(), edges.bend.copy(), edges.terms.copy()
    first[rows] = PIECES * np.arange(len(rows))
    stop[rows] = first[rows] + PIECES
    kind[rows], terms[rows] = SEGMENTED, 0.0
    rate[rows], bend[rows] = pieces.a[first[rows]], pieces.c[first[rows]]
    made = edges._replace(rate=rate, bend=bend, kind=kind, terms=terms, first=first, stop=stop)
    return made, pieces


def _pieces(held_in: Floats, held_out: Floats, keep: Floats) -> PieceColumns:
    """Return pieces of one direction of each pool, columns of shape ``(pools, PIECES)``.

    With ``r`` the root of the price (raw output per raw input), a range from ``r`` down to ``q`` with
    liquidity ``l`` takes ``l (1/q - 1/r)`` and gives ``l (r - q)``.
    """
    place = np.arange(PIECES)
    fade = np.exp(-place / _FADE)
    above, below = _STEP ** -place.astype(np.float64), _STEP ** -(place + 1.0)
    root = np.sqrt(held_out / held_in)[:, None]
    deepest = held_out[:, None] / (root * (fade * (above - below)).sum())
    liquidity, kept = deepest * fade, keep[:, None]
    width_in = liquidity * (1.0 / below - 1.0 / above) / root / kept
    width_out = liquidity * (above - below) * root
    return PieceColumns(
        kept * (root * above) ** 2,
        kept * root * above / liquidity,
        np.cumsum(width_in, axis=1) - width_in,
        np.cumsum(width_out, axis=1) - width_out,
        width_in,
    )
