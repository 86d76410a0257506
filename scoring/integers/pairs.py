"""Swaps of constant-product pairs in exact integers, as machine code.

A pair used in one direction is a row of five words: two of the reserve of the token that goes in, two of the
other, and the fee on the input in ppm. Amounts and reserves have 112 bits, products 244, all of which fit.

The arithmetic is that of :class:`market.pools.uniswap_v2.UniswapV2Pool`. Beside an integer stands the
fraction that rounding cost: by it one knows, without dividing again, what amounts nearby are rounded to.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from core.compiled import compiled
from core.errors import InputError
from scoring.integers.words import (
    ONE,
    ZERO,
    Word,
    Words2,
    added,
    added3,
    as_float,
    divided,
    is_less,
    subtracted,
    times,
    times_word,
)

PairRows = NDArray[np.uint64]
"""Rows of five words, shape ``(edges + 1, 5)``; the last is no pair and pads short cycles."""
Amount = tuple[Word, Word, float]
"""Two words of an integer, and a fraction of one unit."""

_MILLION = 1_000_000
PPM = np.uint64(_MILLION)
_MOST = 2**112 - 1
_WORD = 2**64 - 1
_LARGEST_RESERVE = (np.uint64(2**64 - 1), np.uint64(2**48 - 1))
_NONE = np.uint64(2**64 - 1)
_BEYOND = 2.0**113


def pair_rows(edges: Iterable[tuple[int, int, int]]) -> PairRows:
    """Return rows of pairs, each in one direction, and the row that pads.

    Parameters
    ----------
    edges
        Reserve of the token in and of the token out, raw units, and the fee on the input, ppm.

    Raises
    ------
    InputError
        If a reserve has more than 112 bits, or a fee is not below a million.

    Examples
    --------
    >>> pair_rows([(2**64 + 7, 5, 3000)]).tolist()
    [[7, 1, 5, 0, 3000], [0, 0, 0, 0, 0]]
    """
    rows = []
    for reserve_in, reserve_out, fee in edges:
        if not (0 <= reserve_in <= _MOST and 0 <= reserve_out <= _MOST):
            raise InputError(
                "reserves must fit 112 bits; reload the pair from a node", reserves=(reserve_in, reserve_out)
            )
        if not 0 <= fee < _MILLION:
            raise InputError("a fee must be from 0 to 999,999 ppm", fee=fee)
        rows.append((reserve_in & _WORD, reserve_in >> 64, reserve_out & _WORD, reserve_out >> 64, fee))
    rows.append((0, 0, 0, 0, 0))
    return np.array(rows, np.uint64)


@compiled
def reserves_of(pairs: PairRows, row: int) -> tuple[Words2, Words2, Word]:
    """Return the reserves in and out of a row, and what it keeps of a million units of input."""
    return (pairs[row, 0], pairs[row, 1]), (pairs[row, 2], pairs[row, 3]), PPM - pairs[row, 4]


@compiled
def amount_out(pairs: PairRows, row: int, amount: Words2) -> Amount:
    """Return the largest output for an input, and what rounding down took off it.

    Zero and the fraction -1 where the pair has no reserves, or the input would lift one beyond 112 bits.
    """
    reserve_in, reserve_out, kept = reserves_of(pairs, row)
    if is_less(subtracted(_LARGEST_RESERVE, reserve_in), amount) or reserve_in == (ZERO, ZERO):
        return ZERO, ZERO, -1.0
    paid = times_word(amount, kept)
    return divided(times(paid, reserve_out), added3(times_word(reserve_in, PPM), paid))


@compiled
def smallest_input(pairs: PairRows, row: int, amount: Words2) -> Amount:
    """Return the smallest input that gives an output, and what rounding up added to it.

    ``2**128 - 1`` if no input does that the pair takes. The router's ``getAmountIn`` asks for one unit
    more where there is nothing to round.
    """
    reserve_in, reserve_out, kept = reserves_of(pairs, row)
    if reserve_in == (ZERO, ZERO) or not is_less(amount, reserve_out):
        return _NONE, _NONE, 0.0
    left = subtracted(reserve_out, amount)
    if as_float(reserve_in) / as_float(left) * as_float(amount) * (float(PPM) / float(kept)) > _BEYOND:
        return _NONE, _NONE, 0.0
    low, high, fraction = divided(times(times_word(reserve_in, PPM), amount), times_word(left, kept))
    needed, excess = (low, high), 0.0
    if fraction > 0.0:
        needed, excess = added(needed, (ONE, ZERO)), 1.0 - fraction
    if is_less(subtracted(_LARGEST_RESERVE, reserve_in), needed):
        return _NONE, _NONE, 0.0
    return needed[0], needed[1], excess
