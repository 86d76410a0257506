"""What a cycle of a stable pool and pairs can earn at most, to sixty digits: slow, independent of scoring.

Amounts are real numbers, so it is the bound of what integers can earn; formulas are those of the contracts'
white papers. Nothing here is shared with the curves that it judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cached_property
from typing import Protocol

DIGITS = 60
_GUARD = 20
_HALVINGS = 110
"""Of the bracket of the best input; its error enters the profit squared."""


class Hop(Protocol):
    """One direction of a pool."""

    def after(self, amount: Decimal) -> tuple[Decimal, Decimal]:
        """Return output and marginal rate at an input."""
        ...


@dataclass(frozen=True, slots=True)
class ProductHop:
    """Constant product, the fee taken from the input.

    Parameters
    ----------
    reserve_in, reserve_out
        Raw units.
    fee
        Ppm.
    """

    reserve_in: int
    reserve_out: int
    fee: int

    def after(self, amount: Decimal) -> tuple[Decimal, Decimal]:
        """Return output and marginal rate at an input."""
        keep = 1 - Decimal(self.fee) / 10**6
        within = self.reserve_in + keep * amount
        return (
            self.reserve_out * keep * amount / within,
            self.reserve_out * keep * self.reserve_in / within**2,
        )


@dataclass(frozen=True)
class StableHop:
    """StableSwap of two coins of 18 decimals, the fee taken from the output.

    With ``n = 2`` the invariant ``D`` solves ``4 A (x + y) + D = 4 A D + D**3 / (4 x y)``, where ``4 A`` is
    twice the contract's own A (StableSwap paper, 2019).

    Parameters
    ----------
    reserve_in, reserve_out
        Raw units.
    amplification
        The contract's A.
    fee
        Out of 10**10.
    """

    reserve_in: int
    reserve_out: int
    amplification: int
    fee: int

    def after(self, amount: Decimal) -> tuple[Decimal, Decimal]:
        """Return output and marginal rate at an input."""
        d, a, keep = self.invariant, Decimal(2 * self.amplification), 1 - Decimal(self.fee) / 10**10
        x = self.reserve_in + amount
        above = x + d / a - d
        y = ((above**2 + d**3 / (x * a)).sqrt() - above) / 2
        pull = d**3 / (4 * x * y)
        return keep * (self.reserve_out - y), keep * (a + pull / x) / (a + pull / y)

    @cached_property
    def invariant(self) -> Decimal:
        """The invariant, by Newton's method from above, where the polynomial is convex."""
        with localcontext(prec=DIGITS + _GUARD):
            a, product = Decimal(2 * self.amplification), Decimal(self.reserve_in) * self.reserve_out
            total = Decimal(self.reserve_in + self.reserve_out)
            d = total
            while True:
                better = (d**3 / (2 * product) + a * total) / (3 * d**2 / (4 * product) + a - 1)
                if abs(better - d) <= d * Decimal(10) ** -(DIGITS + _GUARD // 2):
                    return better
                d = better


def earned(hops: Sequence[Hop], amount: float) -> Decimal:
    """Return what an input earns, raw units of the start token."""
    with localcontext(prec=DIGITS + _GUARD):
        exact = Decimal(amount)
        return _through(hops, exact)[0] - exact


def best(hops: Sequence[Hop]) -> tuple[Decimal, Decimal]:
    """Return the best input of a cycle and what it earns; zeros if none earns anything.

    The profit is concave, so its slope crosses zero once, and halving a bracket finds it.

    Examples
    --------
    >>> gives_double = ProductHop(10**6, 2 * 10**6, 0)
    >>> amount, profit = best([gives_double, ProductHop(10**9, 10**9, 0)])
    >>> round(amount), round(profit)
    (413387, 171230)
    """
    with localcontext(prec=DIGITS + _GUARD):
        low, high = Decimal(0), Decimal(1)
        if _through(hops, low)[1] <= 1:
            return Decimal(0), Decimal(0)
        while _through(hops, high)[1] > 1:
            low, high = high, 2 * high
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if _through(hops, middle)[1] > 1 else (low, middle)
        return low, _through(hops, low)[0] - low


def _through(hops: Sequence[Hop], amount: Decimal) -> tuple[Decimal, Decimal]:
    rate = Decimal(1)
    for hop in hops:
        amount, marginal = hop.after(amount)
        rate *= marginal
    return amount, rate
