"""Solidly's stable curve over arrays: ``x**3 y + x y**3 = k`` of balances scaled to one unit.

For a given x the curve is a depressed cubic in y with one real root,
``y = 2 x / sqrt(3) * sinh(asinh(3 sqrt(3) k / (2 x**4)) / 3)``, and one Newton step takes away what the
two functions round. A trade is then the difference of two balances; taken as

``out = y0 d (x + x0 + (x0**2 + y0**2) / x) / (x**2 + y**2 + y y0 + y0**2)``, ``x = x0 + d``,

it is a quotient of sums of positive terms and loses no digits, however small the trade.

References
----------
Velodrome V2 and Aerodrome V2, ``Pool.sol``.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

_WIDTH = 2.0 / sqrt(3.0)
_ARGUMENT = 1.5 * sqrt(3.0)


def balances_left(balance_in: ArrayLike, k: ArrayLike) -> NDArray[np.float64]:
    """Return the other balance on the curve.

    Parameters
    ----------
    balance_in
        Of the token that was paid, positive.
    k
        The curve's constant, in fourth powers of the balances' unit.

    Examples
    --------
    >>> balances_left([1.0, 2.0, 10.0], 2.0).round(6)
    array([1.      , 0.246266, 0.002   ])
    """
    x = np.asarray(balance_in, dtype=np.float64)
    share = np.asarray(k, dtype=np.float64) / (x * x) / (x * x)
    y = _WIDTH * np.sinh(np.arcsinh(_ARGUMENT * share) / 3.0)
    polished = (2.0 * y**3 + share) / (3.0 * y * y + 1.0)
    return np.asarray(polished * x)


def amounts_out(amounts: ArrayLike, balance_in: ArrayLike, balance_out: ArrayLike) -> NDArray[np.float64]:
    """Return what inputs buy, before rounding, all in one scaled unit.

    Parameters
    ----------
    amounts
        Input after the fee; finite and not negative.
    balance_in, balance_out
        Positive.

    Examples
    --------
    >>> amounts_out([0.0, 0.1, 1e-30], 1.0, 1.0)
    array([0.00000000e+00, 9.99500518e-02, 1.00000000e-30])
    """
    d, x0, y0 = (np.asarray(each, dtype=np.float64) for each in (amounts, balance_in, balance_out))
    x = x0 + d
    squares = x0 * x0 + y0 * y0
    y = balances_left(x, x0 * y0 * squares)
    return np.asarray(y0 * d * ((x + x0 + squares / x) / (x * x + y * y + y * y0 + y0 * y0)))


def rates(amounts: ArrayLike, balance_in: ArrayLike, balance_out: ArrayLike) -> NDArray[np.float64]:
    """Return scaled output per further scaled input at sizes; parameters as of :func:`amounts_out`.

    Examples
    --------
    >>> rates([0.0, 10.0], 1.0, 1.0).round(6)
    array([1.0e+00, 4.1e-04])
    """
    d, x0, y0 = (np.asarray(each, dtype=np.float64) for each in (amounts, balance_in, balance_out))
    ratio = balances_left(x0 + d, x0 * y0 * (x0 * x0 + y0 * y0)) / (x0 + d)
    return np.asarray(ratio * (3.0 + ratio * ratio) / (1.0 + 3.0 * ratio * ratio))
