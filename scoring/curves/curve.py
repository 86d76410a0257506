"""What a curve is: how much comes out of one direction of a pool for what goes in.

A pool's contract floors; curves do not. Each is increasing, concave and zero at zero, and never below what
the contract pays, but for the ``excess`` that it names: nearly every rounding in the contracts is in the
pool's favour. So floats may rank trades and bound their profit, and integers decide.

What floats themselves round is answered twice: outputs of pools are taken larger by ``UPWARD``, a hundred
times what a curve's few dozen roundings add up to, and the bound of a whole cycle has a margin of its own.

Amounts are raw token units as ``float``. A curve accepts any non-negative input: beyond what the pool can
take it stays flat, which keeps it concave and never draws a search there.
"""

from __future__ import annotations

from typing import Protocol

UPWARD = 1.0 + 2.0**-43
"""By how much the outputs of pools are taken larger, so that rounding never leaves them below."""


class Curve(Protocol):
    """One direction of one pool."""

    @property
    def excess(self) -> float:
        """Raw output units that the contract may pay beyond the curve, by rounding the wrong way."""
        ...

    def evaluate(self, amount_in: float) -> tuple[float, float]:
        """Return output and marginal rate (raw output per raw input) at an input."""
        ...

    def inverse(self, amount_out: float) -> float:
        """Return the input that gives an output; infinity if none does."""
        ...

    def tangent_map(self) -> tuple[float, float]:
        """Return ``(a, c)`` of the map ``a x / (1 + c x)`` that follows the curve at zero.

        Its rate is the curve's, and its curvature too if the curve is smooth there.
        """
        ...
