"""Weighted pools over arrays: Balancer V2 and V3.

``B_out (1 - (B_in / (B_in + kept))**e)``, with the power taken as ``expm1(-e log1p(kept / B_in))``,
which loses no digits of a small trade. The contracts round the power up by about 1e-14 of the output's
balance, always in the pool's favour; these amounts are the ones before that.

References
----------
Balancer V2, ``WeightedMath._calcOutGivenIn``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def amounts_out(
    amounts: ArrayLike, balance_in: ArrayLike, balance_out: ArrayLike, exponent: ArrayLike, keep: ArrayLike
) -> NDArray[np.float64]:
    """Return what inputs buy, before flooring.

    Parameters
    ----------
    amounts
        Raw units of input, fee included; finite, not negative, and no more than the vault takes.
    balance_in, balance_out
        Raw units, positive.
    exponent
        Weight of the input over weight of the output.
    keep
        Share of the input left after the fee.

    Examples
    --------
    >>> amounts_out([0.0, 250.0], 1000.0, 1000.0, 1.0, 1.0)
    array([  0., 200.])
    """
    power = -np.multiply(exponent, np.log1p(np.multiply(keep, amounts) / balance_in))
    return np.asarray(-np.multiply(balance_out, np.expm1(power)))


def rates(
    amounts: ArrayLike, balance_in: ArrayLike, balance_out: ArrayLike, exponent: ArrayLike, keep: ArrayLike
) -> NDArray[np.float64]:
    """Return raw output per further raw input at sizes; parameters as of :func:`amounts_out`.

    Examples
    --------
    >>> rates([0.0, 250.0], 1000.0, 1000.0, 1.0, 1.0)
    array([1.  , 0.64])
    """
    grown = np.log1p(np.multiply(keep, amounts) / balance_in)
    at_zero = np.divide(balance_out, balance_in) * np.multiply(keep, exponent)
    return np.asarray(at_zero * np.exp(-np.add(exponent, 1.0) * grown))
