"""StableSwap over arrays: Curve, Balancer V2 composable stable and Balancer V3 stable.

The invariant D solves ``A n S + D = A n D + P`` with ``P = D**(n + 1) / (n**n * product(x))``, all balances
scaled to one unit; Newton's method finds it. A trade needs no search. With ``T = P / (A n)``, kept as it was
before the trade, the balance ``y`` of the token that leaves solves
``y**2 + (T + d - y0) y = T x0 y0 / x`` at ``x = x0 + d``, and so

``out = 2 d y0 (1 + T / x) / (y0 + T + d + root)``, ``root**2 = (y0 - T - d)**2 + 4 T x0 y0 / x``.

Every sum here is of positive terms, so no digits are lost, however small the trade or steep the curve.

References
----------
Curve, "StableSwap", 2019; Balancer, StableMath.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

_STEPS = 96


def invariants(balances: ArrayLike, amplification: ArrayLike) -> NDArray[np.float64]:
    """Return D, by a fixed number of Newton steps down from the sum of the balances.

    Parameters
    ----------
    balances
        Scaled, positive; shape ``(..., tokens)``.
    amplification
        ``A n``: Curve's A times the number of coins, Balancer's as it is times the number of tokens and
        over its precision; shape ``(...)``.

    Examples
    --------
    >>> invariants([[1.0, 1.0], [1.0, 3.0]], 200.0).round(6)
    array([2.      , 3.993432])
    """
    x = np.asarray(balances, dtype=np.float64)
    count = x.shape[-1]
    ann, total = np.asarray(amplification, dtype=np.float64), x.sum(axis=-1)
    found = total
    for _ in range(_STEPS):
        product = found * np.prod(found[..., None] / (count * x), axis=-1)
        found = (ann * total + count * product) / (ann - 1.0 + (count + 1) * (product / found))
    return np.asarray(np.minimum(found, total))


def product_terms(balances: ArrayLike, amplification: ArrayLike) -> NDArray[np.float64]:
    """Return ``T`` of :func:`amounts_out`; parameters as of :func:`invariants`.

    Examples
    --------
    >>> product_terms([1.0, 1.0], 200.0)
    array(0.01)
    """
    x, found = np.asarray(balances, dtype=np.float64), invariants(balances, amplification)
    return np.asarray(found * np.prod(found[..., None] / (x.shape[-1] * x), axis=-1) / amplification)


def amounts_out(
    amounts: ArrayLike, balance_in: ArrayLike, balance_out: ArrayLike, product_term: ArrayLike
) -> NDArray[np.float64]:
    """Return what inputs buy, before rounding and before a fee on the output, all scaled.

    Parameters
    ----------
    amounts
        Input, after a fee on it; finite and not negative.
    balance_in, balance_out
        Before the trade, positive.
    product_term
        ``T``, of :func:`product_terms`; the balances of the other tokens are in it.

    Examples
    --------
    >>> amounts_out([0.0, 0.5, 1e-30], 1.0, 1.0, 0.01)
    array([0.00000000e+00, 4.96752702e-01, 1.00000000e-30])
    """
    d, x0, y0, term = _as_floats(amounts, balance_in, balance_out, product_term)
    x, root = x0 + d, _root(d, x0, y0, term)
    return np.asarray(2.0 * y0 * (1.0 + term / x) * (d / (y0 + term + d + root)))


def balances_left(
    amounts: ArrayLike, balance_in: ArrayLike, balance_out: ArrayLike, product_term: ArrayLike
) -> NDArray[np.float64]:
    """Return the balance of the token that leaves, after the trade; parameters as of :func:`amounts_out`.

    Examples
    --------
    >>> balances_left([0.0, 1e9], 1.0, 1.0, 0.01)
    array([1.e+00, 1.e-20])
    """
    d, x0, y0, term = _as_floats(amounts, balance_in, balance_out, product_term)
    root, above = _root(d, x0, y0, term), term + d - y0
    sunk = 2.0 * term * (x0 / (x0 + d)) * (y0 / np.where(above > 0.0, above + root, 1.0))
    return np.where(above > 0.0, sunk, 0.5 * (root - above))


def rates(
    amounts: ArrayLike, balance_in: ArrayLike, balance_out: ArrayLike, product_term: ArrayLike
) -> NDArray[np.float64]:
    """Return scaled output per further scaled input at sizes; parameters as of :func:`amounts_out`.

    Examples
    --------
    >>> rates([0.0, 0.5], 1.0, 1.0, 0.01).round(6)
    array([1.      , 0.982957])
    """
    d, x0, y0, term = _as_floats(amounts, balance_in, balance_out, product_term)
    x, y = x0 + d, balances_left(amounts, balance_in, balance_out, product_term)
    moved = term * (x0 / x) * (y0 / y)
    return np.asarray((1.0 + moved / x) / (1.0 + moved / y))


def trade(amount: float, balance_in: float, balance_out: float, term: float) -> tuple[float, float, float]:
    """Return output, rate and balance left of one trade in plain floats, for searches from size to size.

    Parameters are as of :func:`amounts_out`.

    Examples
    --------
    >>> trade(0.5, 1.0, 1.0, 0.01)
    (0.49675270249881287, 0.9829565437045817, 0.5032472975011871)
    """
    x, above = balance_in + amount, term + amount - balance_out
    constant = term * (balance_in / x) * balance_out
    root = sqrt(above * above + 4.0 * constant)
    left = 2.0 * constant / (above + root) if above > 0.0 else 0.5 * (root - above)
    paid = 2.0 * balance_out * (1.0 + term / x) * (amount / (balance_out + term + amount + root))
    moved = constant / left
    return paid, (1.0 + moved / x) / (1.0 + moved / left), left


def offpeg_fees(
    balance_in: ArrayLike, balance_out: ArrayLike, fee: ArrayLike, multiplier: ArrayLike
) -> NDArray[np.float64]:
    """Return the fee of Curve's newest generation, which rises as two coins are out of balance.

    Parameters
    ----------
    balance_in, balance_out
        Scaled, each the mean of before and after the trade.
    fee
        Share of the output at balance.
    multiplier
        How many times the fee may rise; one or less means that it does not.

    Examples
    --------
    >>> offpeg_fees([1.0, 9.0], 1.0, 0.001, 5.0).round(6)
    array([0.001   , 0.002049])
    """
    total = np.add(balance_in, balance_out)
    above = np.maximum(np.subtract(multiplier, 1.0), 0.0)
    closeness = above * 4.0 * np.divide(balance_in, total) * np.divide(balance_out, total)
    return np.asarray(np.multiply(fee, above + 1.0) / (closeness + 1.0))


def offpeg_slopes(
    balance_in: ArrayLike, balance_out: ArrayLike, rate: ArrayLike, fee: ArrayLike, multiplier: ArrayLike
) -> NDArray[np.float64]:
    """Return by how much the fee of :func:`offpeg_fees` rises per further scaled input.

    Parameters
    ----------
    balance_in, balance_out, fee, multiplier
        As of :func:`offpeg_fees`.
    rate
        Scaled output per further scaled input; means move half as fast as balances.

    Examples
    --------
    >>> offpeg_slopes([1.5, 2.0], 1.0, 1.0, 0.001, 5.0).round(6)
    array([0.000137, 0.000214])
    """
    total = np.add(balance_in, balance_out)
    above = np.maximum(np.subtract(multiplier, 1.0), 0.0)
    share_in, share_out = np.divide(balance_in, total), np.divide(balance_out, total)
    # 4 x y / (x + y)**2 by x is 4 y (y - x) / (x + y)**3, and the same the other way round
    turn = 2.0 * above * (share_out - share_in) / total * (share_out + share_in * rate)
    charged = offpeg_fees(balance_in, balance_out, fee, multiplier)
    return np.asarray(-charged * turn / (1.0 + above * 4.0 * share_in * share_out))


def _as_floats(*arrays: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    return tuple(np.asarray(each, dtype=np.float64) for each in arrays)


def _root(
    d: NDArray[np.float64], x0: NDArray[np.float64], y0: NDArray[np.float64], term: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(np.hypot(y0 - term - d, 2.0 * np.sqrt(term * x0 / (x0 + d)) * np.sqrt(y0)))
