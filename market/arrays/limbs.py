"""Integers beyond 64 bits in arrays: little-endian limbs of 64 bits, two's complement where signed.

Functions marked with :func:`compiled` are machine code, made at their first call in a process, and kept on
disk only where :mod:`core.kernel_cache` was asked to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from core.kernel_cache import VARIABLE

Limbs = NDArray[np.uint64]
"""Integers along the first axes, limbs along the last."""
Pair = tuple[np.uint64, np.uint64]
"""An integer of 128 bits, lower limb first."""

LIMB_BYTES = 8
LIMB = 2.0**64
_SIGN = np.uint64(1 << 63)

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Mark a function of numbers and arrays to be compiled at its first call; it releases the GIL."""
    return cast(F, njit(nogil=True, cache=bool(os.environ.get(VARIABLE)))(function))


def to_limbs(values: Iterable[int], count: int, *, signed: bool = False) -> Limbs:
    """Return integers as rows of limbs.

    Parameters
    ----------
    values
        Integers that fit.
    count
        Limbs of each.
    signed
        Whether they are two's complement.

    Raises
    ------
    OverflowError
        If one does not fit.

    Examples
    --------
    >>> to_limbs([2**64 + 5, 7], 2).tolist()
    [[5, 1], [7, 0]]
    """
    packed = b"".join(value.to_bytes(LIMB_BYTES * count, "little", signed=signed) for value in values)
    return np.frombuffer(packed, dtype="<u8").reshape(-1, count)


def from_limbs(limbs: Limbs, *, signed: bool = False) -> list[int]:
    """Return the integers in rows of limbs.

    Examples
    --------
    >>> from_limbs(to_limbs([-3, 2**100], 2, signed=True), signed=True) == [-3, 2**100]
    True
    """
    size = LIMB_BYTES * limbs.shape[-1]
    packed = limbs.astype("<u8", copy=False).tobytes()
    return [
        int.from_bytes(packed[at : at + size], "little", signed=signed) for at in range(0, len(packed), size)
    ]


def to_floats(limbs: Limbs) -> NDArray[np.float64]:
    """Return unsigned integers as the floats kept beside them, within one unit in the last place.

    The steps are those of :func:`as_float`, so both give the same bits.

    Examples
    --------
    >>> to_floats(to_limbs([2**64 + 2**63, 7], 2)).tolist()
    [2.7670116110564327e+19, 7.0]
    """
    floats = np.zeros(limbs.shape[:-1])
    for at in range(limbs.shape[-1] - 1, -1, -1):
        floats = floats * LIMB + limbs[..., at].astype(np.float64)
    return floats


def to_signed_floats(limbs: Limbs) -> NDArray[np.float64]:
    """Return signed integers of two limbs as the floats kept beside them; see :func:`to_floats`.

    Examples
    --------
    >>> to_signed_floats(to_limbs([-3, 2**100], 2, signed=True)).tolist() == [-3.0, 2.0**100]
    True
    """
    low, high = limbs[..., 0], limbs[..., 1]
    negative = high >> np.uint64(63) != 0
    magnitude_low = np.where(negative, ~low + np.uint64(1), low)
    carry = (negative & (low == 0)).astype(np.uint64)
    magnitude_high = np.where(negative, ~high + carry, high)
    floats = magnitude_high.astype(np.float64) * LIMB + magnitude_low.astype(np.float64)
    return np.where(negative, -floats, floats)


@compiled
def added(low: np.uint64, high: np.uint64, low2: np.uint64, high2: np.uint64) -> Pair:
    """Return the sum of two integers of 128 bits, modulo ``2**128``."""
    total = low + low2
    carry = np.uint64(1) if total < low else np.uint64(0)
    return total, high + high2 + carry


@compiled
def negated(low: np.uint64, high: np.uint64) -> Pair:
    """Return minus an integer of 128 bits, modulo ``2**128``."""
    return added(~low, ~high, np.uint64(1), np.uint64(0))


@compiled
def is_negative(high: np.uint64) -> bool:
    """Tell whether the upper limb is that of a negative number."""
    return bool(high & _SIGN)


@compiled
def as_float(low: np.uint64, middle: np.uint64, high: np.uint64) -> float:
    """Return an unsigned integer of three limbs as the float beside it."""
    return (float(high) * LIMB + float(middle)) * LIMB + float(low)


@compiled
def signed_as_float(low: np.uint64, high: np.uint64) -> float:
    """Return a signed integer of two limbs as the float beside it."""
    if is_negative(high):
        low, high = negated(low, high)
        return -(float(high) * LIMB + float(low))
    return float(high) * LIMB + float(low)
