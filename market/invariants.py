"""Check recorded swaps against the pool's own integer arithmetic.

Nobody can trade against the formula, so a recorded swap that the formula does not
reproduce to the unit means that our state, our decoding or the record is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.reasons import Reason, Refusal
from market.events import Event, V3Swap
from market.pools.pool import Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import sqrt_ratio_at_tick, tick_at_sqrt_ratio
from market.pools.v3_recorded import informed, reproduce


@dataclass(frozen=True, slots=True)
class SwapCheck:
    """Outcome of checking one swap.

    Parameters
    ----------
    ok
        Whether price, liquidity, tick and both amounts are reproduced exactly.
    crossed
        Initialised ticks the swap crossed.
    detail
        What differs, if something does.
    """

    ok: bool
    crossed: int
    detail: str


def check_swap(before: Pool, event: Event) -> SwapCheck | Refusal:
    """Reproduce a recorded swap on the pool it met.

    Parameters
    ----------
    before
        The pool just before the event.
    event
        The recorded event; kinds other than :class:`~market.events.V3Swap` carry their
        whole state or no price and are not checkable.

    Returns
    -------
    SwapCheck or Refusal
        ``NOT_CHECKABLE`` if the pool was not seen before, or the swap crossed ticks that are
        not known.
    """
    if not isinstance(before, UniswapV3Pool) or not isinstance(event, V3Swap):
        return Refusal(Reason.NOT_CHECKABLE, f"{type(event).__name__} has no step to reproduce")
    if before.sqrt_price_x96 == 0:
        return Refusal(Reason.NOT_CHECKABLE, "the pool's state before its first swap is not known")
    fits = tick_at_sqrt_ratio(event.sqrt_price_x96)
    on_edge = sqrt_ratio_at_tick(fits) == event.sqrt_price_x96
    if event.tick != fits and not (on_edge and event.tick == fits - 1):
        return SwapCheck(False, 0, f"tick {event.tick} does not fit the price, expected {fits}")
    told = informed(before, event.liquidity, event.tick)
    if told is None:
        return Refusal(Reason.NOT_CHECKABLE, "the swap crossed ticks that are not known")
    pool, certain = told
    state = (event.sqrt_price_x96, event.liquidity, event.tick)
    walk = reproduce(pool, event.amount0, event.amount1, *state)
    if walk is not None:
        return SwapCheck(True, walk.crossed, "")
    if not certain:
        return Refusal(Reason.NOT_CHECKABLE, "the swap may have crossed ticks that are not known")
    return SwapCheck(False, 0, f"no swap ends at price, liquidity and tick {state} with these amounts")
