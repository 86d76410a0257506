"""Algebra V1's volatility oracle: a day of timepoints, from which the fee of a block follows.

The first swap of a block, or the first change of active liquidity, writes a timepoint before anything
else; the fee of the whole block is computed from what was written in the day before. Knowing the
timepoints, the fee of any later block is known without asking.

References
----------
Algebra V1 Core, library DataStorage, and ``DataStorageOperator``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt
from typing import NamedTuple

from core.errors import MarketError

WINDOW = 86_400
"""Seconds that averages are taken over."""
CAPACITY = 65_536
"""Timepoints that the contract keeps; after that it overwrites the oldest."""

_HIGHEST_VOLUME = 100_000 << 64
_VOLATILITY_BITS = 88
_VOLUME_BITS = 144
_VOLUME_SHIFT = 57


class Timepoint(NamedTuple):
    """What the contract wrote down at one moment.

    Parameters
    ----------
    timestamp
        Unix seconds.
    tick_cumulative
        Sum of the tick over seconds.
    volatility_cumulative
        Sum of the square of the tick's distance from its average over seconds, modulo 2**88.
    average_tick
        Average over the day before.
    volume_cumulative
        Sum of volume per liquidity, modulo 2**144.
    """

    timestamp: int
    tick_cumulative: int
    volatility_cumulative: int
    average_tick: int
    volume_cumulative: int


@dataclass(frozen=True, slots=True)
class VolatilityOracle:
    """The timepoints that a fee can still depend on, oldest first.

    Parameters
    ----------
    timepoints
        From the last one that is a day older than the newest, or from the first of all. :meth:`of`
        takes them out of a longer row.

    Examples
    --------
    >>> oracle = VolatilityOracle.of([Timepoint(1_000, 0, 0, 7, 0)])
    >>> tuple(oracle.written(1_012, 7, 0).newest)
    (1012, 84, 0, 7, 0)
    >>> oracle.written(1_012, 7, 0).written(1_024, 31, 0).averages()
    (108, 0)
    """

    timepoints: tuple[Timepoint, ...]

    @classmethod
    def of(cls, timepoints: Iterable[Timepoint]) -> VolatilityOracle:
        """Return an oracle with what matters of a row of timepoints, oldest first.

        Raises
        ------
        MarketError
            If there is none, or their times do not rise.
        """
        points = tuple(timepoints)
        if not points or any(later[0] <= earlier[0] for earlier, later in pairwise(points)):
            raise MarketError("timepoints must rise, and there must be one; reload the pool from a node")
        return cls(_of_a_day(points))

    @property
    def newest(self) -> Timepoint:
        """The timepoint written last."""
        return self.timepoints[-1]

    def written(self, timestamp: int, tick: int, volume: int) -> VolatilityOracle:
        """Return the oracle after a new timepoint.

        Parameters
        ----------
        timestamp
            Of the block that writes; later than the newest.
        tick
            Before anything else happens in that block.
        volume
            Per liquidity, of the block that wrote last.
        """
        last = self.newest
        seconds = timestamp - last.timestamp
        average = self._average_tick(timestamp, tick)
        before = tick
        if len(self.timepoints) > 1:
            previous = self.timepoints[-2]
            before = _mean(
                last.tick_cumulative - previous.tick_cumulative, last.timestamp - previous.timestamp
            )
        volatility = _volatility(seconds, before, tick, last.average_tick, average)
        point = Timepoint(
            timestamp,
            last.tick_cumulative + tick * seconds,
            (last.volatility_cumulative + volatility) % 2**_VOLATILITY_BITS,
            average,
            (last.volume_cumulative + volume) % 2**_VOLUME_BITS,
        )
        return VolatilityOracle(_of_a_day((*self.timepoints, point)))

    def averages(self) -> tuple[int, int]:
        """Return volatility and volume per liquidity of the day that the newest timepoint ends."""
        newest, oldest = self.newest, self.timepoints[0]
        opening = newest.timestamp - WINDOW
        start = self.at(opening) if oldest.timestamp <= opening else oldest
        seconds = min(newest.timestamp - oldest.timestamp, WINDOW)
        if seconds == 0:
            return 0, 0
        volatility = (newest.volatility_cumulative - start.volatility_cumulative) % 2**_VOLATILITY_BITS
        volume = (newest.volume_cumulative - start.volume_cumulative) % 2**_VOLUME_BITS
        return volatility // seconds, volume >> _VOLUME_SHIFT

    def _average_tick(self, timestamp: int, tick: int) -> int:
        """Return the tick's average over the day before a moment, up to the newest timepoint."""
        last, oldest = self.newest, self.timepoints[0]
        opening = timestamp - WINDOW
        if oldest.timestamp > opening:
            start = oldest
        elif last.timestamp > opening:
            start = self.at(opening)
        elif len(self.timepoints) > 1:
            start = self.timepoints[-2]
        else:
            return tick
        if start.timestamp == last.timestamp:
            return tick
        return _mean(last.tick_cumulative - start.tick_cumulative, last.timestamp - start.timestamp)

    def at(self, timestamp: int) -> Timepoint:
        """Return the sums at a moment since the oldest timepoint, interpolated as the contract does."""
        at = bisect_right(self.timepoints, timestamp, key=_timestamp) - 1
        before = self.timepoints[at]
        if before.timestamp == timestamp:
            return before
        after = self.timepoints[at + 1]
        gap, passed = after.timestamp - before.timestamp, timestamp - before.timestamp
        ticks = _mean(after.tick_cumulative - before.tick_cumulative, gap)
        volatility = (after.volatility_cumulative - before.volatility_cumulative) % 2**_VOLATILITY_BITS
        volume = (after.volume_cumulative - before.volume_cumulative) % 2**_VOLUME_BITS
        return Timepoint(
            timestamp,
            before.tick_cumulative + ticks * passed,
            (before.volatility_cumulative + volatility // gap * passed) % 2**_VOLATILITY_BITS,
            before.average_tick,
            (before.volume_cumulative + volume // gap * passed) % 2**_VOLUME_BITS,
        )


def volume_per_liquidity(liquidity: int, amount0: int, amount1: int) -> int:
    """Return what a swap adds to its block's volume: the geometric mean of its amounts per liquidity.

    Parameters
    ----------
    liquidity
        Active after the swap.
    amount0, amount1
        Raw units, of either sign.

    Examples
    --------
    >>> volume_per_liquidity(10**18, 10**16, -(10**16)) / 2**64
    0.01
    """
    volume = isqrt(abs(amount0)) * isqrt(abs(amount1))
    shifted = (2**256 - 1 if volume >= 2**192 else volume << 64) // max(liquidity, 1)
    return min(shifted, _HIGHEST_VOLUME)


def _of_a_day(points: tuple[Timepoint, ...]) -> tuple[Timepoint, ...]:
    """Return the timepoints that a fee can still depend on: never fewer than two, if there are two."""
    points = points[-CAPACITY:]
    before = bisect_right(points, points[-1].timestamp - WINDOW, key=_timestamp) - 1
    return points[max(before, 0) :]


def _timestamp(point: Timepoint) -> int:
    return point.timestamp


def _mean(total: int, count: int) -> int:
    """Return a quotient rounded towards zero."""
    return total // count if total >= 0 else -(-total // count)


def _volatility(seconds: int, tick0: int, tick1: int, average0: int, average1: int) -> int:
    """Return the sum, over the seconds, of the square of the distance between two straight lines.

    One leads from ``tick0`` to ``tick1``, the other from ``average0`` to ``average1``.
    """
    slope = (tick1 - tick0) - (average1 - average0)
    offset = (tick0 - average0) * seconds
    squares = seconds * (seconds + 1) * (2 * seconds + 1)
    sequence = seconds * (seconds + 1)
    total = slope**2 * squares + 6 * offset * slope * sequence + 6 * seconds * offset**2
    return total // (6 * seconds**2)
