"""Read pools of Algebra V1: state, ticks, the coefficients of the fee, and a day of the oracle.

The fee of the next block follows from the timepoints of the day before it, so all of those are read,
newest first, twice as many each round, until one is a day old. The oracle writes one a block at most.
"""

from __future__ import annotations

from dataclasses import replace

from chain.blocks import Address
from chain.questions import ContractCall, Reading, StorageSlot
from core.errors import MarketError
from market.pools.algebra import AlgebraPool
from market.pools.algebra_fee import FeeConfiguration
from market.pools.algebra_oracle import CAPACITY, WINDOW, Timepoint, VolatilityOracle
from market.pools.spec import PoolSpec
from market.readings.answers import View, Words, address_of, read, same, same_pair, signed, stored
from market.readings.ticks import read_ticks

SLOT_OF_LIQUIDITY = 3
"""Liquidity in the lower half, volume per liquidity in the upper half; no function tells the latter."""
_STATE_WORDS = 7
_FIRST_TIMEPOINTS, _MOST_TIMEPOINTS = 64, 4_096
"""Asked for in the first round, and in a late one."""


def read_algebra(spec: PoolSpec, timestamp: int) -> Reading[AlgebraPool]:
    """Read a pool as it stands for swaps in a block of some time.

    Raises
    ------
    MarketError
        If the contract is of another version (directional fees), the pool has other tokens or
        another spacing than described, it was never initialised, or its ticks do not add up.
    """
    state, liquidity, volume, operator = yield from _read_state(spec)
    price, tick, fee, newest, *_ = state
    if price == 0:
        raise MarketError("the pool has no price yet, so its oracle has no timepoint; leave it out")
    views = [View(operator, "feeConfig()", words=9)]
    (coefficients,) = yield from read(views)
    oracle = VolatilityOracle.of((yield from _read_day(operator, newest)))
    ticks = yield from read_ticks(spec, "tickTable(int16)", signed(tick), liquidity)
    return AlgebraPool(
        replace(spec, factory=operator),  # the operator tells of changes of the fee's coefficients
        price,
        signed(tick),
        liquidity,
        ticks,
        fee=fee,
        timestamp=timestamp,
        volume=volume,
        oracle=oracle,
        configuration=FeeConfiguration(*coefficients),
    )


def _read_state(spec: PoolSpec) -> Reading[tuple[Words, int, int, Address]]:
    """Read ``globalState``, liquidity, volume per liquidity and the operator's address."""
    simple = ("liquidity()", "dataStorageOperator()", "token0()", "token1()", "tickSpacing()")
    views = [
        View(spec.address, "globalState()", words=_STATE_WORDS),
        *(View(spec.address, each) for each in simple),
    ]
    questions: list[ContractCall | StorageSlot] = [view.question() for view in views]
    *answers, slot = yield [*questions, StorageSlot(spec.address, SLOT_OF_LIQUIDITY)]
    found = [view.words_of(answer) for view, answer in zip(views, answers, strict=True)]
    state, (liquidity,), (operator,), token0, token1, (spacing,) = found
    same_pair(spec, token0, token1)
    same("tick spacing", signed(spacing), spec.tick_spacing)
    packed = stored(slot)
    if packed % 2**128 != liquidity:
        raise MarketError("the contract stores its liquidity elsewhere than Algebra V1 does; leave it out")
    return state, liquidity, packed >> 128, address_of(operator)


def _read_day(operator: Address, newest: int) -> Reading[list[Timepoint]]:
    """Read the timepoints from the first that is a day older than the newest, or that there is."""
    found: list[Timepoint] = []
    count = _FIRST_TIMEPOINTS
    while len(found) < CAPACITY:
        places = [
            (newest - len(found) - step) % CAPACITY for step in range(min(count, CAPACITY - len(found)))
        ]
        views = [View(operator, "timepoints(uint256)", (place,), words=7) for place in places]
        for initialised, *numbers in (yield from read(views)):
            point = _timepoint(numbers)
            if not initialised or (found and point.timestamp >= found[-1].timestamp):
                return found[::-1]  # the row begins here, or is overwritten from here on
            found.append(point)
            if point.timestamp <= found[0].timestamp - WINDOW:
                return found[::-1]
        count = min(2 * count, _MOST_TIMEPOINTS)
    return found[::-1]


def _timepoint(numbers: list[int]) -> Timepoint:
    time, ticks, _, volatility, average, volume = numbers
    return Timepoint(time, signed(ticks), volatility, signed(average), volume)
