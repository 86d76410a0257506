"""The walk of a swap from tick to tick, the one loop of every family of concentrated liquidity.

Uniswap V3 and V4, Pancake V3, Slipstream and Algebra V1 differ in where the fee comes from, in what else
they write down and in how they are called. The loop is the same in all of them, rounding included.

References
----------
Uniswap V3 Core, ``UniswapV3Pool.swap``; Uniswap V4 Core, ``Pool.swap``; Algebra V1, ``AlgebraPool.swap``.
"""

from __future__ import annotations

from typing import NamedTuple

from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.v3_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    Q96,
    sqrt_ratio_at_tick,
    swap_step,
    tick_at_sqrt_ratio,
)
from market.pools.v3_ticks import TickMap

_PPM = 1_000_000


class Start(NamedTuple):
    """The pool that a swap meets.

    Parameters
    ----------
    pool_id
        Named in errors.
    sqrt_price_x96, tick, liquidity, ticks
        As the contract stores them.
    spacing
        Between ticks that positions may end at.
    fee
        Pips of the input, in the direction of the swap.
    known
        ``(lower, upper)``: ``ticks`` holds every initialised tick strictly between the two;
        ``None`` if the whole map is known.
    """

    pool_id: str
    sqrt_price_x96: int
    tick: int
    liquidity: int
    ticks: TickMap
    spacing: int
    fee: int
    known: tuple[int, int] | None = None


class Path(NamedTuple):
    """What a swap did: amounts (input with fee), price, tick and liquidity after it, ticks crossed, steps.

    ``remaining`` is what was left when the price limit stopped it.
    """

    amount_in: int
    amount_out: int
    remaining: int
    sqrt_price_x96: int
    tick: int
    liquidity: int
    crossed: int
    steps: int


def walk(start: Start, zero_for_one: bool, amount: int, limit: int | None = None) -> Path:
    """Carry out a swap: exact input if ``amount`` is positive, exact output if negative.

    Parameters
    ----------
    start
        The pool.
    zero_for_one
        Whether token0 is paid.
    amount
        Raw units, fee included.
    limit
        Square-root price to stop at; the contract's extreme by default.

    Raises
    ------
    SwapRefused
        If the swap would leave the known ticks, or the pool is not initialised.

    Examples
    --------
    >>> ticks = TickMap({-6000: 2 * 10**18, 6000: -2 * 10**18})
    >>> path = walk(Start("0xp", Q96, 0, 2 * 10**18, ticks, 60, 3000), True, 10**17)
    >>> path.amount_out, path.sqrt_price_x96, path.crossed
    (94965947516311854, 75466173752692610938271134292, 0)
    """
    if limit is None:
        limit = MIN_SQRT_RATIO + 1 if zero_for_one else MAX_SQRT_RATIO - 1
    price, tick, liquidity, ticks = start.sqrt_price_x96, start.tick, start.liquidity, start.ticks
    lower, upper = start.known or (MIN_TICK, MAX_TICK)
    if price == 0 or not lower <= tick < upper:
        raise _unknown(start, "nothing is known around the price", amount)
    remaining, total_in, total_out, crossed, steps = amount, 0, 0, 0, 0
    while remaining and (price > limit if zero_for_one else price < limit):
        stop, initialised = _next_stop(start, tick, zero_for_one)
        stop_price = sqrt_ratio_at_tick(stop)
        target = max(stop_price, limit) if zero_for_one else min(stop_price, limit)
        before = price
        price, paid, got, fee = swap_step(before, target, liquidity, remaining, start.fee)
        steps += 1
        remaining = remaining - paid - fee if amount > 0 else remaining + got
        total_in += paid + fee
        total_out += got
        if price == stop_price:
            if initialised:
                liquidity += -ticks[stop] if zero_for_one else ticks[stop]
                crossed += 1
            elif start.known and stop in start.known:
                raise _unknown(start, "the swap leaves the known ticks", amount)
            if liquidity < 0:
                raise _impossible(start)
            tick = stop - 1 if zero_for_one else stop
        elif price != before:
            tick = tick_at_sqrt_ratio(price)
    return Path(total_in, total_out, remaining, price, tick, liquidity, crossed, steps)


def _next_stop(start: Start, tick: int, zero_for_one: bool) -> tuple[int, bool]:
    """Return where the next step of a swap ends at the latest, and whether that tick is initialised.

    Nothing is known at the ends of ``known``, so no step goes beyond them.
    """
    stop, initialised = start.ticks.next_within_word(tick, start.spacing, down=zero_for_one)
    if start.known is None:
        return stop, initialised
    lower, upper = start.known
    if zero_for_one:
        return (stop, initialised) if stop > lower else (lower, False)
    return (stop, initialised) if stop < upper else (upper, False)


def rate_at_size_zero(start: Start, zero_for_one: bool) -> float:
    """Return raw output per raw input at size zero, after the fee; 0.0 if nothing can be traded.

    Where no position is active, a swap begins at the first tick it meets that has one behind it.

    Examples
    --------
    >>> gap = TickMap({-120: 5, -60: -5, 60: 5, 120: -5})
    >>> start = Start("0xp", Q96, 0, 0, gap, 60, 3000)
    >>> rate_at_size_zero(start, True) == 0.997 * (sqrt_ratio_at_tick(-60) / Q96) ** 2
    True
    """
    price, tick, liquidity, ticks = start.sqrt_price_x96, start.tick, start.liquidity, start.ticks
    if price == 0:
        return 0.0
    lower, upper = start.known or (MIN_TICK - 1, MAX_TICK + 1)
    while liquidity == 0:
        met = ticks.below(tick) if zero_for_one else ticks.above(tick)
        if met is None or not lower < met < upper:
            return 0.0
        price = sqrt_ratio_at_tick(met)
        liquidity += -ticks[met] if zero_for_one else ticks[met]
        tick = met - 1 if zero_for_one else met
    root = price / Q96
    return (root * root if zero_for_one else 1.0 / (root * root)) * (1.0 - start.fee / _PPM)


def _unknown(start: Start, why: str, amount: int) -> SwapRefused:
    return SwapRefused(
        f"{why}; choose another amount or pool",
        reason=Reason.UNKNOWN_TICKS,
        pool_id=start.pool_id,
        amount=amount,
    )


def _impossible(start: Start) -> MarketError:
    return MarketError(
        "the ticks take away more liquidity than there is; reload the pool from a node",
        pool_id=start.pool_id,
        sqrt_price_x96=start.sqrt_price_x96,
        tick=start.tick,
        liquidity=start.liquidity,
    )
