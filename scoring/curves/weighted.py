"""Weighted pools of Balancer V2 and V3."""

from __future__ import annotations

from math import exp, expm1, inf, log1p

from market.quotes.terms import WeightedTerms
from scoring.curves.curve import UPWARD


class WeightedCurve:
    """``B_out (1 - (B_in / (B_in + kept))^e)`` up to the vault's largest input.

    The contracts round the power up by about 1e-14, so they may pay less by that share of ``B_out``.

    Parameters
    ----------
    balance_in, balance_out
        Raw units.
    exponent
        Weight of the input over weight of the output.
    keep
        Share of the input left after the fee.
    largest
        Raw input, fee included, beyond which the vault takes nothing.

    Examples
    --------
    >>> curve = WeightedCurve(1000.0, 1000.0, exponent=1.0, keep=1.0, largest=300.0)
    >>> curve.evaluate(250.0), curve.evaluate(1e9)[1]
    ((200.0, 0.64), 0.0)
    """

    __slots__ = ("_exponent", "_in", "_keep", "_largest", "_out", "excess")

    def __init__(
        self, balance_in: float, balance_out: float, *, exponent: float, keep: float, largest: float
    ) -> None:
        self._in = balance_in
        self._out = balance_out
        self._exponent = exponent
        self._keep = keep
        self._largest = largest
        self.excess = 0.0

    @classmethod
    def of(cls, terms: WeightedTerms) -> WeightedCurve:
        """Return the curve of a pool."""
        return cls(
            terms.balance_in,
            UPWARD * terms.balance_out,
            exponent=terms.exponent,
            keep=terms.keep,
            largest=terms.largest,
        )

    def evaluate(self, amount_in: float) -> tuple[float, float]:
        """Return output and marginal rate at an input; flat beyond the largest."""
        beyond = amount_in > self._largest
        grown = self._keep * (self._largest if beyond else amount_in) / self._in
        power = -self._exponent * log1p(grown)
        paid = -self._out * expm1(power)
        if beyond:
            return paid, 0.0
        return paid, self._out / self._in * self._keep * self._exponent * exp(power) / (1.0 + grown)

    def inverse(self, amount_out: float) -> float:
        """Return the input that gives an output; infinity if it takes too much input."""
        gone = amount_out / self._out
        if gone >= 1.0:
            return inf
        amount_in = self._in * expm1(-log1p(-gone) / self._exponent) / self._keep
        return amount_in if amount_in <= self._largest else inf

    def tangent_map(self) -> tuple[float, float]:
        """Return the map with the same rate and the same curvature at zero."""
        rate = self._out / self._in * self._keep * self._exponent
        return rate, (self._exponent + 1.0) * self._keep / (2.0 * self._in)
