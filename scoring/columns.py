"""A market's curves in columns: one row per *edge*, a pool used in one direction.

Every edge has a majorant, the map ``a x / (1 + c x)`` that lies nowhere below its curve: ``a`` is the curve's
marginal rate at size zero, ``c`` the largest for which that holds. Where a pool is constant product the
majorant is the curve. Majorants compose in closed form, so they bound what any cycle can earn, on any device.

The last row is no pool: it gives back what it gets, costs nothing, and pads short cycles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOEBIUS, SEGMENTED, WEIGHTED, SOLIDLY_STABLE, STABLE, OFFPEG = range(6)
"""Kinds of curves; ``terms`` of a row mean what its kind says."""

TERMS = 8
"""Parameters that a kind may have."""


class EdgeColumns(NamedTuple):
    """Curves of all edges, in rows ordered by pool id, token in and token out.

    Parameters
    ----------
    rate, bend
        ``a`` and ``c`` of the majorant, float64; raw output per raw input, and per raw input. An edge that
        gives nothing has the rate 0.
    kind
        uint8, one of the kinds above.
    terms
        float64 of shape ``(edges + 1, TERMS)``.
    first, stop
        int64; rows of :class:`PieceColumns` that a segmented edge consists of.
    excess
        float64; raw output that the contract may pay beyond the curve.
    pool, token_in, token_out
        int32; which pool, and which tokens. -1 in the last row.
    cost
        float64; what a swap costs, in wei of the native token.
    """

    rate: NDArray[np.float64]
    bend: NDArray[np.float64]
    kind: NDArray[np.uint8]
    terms: NDArray[np.float64]
    first: NDArray[np.int64]
    stop: NDArray[np.int64]
    excess: NDArray[np.float64]
    pool: NDArray[np.int32]
    token_in: NDArray[np.int32]
    token_out: NDArray[np.int32]
    cost: NDArray[np.float64]


class PieceColumns(NamedTuple):
    """Pieces of constant product of all segmented edges, those of one edge in a row.

    Parameters
    ----------
    a, c
        Marginal rate at the start of a piece, and its bend; float64.
    start_in, start_out, width_in
        Raw input and output before it, and the input it takes; float64.
    """

    a: NDArray[np.float64]
    c: NDArray[np.float64]
    start_in: NDArray[np.float64]
    start_out: NDArray[np.float64]
    width_in: NDArray[np.float64]


def moebius_columns(
    rate: NDArray[np.float64],
    bend: NDArray[np.float64],
    pool: NDArray[np.int32],
    token_in: NDArray[np.int32],
    token_out: NDArray[np.int32],
    cost: NDArray[np.float64],
) -> tuple[EdgeColumns, PieceColumns]:
    """Return the columns of a market of constant product alone; the padding row is added.

    Examples
    --------
    >>> one = np.ones(1, np.int32)
    >>> edges, pieces = moebius_columns(np.ones(1), np.ones(1), one, one, one, np.zeros(1))
    >>> edges.rate.tolist(), edges.bend.tolist(), edges.pool.tolist(), len(pieces.a)
    ([1.0, 1.0], [1.0, 0.0], [1, -1], 0)
    """
    count = len(rate)
    terms = np.zeros((count + 1, TERMS))
    terms[:count, 0], terms[:count, 1], terms[count, 0] = rate, bend, 1.0
    nowhere = np.zeros(count + 1, np.int64)
    edges = EdgeColumns(
        np.append(rate, 1.0),
        np.append(bend, 0.0),
        np.full(count + 1, MOEBIUS, np.uint8),
        terms,
        nowhere,
        nowhere.copy(),
        np.zeros(count + 1),
        _with_none(pool),
        _with_none(token_in),
        _with_none(token_out),
        np.append(cost, 0.0),
    )
    return edges, PieceColumns(*(np.zeros(0) for _ in PieceColumns._fields))


def _with_none(column: NDArray[Any]) -> NDArray[np.int32]:
    return np.append(column, -1).astype(np.int32)
