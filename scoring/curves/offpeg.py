"""Curve's newest generation: the stable curve under a fee that rises as its two coins fall out of balance.

Then the output need not be concave. A trade that brings the pool into balance pays a lower fee the larger
it is, and one that empties a coin pays at last more in fees than it gets. The curve here is never below the
contract, and concave:

* up to the size of the best mean price it is straight, at that price;
* from there to the largest output it is what the contract pays;
* beyond it is flat.

With coins very far apart and a fee that may rise many times, the second part may bend upward somewhere.
It is looked at when the curve is made, and if so the lowest fee is taken throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from market.quotes.stable import amounts_out, balances_left, offpeg_fees, offpeg_slopes, rates, trade
from market.quotes.stable_terms import StableTerms
from scoring.curves.curve import UPWARD
from scoring.curves.stable import StableCurve

_FEE_STEP = 1e-10
"""The contract rounds its fee down to a multiple of this."""
_SMALLEST, _WIDEST = 1e-9, 1e3
"""Of the sizes that are looked at, in the smaller and in both balances."""
_SAMPLES = 192
_STEPS = 60
_SAME = 1e-12


def offpeg_curve(terms: StableTerms) -> OffpegCurve | StableCurve:
    """Return the curve of a pool whose fee moves; the curve of the lowest fee where that is not concave."""
    lowest = _at_lowest_fee(terms)
    most = min(_WIDEST * (terms.balance_in + terms.balance_out), terms.largest * terms.into)
    sizes = np.geomspace(_SMALLEST * min(terms.balance_in, terms.balance_out), most, _SAMPLES)
    paid, slopes = _sampled(terms, sizes)
    falling = np.flatnonzero(slopes <= 0.0)
    end = int(falling[0]) if len(falling) else _SAMPLES
    best = int(np.argmax(paid / sizes))
    if best + 1 >= end or np.any(np.diff(slopes[best:end]) > _SAME * slopes[best]):
        return lowest
    straight_to, flat_from = 0.0, terms.largest * terms.into
    if best > 0:

        def price_rises(size: float) -> bool:
            bought, rate = after_fee(terms, size)
            return rate * size > bought

        straight_to = _turn(price_rises, float(sizes[best - 1]), float(sizes[best + 1]))
    if end < _SAMPLES:
        flat_from = _turn(
            lambda size: after_fee(terms, size)[1] > 0.0, float(sizes[end - 1]), float(sizes[end])
        )
    return OffpegCurve(terms, lowest, straight_to=straight_to, flat_from=flat_from)


class OffpegCurve:
    """One direction of a pool whose fee moves; :func:`offpeg_curve` makes it.

    Parameters
    ----------
    terms
        With the fee at balance and how many times it may rise.
    lowest
        The curve with the fee at balance throughout, which is never below.
    straight_to, flat_from
        Scaled inputs between which the curve is what the contract pays.
    """

    __slots__ = ("_end", "_lowest", "_price", "_terms", "excess", "flat_from", "straight_to")

    def __init__(
        self, terms: StableTerms, lowest: StableCurve, *, straight_to: float, flat_from: float
    ) -> None:
        self._terms = replace(terms, out=UPWARD * terms.out)
        self._lowest = lowest
        self.straight_to = straight_to
        self.flat_from = flat_from
        at_start = after_fee(terms, straight_to)
        self._price = at_start[0] / straight_to if straight_to else at_start[1]
        self._end = after_fee(terms, flat_from)[0]
        self.excess = terms.excess

    def evaluate(self, amount_in: float) -> tuple[float, float]:
        """Return output and marginal rate at an input; flat beyond the largest output."""
        terms = self._terms
        given = terms.into * amount_in
        if given >= self.flat_from:
            return terms.out * self._end, 0.0
        if given <= self.straight_to:
            return terms.out * self._price * given, terms.out * terms.into * self._price
        paid, rate = after_fee(terms, given)
        return terms.out * paid, terms.out * terms.into * rate

    def inverse(self, amount_out: float) -> float:
        """Return the input that gives an output; infinity if none does.

        The lowest fee gives an input that is too small, and from there the tangents of a concave curve
        lead upward and never too far.
        """
        paid = amount_out / self._terms.out
        if paid <= self._price * self.straight_to:
            return paid / self._price / self._terms.into
        if paid > self._end:
            return inf
        given = max(self._lowest.inverse(amount_out) * self._terms.into, self.straight_to)
        for _ in range(_STEPS):
            found, rate = after_fee(self._terms, given)
            if found >= paid or rate <= 0.0:
                break
            given = min(given + (paid - found) / rate, self.flat_from)
        return given / self._terms.into

    def tangent_map(self) -> tuple[float, float]:
        """Return the map with the same rate at zero, and the same curvature unless the curve is straight."""
        terms = self._terms
        _, bend = self._lowest.tangent_map()
        if not self.straight_to:
            _, rate, _ = trade(0.0, terms.balance_in, terms.balance_out, terms.product_term)
            at_zero = terms.balance_in, terms.balance_out
            rises = float(offpeg_slopes(*at_zero, rate, terms.fee, terms.multiplier))
            charged = float(offpeg_fees(*at_zero, terms.fee, terms.multiplier))
            bend += rises / (1.0 - charged) * terms.into
        return terms.out * terms.into * self._price, bend


def after_fee(terms: StableTerms, given: float) -> tuple[float, float]:
    """Return scaled output and rate of one scaled input, after the fee; see :mod:`market.quotes.stable`."""
    paid, rate, left = trade(given, terms.balance_in, terms.balance_out, terms.product_term)
    mean_in, mean_out = terms.balance_in + 0.5 * given, 0.5 * (terms.balance_out + left)
    total = mean_in + mean_out
    share_in, share_out = mean_in / total, mean_out / total
    above = terms.multiplier - 1.0
    closeness = 1.0 + 4.0 * above * share_in * share_out
    fee = terms.fee * terms.multiplier / closeness
    turn = 2.0 * above * (share_out - share_in) / total * (share_out + share_in * rate)
    keep = 1.0 - fee + _FEE_STEP
    return paid * keep, rate * keep + paid * fee * turn / closeness


def _sampled(
    terms: StableTerms, sizes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scaled outputs and rates of many scaled inputs, after the fee."""
    direction = (terms.balance_in, terms.balance_out, terms.product_term)
    paid, slopes = amounts_out(sizes, *direction), rates(sizes, *direction)
    means = terms.balance_in + 0.5 * sizes, 0.5 * (terms.balance_out + balances_left(sizes, *direction))
    keep = 1.0 - offpeg_fees(*means, terms.fee, terms.multiplier) + _FEE_STEP
    return paid * keep, slopes * keep - paid * offpeg_slopes(*means, slopes, terms.fee, terms.multiplier)


def _at_lowest_fee(terms: StableTerms) -> StableCurve:
    out = terms.out * (1.0 - terms.fee + _FEE_STEP)
    return StableCurve(replace(terms, out=out, fee=0.0, multiplier=1.0))


def _turn(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return the size up to which something holds, between one where it does and one where it does not."""
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high
