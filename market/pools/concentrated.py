"""What pools of concentrated liquidity share: state, swap and events.

Families differ in where the fee of a swap comes from; each has a file of its own that says so. Only
:mod:`market.pools.uniswap_v3` also follows pools of which part of the tick map is not known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason
from market.pools.base import TwoTokenPool
from market.pools.pool import Swap
from market.pools.spec import PoolSpec
from market.pools.v3_math import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from market.pools.v3_ticks import TickMap
from market.pools.v3_walk import Path, Start, rate_at_size_zero, walk


@dataclass(frozen=True, slots=True)
class ConcentratedPool(TwoTokenPool, ABC):
    """A pool with a price, active liquidity and ticks; a family adds what its fee depends on.

    Parameters
    ----------
    spec
        ``tick_spacing`` positive.
    sqrt_price_x96, tick, liquidity
        As the contract stores them; a price of 0 means not initialised.
    ticks
        Every initialised tick to net liquidity; any mapping, kept as a :class:`TickMap`.
    """

    spec: PoolSpec
    sqrt_price_x96: int
    tick: int
    liquidity: int
    ticks: Mapping[int, int]

    def __post_init__(self) -> None:
        self._check_state()

    @abstractmethod
    def fee_of(self, zero_for_one: bool) -> int:
        """Return the fee in force in one direction, in pips of the input; see :meth:`begun`."""

    def begun(self) -> Self:
        """Return the pool as a swap has it once it has begun: with the fee that the swap pays."""
        return self

    def after_path(self, path: Path) -> Self:
        """Return the pool after a swap that went this way."""
        return replace(self, sqrt_price_x96=path.sqrt_price_x96, tick=path.tick, liquidity=path.liquidity)

    def path(self, zero_for_one: bool, amount: int, limit: int | None = None) -> Path:
        """Return the way of a swap: exact input if ``amount`` is positive, exact output if negative.

        Parameters
        ----------
        zero_for_one
            Whether token0 is paid.
        amount
            Raw units, fee included.
        limit
            Square-root price to stop at; the contract's extreme by default.

        Raises
        ------
        SwapRefused
            If the pool is not initialised.
        """
        return walk(self.begun()._start(zero_for_one), zero_for_one, amount, limit)

    def swap(self, token_in: Address, token_out: Address, amount_in: int) -> Swap:
        """Return what the pool pays for ``amount_in``, and the pool after it.

        The contract would fill part of an input that empties the pool; that is refused here,
        since the rest of the input would be stranded.

        Raises
        ------
        SwapRefused
            For no input, or no liquidity to take all of it.
        """
        zero_for_one = self._direction(token_in, token_out)
        if not 0 < amount_in < 2**255:
            reason = Reason.AMOUNT_TOO_SMALL if amount_in <= 0 else Reason.AMOUNT_TOO_LARGE
            raise self._refused(reason, "the input must be positive and fit the contract", amount_in)
        begun = self.begun()
        path = begun.path(zero_for_one, amount_in)
        if path.remaining:
            reason = Reason.AMOUNT_TOO_LARGE if path.amount_in else Reason.ZERO_LIQUIDITY
            raise self._refused(reason, "the pool has no liquidity for all of the input", amount_in)
        return Swap(path.amount_in, path.amount_out, begun.after_path(path))

    def marginal_rate(self, token_in: Address, token_out: Address) -> float:
        """Return raw output per raw input at size zero, after the fee; 0.0 if nothing can be traded."""
        zero_for_one = self._direction(token_in, token_out)
        return rate_at_size_zero(self.begun()._start(zero_for_one), zero_for_one)

    def after_initialize(self, sqrt_price_x96: int, tick: int) -> Self:
        """Return the pool after ``Initialize``: a price, and no position anywhere."""
        return replace(self, sqrt_price_x96=sqrt_price_x96, tick=tick, liquidity=0, ticks=TickMap())

    def after_position(self, lower: int, upper: int, amount: int) -> Self:
        """Return the pool after a position grew (``amount > 0``) or shrank (``amount < 0``).

        Raises
        ------
        MarketError
            If more liquidity is taken away than was there.
        """
        if amount == 0:
            return self
        ticks, known = self.tick_map, self._known_range()
        first, last = known or (MIN_TICK - 1, MAX_TICK + 1)
        for tick, net in ((lower, amount), (upper, -amount)):
            if first < tick < last:
                ticks = ticks.with_position(tick, net, amount, complete=known is None)
        active = self.sqrt_price_x96 != 0 and lower <= self.tick < upper
        liquidity = self.liquidity + amount if active else self.liquidity
        if liquidity < 0:
            raise self._impossible("more liquidity was taken away than is active")
        return replace(self, ticks=ticks, liquidity=liquidity)

    def after_swap(self, amount0: int, amount1: int, sqrt_price_x96: int, liquidity: int, tick: int) -> Self:
        """Return the pool after a recorded ``Swap``: amounts, positive if paid to the pool, and state.

        Raises
        ------
        MarketError
            If the ticks between the two prices do not lead from one liquidity to the other.
        """
        self._check_crossed(liquidity, tick)
        return replace(self, sqrt_price_x96=sqrt_price_x96, liquidity=liquidity, tick=tick)

    @property
    def tick_map(self) -> TickMap:
        """``ticks``, as the ordered map it is."""
        assert isinstance(self.ticks, TickMap)
        return self.ticks

    def _check_state(self) -> None:
        """Refuse a state that no contract can be in, and keep the ticks as a :class:`TickMap`."""
        if self.spec.tick_spacing <= 0:
            raise self._impossible("the spacing must be positive")
        if not isinstance(self.ticks, TickMap):
            if any(tick % self.spec.tick_spacing or abs(tick) > MAX_TICK for tick in self.ticks):
                raise self._impossible("a tick is no multiple of the spacing or out of range")
            object.__setattr__(self, "ticks", TickMap(self.ticks))
        if not 0 <= self.liquidity < 2**128:
            raise self._impossible("liquidity must fit 128 bits")
        if self.sqrt_price_x96 == 0:
            return
        if not MIN_TICK <= self.tick < MAX_TICK:
            raise self._impossible("the tick is out of range")
        # a swap that falls exactly onto a tick leaves the tick below it
        if not sqrt_ratio_at_tick(self.tick) <= self.sqrt_price_x96 <= sqrt_ratio_at_tick(self.tick + 1):
            raise self._impossible("tick and price do not belong together")

    def _start(self, zero_for_one: bool) -> Start:
        return Start(
            self.spec.pool_id,
            self.sqrt_price_x96,
            self.tick,
            self.liquidity,
            self.tick_map,
            self.spec.tick_spacing,
            self.fee_of(zero_for_one),
            self._known_range(),
        )

    def _check_crossed(self, liquidity: int, tick: int) -> None:
        """Refuse a state after a swap that the ticks do not allow: a change of liquidity was missed."""
        if self.sqrt_price_x96 == 0:
            return
        rises = tick > self.tick
        crossed = self.tick_map.between(min(self.tick, tick), max(self.tick, tick))
        expected = self.liquidity + (crossed if rises else -crossed)
        if expected != liquidity:
            raise self._impossible(f"a swap ended with liquidity {liquidity}, the ticks lead to {expected}")

    def _known_range(self) -> tuple[int, int] | None:
        """Return the ticks between which the map is known, ``None`` if all of it is."""
        return None

    def _impossible(self, why: str) -> MarketError:
        return MarketError(
            f"{why}; reload the pool from a node",
            pool_id=self.spec.pool_id,
            sqrt_price_x96=self.sqrt_price_x96,
            tick=self.tick,
            liquidity=self.liquidity,
        )
