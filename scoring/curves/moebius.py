"""Constant product: Uniswap V2 and its copies, Solidly's volatile pools."""

from __future__ import annotations

from math import inf

from market.quotes.terms import ConstantProductTerms
from scoring.curves.curve import UPWARD


class MoebiusCurve:
    """``a x / (1 + c x)``: constant product, exactly.

    Parameters
    ----------
    a
        Marginal rate at zero.
    c
        Bend: share of the input reserve that one unit of input is, after the fee.
    excess
        See :class:`scoring.curves.curve.Curve`.

    Examples
    --------
    >>> curve = MoebiusCurve(a=2.0, c=0.01)
    >>> curve.evaluate(100.0)
    (100.0, 0.5)
    >>> curve.inverse(100.0)
    100.0
    """

    __slots__ = ("_a", "_c", "excess")

    def __init__(self, a: float, c: float, excess: float = 0.0) -> None:
        self._a = a
        self._c = c
        self.excess = excess

    @classmethod
    def of(cls, terms: ConstantProductTerms) -> MoebiusCurve:
        """Return the curve of a pair."""
        rate = terms.keep * (terms.reserve_out / terms.reserve_in)
        return cls(UPWARD * rate, terms.keep / terms.reserve_in, terms.excess)

    def evaluate(self, amount_in: float) -> tuple[float, float]:
        """Return output and marginal rate at an input."""
        bent = 1.0 + self._c * amount_in
        return self._a * amount_in / bent, self._a / (bent * bent)

    def inverse(self, amount_out: float) -> float:
        """Return the input that gives an output; infinity if the reserve is smaller."""
        left = self._a - self._c * amount_out
        return amount_out / left if left > 0.0 else inf

    def tangent_map(self) -> tuple[float, float]:
        """Return the curve itself."""
        return self._a, self._c


DEAD = MoebiusCurve(0.0, 1.0)
"""A pool that gives nothing."""
