"""StableSwap: Balancer composable stable, Balancer V3 stable, Curve with a fixed fee."""

from __future__ import annotations

from math import inf, sqrt

from market.quotes.stable import trade
from market.quotes.stable_terms import StableTerms
from scoring.curves.curve import UPWARD


class StableCurve:
    """One direction of a stable pool in closed form, see :mod:`market.quotes.stable`.

    Parameters
    ----------
    terms
        With a fee that does not move; scaled balances, and what leads from raw units to them and back.

    Examples
    --------
    >>> terms = StableTerms(1.0, 1.0, 0.01, into=1.0, out=1.0, largest=1e9, excess=0.0)
    >>> curve = StableCurve(terms)
    >>> round(curve.evaluate(0.5)[0], 9), round(curve.inverse(0.4967527025), 9)
    (0.496752702, 0.5)
    """

    __slots__ = ("_in", "_into", "_largest", "_left", "_out", "_term", "excess")

    def __init__(self, terms: StableTerms) -> None:
        self._in = terms.balance_in
        self._left = terms.balance_out
        self._term = terms.product_term
        self._into = terms.into
        self._out = UPWARD * terms.out
        self._largest = terms.largest
        self.excess = terms.excess

    def evaluate(self, amount_in: float) -> tuple[float, float]:
        """Return output and marginal rate at an input; flat beyond what the pool takes."""
        beyond = amount_in > self._largest
        given = self._into * (self._largest if beyond else amount_in)
        paid, rate, _ = trade(given, self._in, self._left, self._term)
        return self._out * paid, 0.0 if beyond else self._out * self._into * rate

    def inverse(self, amount_out: float) -> float:
        """Return the input that gives an output; infinity if the pool does not take so much.

        The invariant knows no direction: it is the formula of the output with the balances exchanged.
        """
        paid = amount_out / self._out
        left = self._left - paid
        if left <= 0.0:
            return inf
        within = self._in + self._term - paid
        needed = paid * self._in * (1.0 + self._term / left)
        root = sqrt(within * within + 4.0 * needed)
        given = 2.0 * needed / (within + root) if within > 0.0 else 0.5 * (root - within)
        amount_in = given / self._into
        return amount_in if amount_in <= self._largest else inf

    def tangent_map(self) -> tuple[float, float]:
        """Return the map with the same rate and the same curvature at zero."""
        per_in, per_out = 1.0 / self._in, 1.0 / self._left
        weight = 1.0 + self._term * per_in
        rate = weight / (1.0 + self._term * per_out)
        bend = self._term * (per_in**2 - rate * per_in * per_out + (rate * per_out) ** 2) / weight
        return self._out * self._into * rate, self._into * bend
