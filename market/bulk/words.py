"""Checks of decoded words; they are those of :mod:`market.log_words`."""

from __future__ import annotations

import numpy as np

from market.arrays.limbs import Limbs, compiled
from market.pools.v3_math import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK

NO_TICK = 2**31 - 1
"""Stands for a word that is no tick."""

_LEAST_PRICE = np.uint64(MIN_SQRT_RATIO)
_END_LOW, _END_MIDDLE, _END_HIGH = (np.uint64(MAX_SQRT_RATIO >> 64 * at & 2**64 - 1) for at in range(3))
_LIMB_BITS = 64


@compiled
def fits(words: Limbs, log: int, word: int, bits: int) -> bool:
    """Tell whether an unsigned word fits so many bits, fewer than 256."""
    at = bits // _LIMB_BITS
    above = words[log, word, at] >> np.uint64(bits % _LIMB_BITS)
    for limb in range(at + 1, 4):
        above |= words[log, word, limb]
    return bool(above == 0)


@compiled
def is_price(words: Limbs, log: int, word: int) -> bool:
    """Tell whether a word is a square-root price inside the range of ticks."""
    low, middle, high = words[log, word, 0], words[log, word, 1], words[log, word, 2]
    if words[log, word, 3] != 0 or (high == 0 and middle == 0 and low < _LEAST_PRICE):
        return False
    if high != _END_HIGH:
        return bool(high < _END_HIGH)
    return bool(middle < _END_MIDDLE or (middle == _END_MIDDLE and low < _END_LOW))


@compiled
def tick_of(words: Limbs, log: int, word: int) -> int:
    """Return the tick in a signed word, :data:`NO_TICK` if it is out of range."""
    low = np.int64(words[log, word, 0])
    sign = np.uint64(low >> 63)
    if words[log, word, 1] != sign or words[log, word, 2] != sign or words[log, word, 3] != sign:
        return NO_TICK
    return int(low) if MIN_TICK <= low <= MAX_TICK else NO_TICK
