"""The integers a cycle really trades.

A size in floats is run forward through the pools' exact arithmetic. Flooring then wastes
some input: many inputs give the same output, above all where a token with few decimals sits
in the middle. So the smallest inputs are pulled back from the outputs, and the hop whose
single output unit is worth most is tried a few units up and down.

The proven bound says when to stop: once the gap to it is below a millionth of the profit, or
below what the caller calls nothing, no search can gain anything that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from chain.blocks import Address
from core.errors import SwapRefused
from core.reasons import Reason
from market.pools.pool import Pool
from scoring.curves import Curve
from scoring.cycles import Edge
from scoring.opportunity import Hop
from scoring.sizing import Size

_GOOD_ENOUGH = 2.0**-20
_REACH = 4
_LESS = (0.0, 2.0**-30, 2.0**-18)
"""Shares to take off a size that a contract refuses, one after the other."""


def run_forward(pools: Mapping[str, Pool], edges: Sequence[Edge], amount_in: int) -> tuple[Hop, ...]:
    """Return the hops of a cycle when each takes all that the one before gave.

    Raises
    ------
    SwapRefused
        If a contract would revert.
    """
    hops, amount = [], amount_in
    for edge in edges:
        out = pools[edge.pool_id].swap(edge.token_in, edge.token_out, amount).amount_out
        hops.append(Hop(edge.pool_id, edge.token_in, edge.token_out, amount, out))
        amount = out
    return tuple(hops)


def profit_of(hops: Sequence[Hop]) -> int:
    """Return what a cycle gives back beyond what it takes, in raw units of its token."""
    return hops[-1].amount_out - hops[0].amount_in


def smallest_input(
    pool: Pool, curve: Curve, direction: tuple[Address, Address], amount_out: int, resolution: int = 1
) -> int | None:
    """Return the smallest input that gives at least ``amount_out``, or ``None`` if none does.

    Parameters
    ----------
    pool
        Decides, in integers.
    curve
        The same direction of the same pool; tells where to look.
    direction
        Token in and token out.
    amount_out
        Raw units wanted.
    resolution
        How far above the smallest input the result may be, in raw units; below this many.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> from market.pools.uniswap_v2 import UniswapV2Pool
    >>> from scoring.curves import curve_of
    >>> spec = PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 3000)
    >>> pool = UniswapV2Pool(spec=spec, reserve0=10**9, reserve1=10**3)
    >>> smallest_input(pool, curve_of(pool, "0xa", "0xb"), ("0xa", "0xb"), 10)
    10131405
    >>> [pool.swap("0xa", "0xb", amount).amount_out for amount in (10131404, 10131405)]
    [9, 10]
    """
    guess = curve.inverse(float(amount_out))
    if guess == inf:
        return None
    high, step = max(int(guess), 1), resolution

    def enough(amount: int) -> bool:
        return _output(pool, direction, amount) >= amount_out

    try:
        low = _not_enough_below(high, step, enough)
        while not enough(high):
            low, high, step = high, high + step, 4 * step
        while high - low > resolution:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
    except SwapRefused:
        return None
    return high


def _not_enough_below(start: int, step: int, enough: Callable[[int], bool]) -> int:
    """Return an input below ``start`` that gives too little; zero always does."""
    low = start - step
    while low > 0 and enough(low):
        step *= 4
        low -= step
    return max(low, 0)


def _output(pool: Pool, direction: tuple[Address, Address], amount_in: int) -> int:
    try:
        return pool.swap(*direction, amount_in).amount_out
    except SwapRefused as refused:
        if refused.fields["reason"] is Reason.AMOUNT_TOO_SMALL:
            return 0
        raise


def best_integers(
    pools: Mapping[str, Pool],
    edges: Sequence[Edge],
    curves: Sequence[Curve],
    size: Size,
    tolerance: int = 0,
) -> tuple[Hop, ...]:
    """Return the best integer trade found near a size in floats.

    It need not be the best of all integers; ``size.upper_bound`` says how far it can be from
    that at most.

    Parameters
    ----------
    pools
        State by pool id.
    edges, curves
        The cycle's hops and their curves.
    size
        From :func:`scoring.sizing.size_cycle`.
    tolerance
        Raw units of the start token that are not worth looking for.

    Raises
    ------
    SwapRefused
        If the contracts would not take the size.
    """
    enough = max(float(tolerance), _GOOD_ENOUGH * size.profit)
    return _Polish(pools, edges, curves, size, enough).best()


@dataclass(frozen=True, slots=True)
class _Polish:
    """One cycle at one state, with a first size to improve until the gap is small enough."""

    pools: Mapping[str, Pool]
    edges: Sequence[Edge]
    curves: Sequence[Curve]
    size: Size
    small_gap: float

    def best(self) -> tuple[Hop, ...]:
        hops = self._first()
        if self._good_enough(hops):
            return hops
        worth = self._worth(hops)
        hops = self._trimmed(hops, worth)
        coarse = max(range(1, len(worth)), key=worth.__getitem__) - 1
        if worth[coarse + 1] <= 1.0:
            return hops
        start = hops[coarse].amount_out
        for direction in (1, -1):
            for distance in range(1, _REACH + 1):
                if self._good_enough(hops):
                    return hops
                other = self._with_output(coarse, start + direction * distance, worth)
                if other is None or profit_of(other) <= profit_of(hops):
                    break
                hops = other
        return hops

    def _first(self) -> tuple[Hop, ...]:
        """Return the trade of the size in floats, or of a little less.

        Where a hop rounds in the trader's favour and the next one can just take the size, it is too much.
        """
        for less in _LESS[:-1]:
            try:
                return self._run((1.0 - less) * self.size.amount_in)
            except SwapRefused:
                continue
        return self._run((1.0 - _LESS[-1]) * self.size.amount_in)

    def _run(self, amount_in: float) -> tuple[Hop, ...]:
        return run_forward(self.pools, self.edges, max(int(amount_in), 1))

    def _good_enough(self, hops: Sequence[Hop]) -> bool:
        return self.size.upper_bound - profit_of(hops) <= self.small_gap

    def _worth(self, hops: Sequence[Hop]) -> list[float]:
        """Return what one unit of each hop's input is worth at the end, in start units."""
        worth = 1.0
        values = []
        for curve, hop in zip(reversed(self.curves), reversed(hops), strict=True):
            worth *= curve.evaluate(float(hop.amount_in))[1]
            values.append(worth)
        return values[::-1]

    def _trimmed(self, hops: tuple[Hop, ...], worth: Sequence[float]) -> tuple[Hop, ...]:
        """Return the hops with the smallest input that still ends with the same output."""
        amount_in = self._pulled_back(len(self.edges), hops[-1].amount_out, worth)
        if amount_in is None or amount_in >= hops[0].amount_in:
            return hops
        return run_forward(self.pools, self.edges, amount_in)

    def _with_output(self, hop: int, amount_out: int, worth: Sequence[float]) -> tuple[Hop, ...] | None:
        """Return the trimmed trade in which one hop gives ``amount_out``, if there is one."""
        amount_in = self._pulled_back(hop + 1, amount_out, worth)
        if amount_in is None:
            return None
        try:
            return self._trimmed(run_forward(self.pools, self.edges, amount_in), worth)
        except SwapRefused:
            return None

    def _pulled_back(self, count: int, amount_out: int, worth: Sequence[float]) -> int | None:
        """Return the input with which the first ``count`` hops give ``amount_out``."""
        allowed = self.small_gap / (4 * len(self.edges))
        wanted = amount_out
        for position in reversed(range(count)):
            edge = self.edges[position]
            found = smallest_input(
                self.pools[edge.pool_id],
                self.curves[position],
                (edge.token_in, edge.token_out),
                wanted,
                max(int(allowed / worth[position]), 1) if worth[position] > 0.0 else 1,
            )
            if found is None:
                return None
            wanted = found
        return wanted
