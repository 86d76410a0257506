"""What recorded swaps reveal about a V3 pool of which only part is known.

A recorded day starts in the middle of a pool's life: nobody says which ticks are initialised.
Each swap says where it ended, with how much liquidity. What it must have met on its way follows
from that, as long as it did not go too far.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import SwapRefused
from market.pools.v3_ticks import TickMap, neighbours

if TYPE_CHECKING:
    from market.pools.uniswap_v3 import UniswapV3Pool, Walk

_EVERYTHING = 2**255 - 1


def after_swap(
    pool: UniswapV3Pool, amount0: int, amount1: int, sqrt_price_x96: int, liquidity: int, tick: int
) -> UniswapV3Pool:
    """Return the pool after a recorded ``Swap``, with what the swap revealed about ticks.

    Parameters
    ----------
    pool
        The pool before it.
    amount0, amount1
        Signed raw units, positive = paid to the pool.
    sqrt_price_x96, liquidity, tick
        State after the swap, from the event.
    """
    ticks, known = pool.tick_map, pool.known
    if known is not None and not known[0] <= tick < known[1]:
        told = informed(pool, liquidity, tick)
        if told is None or not reproduce(told[0], amount0, amount1, sqrt_price_x96, liquidity, tick):
            ticks, known = TickMap(), neighbours(tick, pool.spec.tick_spacing)
        else:
            ticks, known = told[0].tick_map, told[0].known
    return replace(
        pool, sqrt_price_x96=sqrt_price_x96, tick=tick, liquidity=liquidity, ticks=ticks, known=known
    )


def informed(pool: UniswapV3Pool, liquidity: int, tick: int) -> tuple[UniswapV3Pool, bool] | None:
    """Return a pool with the ticks that a swap which ended there must have met.

    Parameters
    ----------
    pool
        The pool before the swap.
    liquidity, tick
        State after the swap.

    Returns
    -------
    tuple of pool and bool, or None
        The flag tells whether no other ticks are possible: inside the known range, and one
        spacing beyond it where liquidity changed, since the change is the one unknown tick's
        net. Where it did not change there is probably no tick, though there may be one whose
        net is zero, at which the swap stopped and rounded; :func:`reproduce` must confirm it.
        If it changed farther out nothing can be said.
    """
    if pool.known is None:
        return pool, True
    lower, upper = pool.known
    if pool.sqrt_price_x96 == 0 or not lower <= pool.tick < upper:
        return None
    if lower <= tick < upper:
        return pool, True
    here = neighbours(tick, pool.spec.tick_spacing)
    rises = tick >= upper
    ticks, edge = pool.tick_map, upper if rises else lower
    inside = ticks.between(pool.tick, upper - 1) if rises else -ticks.between(lower, pool.tick)
    net = liquidity - pool.liquidity - inside
    if net and edge != (here[0] if rises else here[1]):
        return None
    if net:
        ticks = ticks.with_crossed(edge, net if rises else -net)
    known = (min(lower, here[0]), max(upper, here[1]))
    return replace(pool, ticks=ticks, known=known), net != 0


def reproduce(
    pool: UniswapV3Pool, amount0: int, amount1: int, sqrt_price_x96: int, liquidity: int, tick: int
) -> Walk | None:
    """Return the swap that gives exactly these signed amounts and this state, if one does.

    The caller of a swap bounds its input, its output or its price; each rounds differently, so
    all three are tried.

    Parameters
    ----------
    pool
        The pool before the swap.
    amount0, amount1
        Signed raw units, positive = paid to the pool.
    sqrt_price_x96, liquidity, tick
        State after the swap.
    """
    falls = amount0 > 0
    paid, got = (amount0, -amount1) if falls else (amount1, -amount0)
    before = pool.sqrt_price_x96
    if paid <= 0 or got < 0 or (sqrt_price_x96 > before if falls else sqrt_price_x96 < before):
        return None
    recorded = (sqrt_price_x96, liquidity, tick, paid, got)
    for amount, limit in ((paid, None), (-got, None), (_EVERYTHING, sqrt_price_x96)):
        if amount == 0:
            continue
        try:
            walk = pool.walk(falls, amount, limit)
        except SwapRefused:
            continue
        after = walk.pool
        reached = (after.sqrt_price_x96, after.liquidity, after.tick, walk.amount_in, walk.amount_out)
        if reached == recorded:
            return walk
    return None
