"""A potential for every token, so that rates between tokens are near one.

Rates in raw units span thirty orders of magnitude, and float32 has seven digits. With a potential ``p`` for
every token, ``ln(rate) + p[token in] - p[token out]`` is near zero for every pool that is near the market's
price, and around a cycle the potentials cancel: the sum is still the logarithm of the cycle's rate.

Float64 rounds on the way. ``|ln(rate)|`` is below 139 where a rate lies within 2**±200, and four units in
its last place are below 1.2e-13; a difference of potentials is below 512 and rounded by at most 5.7e-14; two
sums below 1,024 are rounded by at most 1.2e-13 each; the product of the rates itself by 1.2e-16 a factor.
All that is less than half of 2**-40 for an edge, which is what the filter adds before it rounds up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.columns import EdgeColumns

MOST = 256.0
"""Potentials stay within plus and minus this."""


def token_potentials(edges: EdgeColumns, worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of how many raw units of each token are worth one wei of the native token.

    Tokens with a worth have it from there. The others are reached through pools, from known tokens
    outward, each through the deepest pool that leads to it. A token that nothing leads to has 0.

    Parameters
    ----------
    edges
        The market's curves.
    worth
        Wei of the native token for a raw unit of each token, float64; 0 if not known.

    Examples
    --------
    >>> from scoring.columns import moebius_columns
    >>> pool, here, there = np.zeros(1, np.int32), np.zeros(1, np.int32), np.ones(1, np.int32)
    >>> edges, _ = moebius_columns(np.array([2.0]), np.array([1e-3]), pool, here, there, np.zeros(1))
    >>> np.exp(token_potentials(edges, np.array([4.0, 0.0]))).tolist()
    [0.25, 0.5]
    """
    known = worth > 0.0
    potentials = np.zeros(len(worth))
    potentials[known] = -np.log(worth[known])
    rate, bend = edges.rate[:-1], edges.bend[:-1]
    token_in, token_out = edges.token_in[:-1], edges.token_out[:-1]
    usable = (rate > 0.0) & np.isfinite(rate)
    while True:
        rows = np.flatnonzero(usable & known[token_in] & ~known[token_out])
        if len(rows) == 0:
            return np.clip(potentials, -MOST, MOST)
        with np.errstate(divide="ignore"):
            depth = -np.log(bend[rows]) - potentials[token_in[rows]]
        rows = rows[np.argsort(depth, kind="stable")]
        # of assignments to one token the last counts: that of the deepest pool
        potentials[token_out[rows]] = potentials[token_in[rows]] + np.log(rate[rows])
        known[token_out[rows]] = True


def potential_drops(edges: EdgeColumns, worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for every edge the potential of the token that goes in less that of the one that comes out."""
    potentials = token_potentials(edges, worth)
    drops = np.zeros(len(edges.rate))
    drops[:-1] = potentials[edges.token_in[:-1]] - potentials[edges.token_out[:-1]]
    return drops
