"""Constant product over arrays: Uniswap V2 and its copies, and Solidly's volatile curve.

Amounts are raw units as float64 and every argument may be an array; shapes broadcast. A pool
without reserves gives nothing.

References
----------
Uniswap V2, ``UniswapV2Library.getAmountOut``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def amounts_out(
    amounts: ArrayLike, reserve_in: ArrayLike, reserve_out: ArrayLike, keep: ArrayLike
) -> NDArray[np.float64]:
    """Return what inputs buy, before flooring.

    Parameters
    ----------
    amounts
        Raw units of input, fee included; finite and not negative.
    reserve_in, reserve_out
        Raw units.
    keep
        Share of the input left after the fee of its side.

    Examples
    --------
    >>> amounts_out([250.0, 1000.0], 1000.0, [1000.0, 500.0], 1.0)
    array([200., 250.])
    """
    kept = np.multiply(keep, amounts)
    alive, base = _alive(reserve_in)
    return np.where(alive, np.asarray(reserve_out) * (kept / (base + kept)), 0.0)


def rates(
    amounts: ArrayLike, reserve_in: ArrayLike, reserve_out: ArrayLike, keep: ArrayLike
) -> NDArray[np.float64]:
    """Return raw output per further raw input at sizes; parameters as of :func:`amounts_out`.

    Examples
    --------
    >>> rates([0.0, 1000.0], 1000.0, 2000.0, 1.0)
    array([2. , 0.5])
    """
    alive, base = _alive(reserve_in)
    grown = base + np.multiply(keep, amounts)
    at_zero = np.multiply(keep, reserve_out) / base
    return np.where(alive, at_zero * (base / grown) ** 2, 0.0)


def _alive(reserve_in: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which pools hold something, and reserves that can be divided by."""
    reserve = np.asarray(reserve_in, dtype=np.float64)
    alive = reserve > 0.0
    return alive, np.where(alive, reserve, 1.0)
