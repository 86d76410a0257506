"""Integer arithmetic of Uniswap V3: ticks, prices and one step of a swap.

Prices are ``sqrt(token1 / token0) * 2**96`` in raw units. Everything is exact: the same
integer, rounded the same way, as the contracts compute it.

References
----------
Uniswap V3 Core, libraries TickMath, SqrtPriceMath and SwapMath.
"""

from __future__ import annotations

from functools import lru_cache

MIN_TICK = -887272
MAX_TICK = 887272
MIN_SQRT_RATIO = 4295128739
MAX_SQRT_RATIO = 1461446703485210103287273052203988822378723970342
Q96 = 2**96
_PPM = 1_000_000
_WORD = 2**256

# 2**128 / 1.0001**(2**i / 2), for the bits of a tick
_FACTORS = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)


@lru_cache(maxsize=1 << 16)
def sqrt_ratio_at_tick(tick: int) -> int:
    """Return the square-root price at a tick.

    Raises
    ------
    ValueError
        If the tick is outside ``MIN_TICK .. MAX_TICK``.

    Examples
    --------
    >>> sqrt_ratio_at_tick(0) == Q96, sqrt_ratio_at_tick(-1)
    (True, 79224201403219477170569942574)
    """
    magnitude = abs(tick)
    if magnitude > MAX_TICK:
        raise ValueError(f"tick {tick} is outside {MIN_TICK}..{MAX_TICK}")
    ratio = 1 << 128
    for bit, factor in enumerate(_FACTORS):
        if magnitude >> bit & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = (_WORD - 1) // ratio
    return (ratio >> 32) + (1 if ratio & 0xFFFFFFFF else 0)


def tick_at_sqrt_ratio(sqrt_price: int) -> int:
    """Return the greatest tick whose price is not above ``sqrt_price``.

    Raises
    ------
    ValueError
        If the price is outside ``MIN_SQRT_RATIO <= price < MAX_SQRT_RATIO``.

    Examples
    --------
    >>> tick_at_sqrt_ratio(Q96), tick_at_sqrt_ratio(Q96 - 1)
    (0, -1)
    """
    if not MIN_SQRT_RATIO <= sqrt_price < MAX_SQRT_RATIO:
        raise ValueError(f"price {sqrt_price} is outside the range of ticks")
    ratio = sqrt_price << 32
    msb = ratio.bit_length() - 1
    mantissa = ratio >> (msb - 127) if msb >= 128 else ratio << (127 - msb)
    log2 = (msb - 128) << 64
    for shift in range(63, 49, -1):
        mantissa = mantissa * mantissa >> 127
        bit = mantissa >> 128
        log2 |= bit << shift
        mantissa >>= bit
    log_base = log2 * 255738958999603826347141
    low = (log_base - 3402992956809132418596140100660247210) >> 128
    high = (log_base + 291339464771989622907027621153398088495) >> 128
    if low == high:
        return low
    return high if sqrt_ratio_at_tick(high) <= sqrt_price else low


def amount0_between(lower: int, upper: int, liquidity: int, *, round_up: bool) -> int:
    """Return token0 between two square-root prices, ``lower <= upper``, in raw units."""
    scaled = (liquidity << 96) * (upper - lower)
    if round_up:
        whole = -(-scaled // upper)
        return -(-whole // lower)
    return scaled // upper // lower


def amount1_between(lower: int, upper: int, liquidity: int, *, round_up: bool) -> int:
    """Return token1 between two square-root prices, ``lower <= upper``, in raw units."""
    product = liquidity * (upper - lower)
    return -(-product >> 96) if round_up else product >> 96


def price_after_input(sqrt_price: int, liquidity: int, amount_in: int, zero_for_one: bool) -> int:
    """Return the square-root price after ``amount_in`` raw units (fee already taken) at one liquidity."""
    if not zero_for_one:
        return sqrt_price + (amount_in << 96) // liquidity
    if amount_in == 0:
        return sqrt_price
    numerator = liquidity << 96
    product = amount_in * sqrt_price
    if product < _WORD and numerator + product < _WORD:
        return -(-numerator * sqrt_price // (numerator + product))
    return -(-numerator // (numerator // sqrt_price + amount_in))


def price_after_output(sqrt_price: int, liquidity: int, amount_out: int, zero_for_one: bool) -> int:
    """Return the square-root price after ``amount_out`` raw units are paid at one liquidity.

    Raises
    ------
    ValueError
        If this liquidity cannot pay so much.
    """
    if zero_for_one:
        moved = sqrt_price - -(-(amount_out << 96) // liquidity)
    else:
        numerator = liquidity << 96
        left = numerator - amount_out * sqrt_price
        moved = -(-numerator * sqrt_price // left) if left > 0 else 0
    if moved <= 0:
        raise ValueError("the liquidity in range cannot pay this output")
    return moved


def swap_step(
    sqrt_price: int, target: int, liquidity: int, remaining: int, fee: int
) -> tuple[int, int, int, int]:
    """Return one step of a swap: ``(price after, amount in, amount out, fee amount)``.

    Parameters
    ----------
    sqrt_price, target
        Where the step starts and where it must stop; ``target`` gives the direction.
    liquidity
        Active liquidity.
    remaining
        Positive: input left to spend, fee included. Negative: output still wanted.
    fee
        Pips (ppm) of the input.

    Examples
    --------
    >>> swap_step(Q96, MIN_SQRT_RATIO, 2 * 10**18, 10**17, 3000)[:3]
    (75466173752692610938271134292, 99700000000000000, 94965947516311854)
    """
    zero_for_one = sqrt_price >= target
    lower, upper = (target, sqrt_price) if zero_for_one else (sqrt_price, target)
    amount_in_between = amount0_between if zero_for_one else amount1_between
    amount_out_between = amount1_between if zero_for_one else amount0_between
    if remaining >= 0:
        spendable = remaining * (_PPM - fee) // _PPM
        amount_in = amount_in_between(lower, upper, liquidity, round_up=True)
        if spendable >= amount_in:
            amount_out = amount_out_between(lower, upper, liquidity, round_up=False)
            return target, amount_in, amount_out, _fee_on(amount_in, fee)
        reached = price_after_input(sqrt_price, liquidity, spendable, zero_for_one)
    else:
        amount_out = amount_out_between(lower, upper, liquidity, round_up=False)
        if -remaining >= amount_out:
            amount_in = amount_in_between(lower, upper, liquidity, round_up=True)
            return target, amount_in, amount_out, _fee_on(amount_in, fee)
        reached = price_after_output(sqrt_price, liquidity, -remaining, zero_for_one)
    lower, upper = (reached, sqrt_price) if zero_for_one else (sqrt_price, reached)
    amount_in = amount_in_between(lower, upper, liquidity, round_up=True)
    amount_out = amount_out_between(lower, upper, liquidity, round_up=False)
    if remaining < 0:
        return reached, amount_in, min(amount_out, -remaining), _fee_on(amount_in, fee)
    if reached == target:
        return reached, amount_in, amount_out, _fee_on(amount_in, fee)
    return reached, amount_in, amount_out, remaining - amount_in


def _fee_on(amount_in: int, fee: int) -> int:
    """Return the fee on top of a net input; a fee of all of the input leaves none, so there is none on it."""
    return -(-amount_in * fee // (_PPM - fee)) if fee < _PPM else amount_in
