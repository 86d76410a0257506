"""Unsigned integers of 128 to 256 bits in machine code, as 64-bit words with the lowest first.

Division goes by floats: a quotient is estimated from below to some 48 bits, taken off the numerator exactly,
and so on with what is left. Two or three rounds do, where a division bit by bit takes a hundred.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from core.compiled import compiled

Word = np.uint64
Words2 = tuple[Word, Word]
Words3 = tuple[Word, Word, Word]
Words4 = tuple[Word, Word, Word, Word]

ZERO, ONE = np.uint64(0), np.uint64(1)
WORD = 2.0**64
_FROM_BELOW = 1.0 - 2.0**-49
"""Above the rounding of the four operations that estimate a quotient."""


def _typed_product(typing_context: Any, left: Any, right: Any) -> Any:
    """Return the two words of a product of words: one instruction, for which Numba has no name."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        long = ir.IntType(128)
        left, right = (builder.zext(argument, long) for argument in arguments)
        product = builder.mul(left, right)
        low = builder.trunc(product, ir.IntType(64))
        high = builder.trunc(builder.lshr(product, ir.Constant(long, 64)), ir.IntType(64))
        return context.make_tuple(builder, signature.return_type, (low, high))

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), build


_product = cast(Callable[[Word, Word], Words2], intrinsic(_typed_product))


@compiled
def added(a: Words2, b: Words2) -> Words2:
    """Return ``a + b`` modulo ``2**128``."""
    low = a[0] + b[0]
    return low, a[1] + b[1] + (ONE if low < b[0] else ZERO)


@compiled
def subtracted(a: Words2, b: Words2) -> Words2:
    """Return ``a - b`` modulo ``2**128``."""
    return a[0] - b[0], a[1] - b[1] - (ONE if a[0] < b[0] else ZERO)


@compiled
def is_less(a: Words2, b: Words2) -> bool:
    """Tell whether ``a < b``."""
    return bool(a[1] < b[1] or (a[1] == b[1] and a[0] < b[0]))


@compiled
def as_float(a: Words2) -> float:
    """Return the float beside an integer, within two roundings."""
    return float(a[1]) * WORD + float(a[0])


@compiled
def from_float(value: float) -> Words2:
    """Return the integer part of a float in ``[0, 2**128)``."""
    high = np.floor(value / WORD)
    return np.uint64(value - high * WORD), np.uint64(high)


@compiled
def times_word(a: Words2, b: Word) -> Words3:
    """Return ``a * b``."""
    low, carry = _product(a[0], b)
    middle, high = _product(a[1], b)
    middle += carry
    return low, middle, high + (ONE if middle < carry else ZERO)


@compiled
def times(a: Words3, b: Words2) -> Words4:
    """Return ``a * b`` modulo ``2**256``."""
    row0, row1 = (a[0], a[1]), (a[2], ZERO)
    low, second, third = times_word(row0, b[0])
    shifted = times_word(row0, b[1])
    second += shifted[0]
    carry = ONE if second < shifted[0] else ZERO
    upper = added(added((third, ZERO), (shifted[1], shifted[2])), (carry, ZERO))
    top = times_word(row1, b[0])
    upper = added(upper, (top[0], top[1] + a[2] * b[1]))
    return low, second, upper[0], upper[1]


@compiled
def added3(a: Words3, b: Words3) -> Words3:
    """Return ``a + b`` modulo ``2**192``."""
    low = a[0] + b[0]
    upper = added(added((a[1], a[2]), (b[1], b[2])), (ONE if low < b[0] else ZERO, ZERO))
    return low, upper[0], upper[1]


@compiled
def divided(numerator: Words4, denominator: Words3) -> tuple[Word, Word, float]:
    """Return an integer quotient, and the fraction that it leaves out.

    Parameters
    ----------
    numerator
        Any.
    denominator
        Not zero, and so large that the quotient is below ``2**127``.

    Returns
    -------
    tuple
        Words of the quotient, and remainder over denominator: zero only if there is no remainder.
    """
    r0, r1, r2, r3 = numerator
    d0, d1, d2 = denominator
    size = (float(d2) * WORD + float(d1)) * WORD + float(d0)
    quotient = (ZERO, ZERO)
    while True:
        rest = ((float(r3) * WORD + float(r2)) * WORD + float(r1)) * WORD + float(r0)
        if r3 == ZERO and (r2 < d2 or (r2 == d2 and is_less((r0, r1), (d0, d1)))):
            return quotient[0], quotient[1], rest / size
        part = from_float(max(rest / size * _FROM_BELOW, 1.0))
        quotient = added(quotient, part)
        t0, t1, t2, t3 = times(denominator, part)
        borrow = ONE if is_less((r0, r1), (t0, t1)) else ZERO
        r0, r1 = subtracted((r0, r1), (t0, t1))
        r2, r3 = subtracted(subtracted((r2, r3), (t2, t3)), (borrow, ZERO))
