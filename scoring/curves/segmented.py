"""Concentrated liquidity: Uniswap V3 and V4, Pancake V3, Slipstream, Algebra V1."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from math import inf

from market.pools.concentrated import ConcentratedPool
from market.pools.v3_math import Q96
from market.quotes.concentrated import price_ranges
from scoring.curves.curve import UPWARD

_PPM = 1_000_000


class SegmentedCurve:
    """Pieces of constant product on virtual reserves, one per range between ticks.

    Pieces are made when an input first reaches them: most trades end in the first one, and
    a pool may have hundreds.

    Parameters
    ----------
    pool
        The pool; its price, its ticks and the fee of its next swap are read, never changed.
    zero_for_one
        Whether token0 goes in.
    """

    __slots__ = ("_a", "_c", "_ends_in", "_ends_out", "_pieces", "_starts_in", "_starts_out", "excess")

    def __init__(self, pool: ConcentratedPool, *, zero_for_one: bool) -> None:
        self._pieces = _pieces(pool, zero_for_one)
        self._a: list[float] = []
        self._c: list[float] = []
        self._starts_in: list[float] = []
        self._starts_out: list[float] = []
        self._ends_in: list[float] = []
        self._ends_out: list[float] = []
        self.excess = 0.0
        self._grow()

    def evaluate(self, amount_in: float) -> tuple[float, float]:
        """Return output and marginal rate at an input; flat beyond the known liquidity."""
        while not self._ends_in or amount_in >= self._ends_in[-1]:
            if not self._grow():
                return (self._ends_out[-1] if self._ends_out else 0.0), 0.0
        piece = bisect_right(self._ends_in, amount_in)
        inside = amount_in - self._starts_in[piece]
        bent = 1.0 + self._c[piece] * inside
        a = self._a[piece]
        return self._starts_out[piece] + a * inside / bent, a / (bent * bent)

    def inverse(self, amount_out: float) -> float:
        """Return the input that gives an output; infinity if the liquidity is not there."""
        while not self._ends_out or amount_out > self._ends_out[-1]:
            if not self._grow():
                return inf
        piece = bisect_left(self._ends_out, amount_out)
        inside = max(amount_out - self._starts_out[piece], 0.0)
        left = self._a[piece] - self._c[piece] * inside
        return self._starts_in[piece] + inside / left if left > 0.0 else inf

    def tangent_map(self) -> tuple[float, float]:
        """Return the first piece; a map that gives nothing if there is none."""
        return (self._a[0], self._c[0]) if self._a else (0.0, 1.0)

    def _grow(self) -> bool:
        """Add the next piece; return whether there was one."""
        piece = next(self._pieces, None)
        if piece is None:
            return False
        a, c, width_in, width_out = piece
        start_in = self._ends_in[-1] if self._ends_in else 0.0
        start_out = self._ends_out[-1] if self._ends_out else 0.0
        self._a.append(UPWARD * a)
        self._c.append(c)
        self._starts_in.append(start_in)
        self._starts_out.append(start_out)
        self._ends_in.append(start_in + width_in)
        self._ends_out.append(start_out + UPWARD * width_out)
        return True


def _pieces(pool: ConcentratedPool, zero_for_one: bool) -> Iterator[tuple[float, float, float, float]]:
    """Yield ``(a, c, input width, output width)`` of every range with liquidity, in order.

    Widths are exact integer quotients rounded once: the difference of two close prices would
    lose most of its digits in floats.
    """
    keep = (_PPM - pool.begun().fee_of(zero_for_one)) / _PPM
    for price, stop, liquidity in price_ranges(pool, zero_for_one=zero_for_one):
        low, high = (stop, price) if zero_for_one else (price, stop)
        if liquidity > 0 and low < high:
            root = price / Q96
            width0 = (liquidity * (high - low) << 96) / (low * high)
            width1 = liquidity * (high - low) / Q96
            if zero_for_one:
                yield keep * root * root, keep * root / liquidity, width0 / keep, width1
            else:
                yield keep / (root * root), keep / (root * liquidity), width1 / keep, width0
