"""Concentrated liquidity pools of Algebra V1 (QuickSwap V3): V3 with a fee that follows volatility.

The fee is exact, not read: the pool carries its oracle's timepoints and knows the block its next swap is
for. The first swap of a block writes a timepoint and renews the fee before it moves the price, so the fee
that ``globalState`` shows is the one of a block gone by.

This is the plain V1 of the published package, one fee for both directions. Directional fees (Camelot V3)
and the later Algebra versions with limit orders or plugins are other contracts and are not meant.

References
----------
Algebra V1 Core, ``AlgebraPool.swap``, ``_calculateSwapAndLock`` and ``_updatePositionTicksAndFees``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from market.pools.algebra_fee import FeeConfiguration
from market.pools.algebra_oracle import Timepoint, VolatilityOracle, volume_per_liquidity
from market.pools.concentrated import ConcentratedPool
from market.pools.v3_ticks import TickMap
from market.pools.v3_walk import Path

_FIRST_FEE = 100
"""Pips, until the oracle is written for the second time, whatever the coefficients are."""


@dataclass(frozen=True, slots=True)
class AlgebraPool(ConcentratedPool):
    """A pool of one pair of tokens.

    Parameters
    ----------
    spec, sqrt_price_x96, tick, liquidity, ticks
        See :class:`market.pools.concentrated.ConcentratedPool`; the spacing is 60, ``spec.fee`` means
        nothing.
    fee
        As in ``globalState``: pips, of the block that wrote the newest timepoint.
    timestamp
        Of the block that the next swap is for, see :meth:`at`; it decides the fee.
    volume
        Volume per liquidity since the newest timepoint, upper half of the slot of ``liquidity``.
    oracle
        Timepoints.
    configuration
        Coefficients of the fee, ``feeConfig`` of the pool's ``dataStorageOperator``.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> spec = PoolSpec("algebra_v1", "0xp", "0xp", ("0xa", "0xb"), 0, tick_spacing=60)
    >>> pool = AlgebraPool(
    ...     spec, 2**96, 0, 2 * 10**18, {-6000: 2 * 10**18, 6000: -2 * 10**18}, fee=100, timestamp=1_000,
    ...     volume=0, oracle=VolatilityOracle.of([Timepoint(1_000, 0, 0, 0, 0)]),
    ...     configuration=FeeConfiguration(2900, 12000, 360, 60000, 59, 8500, 0, 10, 100))
    >>> pool = pool.swap("0xa", "0xb", 10**17).pool.at(1_060)
    >>> pool.fee, pool.begun().fee, pool.swap("0xa", "0xb", 10**15).pool.fee
    (100, 2050, 2050)
    """

    fee: int
    timestamp: int
    volume: int
    oracle: VolatilityOracle
    configuration: FeeConfiguration

    def __post_init__(self) -> None:
        if self.timestamp < self.oracle.newest.timestamp:
            raise self._impossible("the oracle was written after the block that the pool is for")
        self._check_state()

    def fee_of(self, zero_for_one: bool) -> int:
        """Return the fee in force, the same in both directions; see :meth:`begun`."""
        return self.fee

    def at(self, timestamp: int) -> AlgebraPool:
        """Return the pool for swaps in the block of another time, in unix seconds."""
        return replace(self, timestamp=timestamp)

    def with_configuration(self, configuration: FeeConfiguration) -> AlgebraPool:
        """Return the pool after its fee was given other coefficients."""
        return replace(self, configuration=configuration)

    def begun(self) -> AlgebraPool:
        """Return the pool once its block's first swap has written a timepoint and renewed the fee."""
        if self.timestamp == self.oracle.newest.timestamp:
            return self
        oracle = self.oracle.written(self.timestamp, self.tick, self.volume)
        return replace(self, oracle=oracle, volume=0, fee=self.configuration.fee(*oracle.averages()))

    def after_path(self, path: Path) -> AlgebraPool:
        """Return the pool after a swap, its volume added."""
        added = volume_per_liquidity(path.liquidity, path.amount_in, path.amount_out)
        return replace(
            self,
            sqrt_price_x96=path.sqrt_price_x96,
            tick=path.tick,
            liquidity=path.liquidity,
            volume=(self.volume + added) % 2**128,
        )

    def after_initialize(self, sqrt_price_x96: int, tick: int) -> AlgebraPool:
        """Return the pool after ``Initialize``: a price, no position anywhere, and a first timepoint."""
        return replace(
            self,
            sqrt_price_x96=sqrt_price_x96,
            tick=tick,
            liquidity=0,
            ticks=TickMap(),
            fee=_FIRST_FEE,
            volume=0,
            oracle=VolatilityOracle.of([Timepoint(self.timestamp, 0, 0, tick, 0)]),
        )

    def after_position(self, lower: int, upper: int, amount: int) -> AlgebraPool:
        """Return the pool after a position changed; one around the price is an occasion for the oracle."""
        active = amount != 0 and self.sqrt_price_x96 != 0 and lower <= self.tick < upper
        begun = self.begun() if active else self
        return ConcentratedPool.after_position(begun, lower, upper, amount)

    def after_swap(
        self, amount0: int, amount1: int, sqrt_price_x96: int, liquidity: int, tick: int
    ) -> AlgebraPool:
        """Return the pool after a recorded ``Swap``: amounts, positive if paid to the pool, and state."""
        self._check_crossed(liquidity, tick)
        begun = self.begun()
        return replace(
            begun,
            sqrt_price_x96=sqrt_price_x96,
            tick=tick,
            liquidity=liquidity,
            volume=(begun.volume + volume_per_liquidity(liquidity, amount0, amount1)) % 2**128,
        )
