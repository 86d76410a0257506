"""Solidly's stable curve."""

from __future__ import annotations

from math import asinh, inf, sinh, sqrt

from market.quotes.terms import SolidlyStableTerms
from scoring.curves.curve import UPWARD

_WIDTH = 2.0 / sqrt(3.0)
_ARGUMENT = 1.5 * sqrt(3.0)
_LEAST_BEND = 1e-3
"""Of a map, per share of the input's balance."""


class SolidlyStableCurve:
    """One direction of a stable pool in closed form, see :mod:`market.quotes.solidly_stable`.

    Parameters
    ----------
    terms
        Balances in whole tokens, and what leads from raw units to them and back.

    Examples
    --------
    >>> terms = SolidlyStableTerms(1.0, 1.0, into=1.0, out=1.0, largest=1e9, excess=0.0)
    >>> curve = SolidlyStableCurve(terms)
    >>> round(curve.evaluate(0.1)[0], 9), round(curve.inverse(0.0999500518), 9)
    (0.099950052, 0.1)
    """

    __slots__ = ("_in", "_into", "_largest", "_left", "_out", "_squares", "excess")

    def __init__(self, terms: SolidlyStableTerms) -> None:
        self._in = terms.balance_in
        self._left = terms.balance_out
        self._squares = terms.balance_in**2 + terms.balance_out**2
        self._into = terms.into
        self._out = UPWARD * terms.out
        self._largest = terms.largest
        self.excess = terms.excess

    def evaluate(self, amount_in: float) -> tuple[float, float]:
        """Return output and marginal rate at an input; flat beyond what the pool takes."""
        beyond = amount_in > self._largest
        x0, y0 = self._in, self._left
        given = self._into * (self._largest if beyond else amount_in)
        x = x0 + given
        y = self._other(x)
        paid = y0 * given * ((x + x0 + self._squares / x) / (x * x + y * y + y * y0 + y0 * y0))
        ratio = y / x
        rate = ratio * (3.0 + ratio * ratio) / (1.0 + 3.0 * ratio * ratio)
        return self._out * paid, 0.0 if beyond else self._out * self._into * rate

    def inverse(self, amount_out: float) -> float:
        """Return the input that gives an output; infinity if the pool does not take so much.

        The curve knows no direction: it is the formula of the output with the balances exchanged.
        """
        paid = amount_out / self._out
        x0, y0 = self._in, self._left
        y = y0 - paid
        if y <= 0.0:
            return inf
        x = self._other(y)
        given = x0 * paid * ((y + y0 + self._squares / y) / (x * x + x * x0 + x0 * x0 + y * y))
        amount_in = given / self._into
        return amount_in if amount_in <= self._largest else inf

    def tangent_map(self) -> tuple[float, float]:
        """Return the map with the same rate and the same curvature at zero, or a little where it has none.

        With equal balances the curve is straight to the third order, and a straight map has no best input.
        """
        x, y = self._in, self._left
        per_in, per_out = (3.0 * x * x + y * y) * y, (x * x + 3.0 * y * y) * x
        rate = per_in / per_out
        mixed, straight = 6.0 * x * y, 3.0 * self._squares
        second = (mixed - 2.0 * rate * straight + rate * rate * mixed) / per_out
        bend = max(-second / (2.0 * rate), _LEAST_BEND / x)
        return self._out * self._into * rate, self._into * bend

    def _other(self, balance: float) -> float:
        """Return the balance that belongs to one of the other token on the curve."""
        squared = balance * balance
        share = self._in * self._left * self._squares / squared / squared
        ratio = _WIDTH * sinh(asinh(_ARGUMENT * share) / 3.0)
        return balance * (2.0 * ratio**3 + share) / (3.0 * ratio * ratio + 1.0)
