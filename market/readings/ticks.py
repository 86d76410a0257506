"""Read the whole tick map of a pool of concentrated liquidity: every bitmap word, then every set tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chain.questions import Reading
from core.errors import MarketError
from market.pools.spec import PoolSpec
from market.pools.v3_math import MAX_TICK, MIN_TICK
from market.pools.v3_ticks import TickMap
from market.readings.answers import View, read, signed

_WORD_BITS = 256


def read_ticks(spec: PoolSpec, bitmap: str, tick: int, liquidity: int) -> Reading[TickMap]:
    """Read all initialised ticks of a contract that has ``ticks(int24)``.

    Parameters
    ----------
    spec
        The pool.
    bitmap
        Signature of the function that gives a word of the bitmap.
    tick, liquidity
        Where the price stands and what is active there; the ticks must add up to it.

    Raises
    ------
    MarketError
        If they do not, or an answer is not what the contract would give.
    """
    places = bitmap_places(spec.tick_spacing)
    bits = yield from read([View(spec.address, bitmap, (place,)) for place in places])
    ticks = set_ticks(spec.tick_spacing, [word for (word,) in bits])
    views = [View(spec.address, "ticks(int24)", (each,), words=2, more=True) for each in ticks]
    found = (yield from read(views)) if views else []
    net = {each: signed(words[1]) for each, words in zip(ticks, found, strict=True)}
    gross = {each: words[0] for each, words in zip(ticks, found, strict=True)}
    return whole_map(net, gross, tick, liquidity)


def bitmap_places(spacing: int) -> range:
    """Return the places of all bitmap words that can have a bit.

    Raises
    ------
    MarketError
        If the spacing is not positive.

    Examples
    --------
    >>> len(bitmap_places(1)), bitmap_places(60)
    (6932, range(-58, 58))
    """
    if spacing <= 0:
        raise MarketError("the tick spacing must be positive; correct the pool's description")
    return range(MIN_TICK // spacing >> 8, (MAX_TICK // spacing >> 8) + 1)


def set_ticks(spacing: int, bits: Sequence[int]) -> list[int]:
    """Return the ticks that are set in all words of a bitmap, in order.

    Raises
    ------
    MarketError
        If one is out of range.

    Examples
    --------
    >>> empty = [0] * len(bitmap_places(60))
    >>> set_ticks(60, [*empty[:58], 0b101, *empty[59:]])
    [0, 120]
    """
    ticks = [
        (place * _WORD_BITS + bit) * spacing
        for place, word in zip(bitmap_places(spacing), bits, strict=True)
        if word
        for bit in range(_WORD_BITS)
        if word >> bit & 1
    ]
    if ticks and not MIN_TICK <= ticks[0] <= ticks[-1] <= MAX_TICK:
        raise MarketError("the tick bitmap has bits where no tick can be; check the pool's family")
    return ticks


def whole_map(net: Mapping[int, int], gross: Mapping[int, int], tick: int, liquidity: int) -> TickMap:
    """Return a map of all ticks of a pool.

    Raises
    ------
    MarketError
        If the ticks up to the price do not add up to the active liquidity, or all of them not to
        nothing: then the map is not whole, or not of the same block.
    """
    ticks = TickMap(net, gross)
    hollow = any(gross[each] < max(abs(net[each]), 1) for each in net)
    if hollow or sum(net.values()) != 0 or ticks.between(MIN_TICK - 1, tick) != liquidity:
        raise MarketError(
            "the ticks do not add up to the active liquidity; check the pool's spacing and family, "
            "and read it again",
            liquidity=liquidity,
            ticks=len(ticks),
        )
    return ticks
