"""How much comes out of a pool, as smooth functions of what goes in.

A pool's contract floors; these curves do not. Each is increasing, concave and zero at zero,
and never below what the contract pays, because every rounding in the contracts is in the
pool's favour. So floats may rank trades and bound their profit, and integers decide.

Amounts are raw token units as ``float``. A curve accepts any non-negative input: beyond
what the pool can take it stays flat, which keeps it concave and never draws a search there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from math import exp, expm1, inf, log1p
from typing import Protocol

from chain.blocks import Address
from core.errors import MarketError
from market.pools.pool import Pool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    Q96,
    sqrt_ratio_at_tick,
)
from market.pools.weighted import WeightedPool

_PPM = 1_000_000
_MAX_IN_RATIO = 0.3


class Curve(Protocol):
    """One direction of one pool."""

    def evaluate(self, amount_in: float) -> tuple[float, float]:
        """Return output and marginal rate (raw output per raw input) at an input."""
        ...

    def inverse(self, amount_out: float) -> float:
        """Return the input that gives an output; infinity if none does."""
        ...

    def tangent_map(self) -> tuple[float, float]:
        """Return ``(a, c)`` of the map ``a x / (1 + c x)`` that follows the curve at zero."""
        ...


class MoebiusCurve:
    """``a x / (1 + c x)``: constant product, exactly.

    Parameters
    ----------
    a
        Marginal rate at zero.
    c
        Bend: share of the input reserve that one unit of input is, after the fee.

    Examples
    --------
    >>> curve = MoebiusCurve(a=2.0, c=0.01)
    >>> curve.evaluate(100.0)
    (100.0, 0.5)
    >>> curve.inverse(100.0)
    100.0
    """

    __slots__ = ("_a", "_c")

    def __init__(self, a: float, c: float) -> None:
        self._a = a
        self._c = c

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


class WeightedCurve:
    """``B_out (1 - (B_in / (B_in + kept))^e)`` up to the vault's largest input.

    Parameters
    ----------
    balance_in, balance_out
        Raw units.
    exponent
        Weight of the input over weight of the output.
    keep
        Share of the input left after the fee.

    Examples
    --------
    >>> WeightedCurve(1000.0, 1000.0, exponent=1.0, keep=1.0).evaluate(250.0)
    (200.0, 0.64)
    """

    __slots__ = ("_exponent", "_in", "_keep", "_largest", "_out")

    def __init__(self, balance_in: float, balance_out: float, *, exponent: float, keep: float) -> None:
        self._in = balance_in
        self._out = balance_out
        self._exponent = exponent
        self._keep = keep
        self._largest = _MAX_IN_RATIO * balance_in / keep

    def evaluate(self, amount_in: float) -> tuple[float, float]:
        """Return output and marginal rate at an input; flat beyond 30 % of the balance."""
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


class SegmentedCurve:
    """Pieces of constant product on virtual reserves, one per range between ticks.

    Pieces are made when an input first reaches them: most trades end in the first one, and
    a pool may have hundreds.

    Parameters
    ----------
    pool
        The pool; its price and ticks are read, never changed.
    zero_for_one
        Whether token0 goes in.
    """

    __slots__ = ("_a", "_c", "_ends_in", "_ends_out", "_pieces", "_starts_in", "_starts_out")

    def __init__(self, pool: UniswapV3Pool, *, zero_for_one: bool) -> None:
        self._pieces = _pieces(pool, zero_for_one)
        self._a: list[float] = []
        self._c: list[float] = []
        self._starts_in: list[float] = []
        self._starts_out: list[float] = []
        self._ends_in: list[float] = []
        self._ends_out: list[float] = []
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
        self._a.append(a)
        self._c.append(c)
        self._starts_in.append(start_in)
        self._starts_out.append(start_out)
        self._ends_in.append(start_in + width_in)
        self._ends_out.append(start_out + width_out)
        return True


def _pieces(pool: UniswapV3Pool, zero_for_one: bool) -> Iterator[tuple[float, float, float, float]]:
    """Yield ``(a, c, input width, output width)`` of every range with liquidity, in order.

    Widths are exact integer quotients rounded once: the difference of two close prices would
    lose most of its digits in floats.
    """
    price, liquidity, keep = pool.sqrt_price_x96, pool.liquidity, (_PPM - pool.spec.fee) / _PPM
    if price == 0:
        return
    for stop, net in _stops(pool, zero_for_one):
        low, high = (stop, price) if zero_for_one else (price, stop)
        if liquidity > 0 and low < high:
            root = price / Q96
            width0 = (liquidity * (high - low) << 96) / (low * high)
            width1 = liquidity * (high - low) / Q96
            if zero_for_one:
                yield keep * root * root, keep * root / liquidity, width0 / keep, width1
            else:
                yield keep / (root * root), keep / (root * liquidity), width1 / keep, width0
        price = stop
        liquidity += net


def _stops(pool: UniswapV3Pool, zero_for_one: bool) -> Iterator[tuple[int, int]]:
    """Yield square-root prices at which liquidity changes, and the change, in a swap's order."""
    ticks = tuple(pool.ticks)
    lower, upper = pool.known or (MIN_TICK, MAX_TICK)
    if not lower <= pool.tick < upper:
        return
    at = bisect_right(ticks, pool.tick)
    if zero_for_one:
        for tick in reversed(ticks[:at]):
            if tick > lower:
                yield sqrt_ratio_at_tick(tick), -pool.ticks[tick]
        yield (sqrt_ratio_at_tick(lower) if pool.known else MIN_SQRT_RATIO + 1), 0
    else:
        for tick in ticks[at:]:
            if tick < upper:
                yield sqrt_ratio_at_tick(tick), pool.ticks[tick]
        yield (sqrt_ratio_at_tick(upper) if pool.known else MAX_SQRT_RATIO - 1), 0


DEAD = MoebiusCurve(0.0, 1.0)
"""A pool that gives nothing."""


def curve_of(pool: Pool, token_in: Address, token_out: Address) -> Curve:
    """Return the curve of one direction of a pool.

    Raises
    ------
    MarketError
        If there is no curve for this kind of pool.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> spec = PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000)
    >>> pool = UniswapV2Pool(spec=spec, reserve0=1000 * 10**18, reserve1=2_000_000 * 10**6)
    >>> out, _ = curve_of(pool, "0xa", "0xb").evaluate(1e18)
    >>> int(out) == pool.swap("0xa", "0xb", 10**18).amount_out
    True
    """
    into, out = pool.tokens.index(token_in), pool.tokens.index(token_out)
    if isinstance(pool, UniswapV2Pool):
        reserves = (pool.reserve0, pool.reserve1)
        if 0 in reserves:
            return DEAD
        keep = (_PPM - pool.spec.fee) / _PPM
        return MoebiusCurve(keep * (reserves[out] / reserves[into]), keep / reserves[into])
    if isinstance(pool, UniswapV3Pool):
        return SegmentedCurve(pool, zero_for_one=into == 0)
    if isinstance(pool, WeightedPool):
        balance_in, balance_out = pool.balances[into], pool.balances[out]
        if balance_in == 0 or balance_out == 0:
            return DEAD
        exponent = pool.spec.weights[into] / pool.spec.weights[out]
        keep = (_PPM - pool.spec.fee) / _PPM
        return WeightedCurve(float(balance_in), float(balance_out), exponent=exponent, keep=keep)
    raise MarketError(
        "there is no curve for this pool family; add one to scoring/curves.py", family=pool.family
    )
