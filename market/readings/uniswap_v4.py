"""Read pools of Uniswap V4: storage of the PoolManager, which it shows to anybody, many slots a call.

References
----------
Uniswap V4 Core, StateLibrary and Extsload.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils.crypto import keccak

from chain.questions import ContractCall, Reading
from core.errors import MarketError
from market.pools.spec import PoolSpec
from market.pools.uniswap_v4 import UniswapV4Pool, pool_id_of, unsupported
from market.pools.v3_ticks import TickMap
from market.readings.answers import WORD, View, array_at, same
from market.readings.ticks import bitmap_places, set_ticks, whole_map

SLOTS_PER_CALL = 200
"""About half a million gas."""
_POOLS_SLOT = 6
_LIQUIDITY, _TICKS, _BITMAP = 3, 4, 5
"""Slots of a pool, counted from its first, which holds price, tick and fees."""
_EXTSLOAD = "extsload(bytes32[])"


def read_v4(spec: PoolSpec) -> Reading[UniswapV4Pool]:
    """Read a pool of the PoolManager.

    Raises
    ------
    MarketError
        If the pool's state does not say what it pays (hooks, dynamic fee), the description does not
        give the pool's id, or its ticks do not add up.
    """
    try:
        same("currencies, fee, spacing or hooks", pool_id_of(spec), spec.pool_id)
    except ValueError:
        raise MarketError("a currency or the hooks are no address; correct the pool's description") from None
    refusal = unsupported(spec)
    if refusal is not None:
        raise MarketError(f"{refusal}; leave the pool out", reason=refusal.reason)
    base = _mapped(int(spec.pool_id, 16), _POOLS_SLOT)
    slot0, liquidity = yield from _stored(spec, [base, base + _LIQUIDITY])
    price, tick = slot0 % 2**160, _signed(slot0 >> 160 & 0xFFFFFF, 24)
    ticks = TickMap()
    if price:
        same("fee", slot0 >> 208 & 0xFFFFFF, spec.fee)
        ticks = yield from _read_ticks(spec, base, tick, liquidity)
    protocol_fee = slot0 >> 184 & 0xFFFFFF
    return UniswapV4Pool(spec, price, tick, liquidity, ticks, protocol_fee=protocol_fee)


def _read_ticks(spec: PoolSpec, base: int, tick: int, liquidity: int) -> Reading[TickMap]:
    places = bitmap_places(spec.tick_spacing)
    bits = yield from _stored(spec, [_mapped(place, base + _BITMAP) for place in places])
    ticks = set_ticks(spec.tick_spacing, bits)
    packed = (yield from _stored(spec, [_mapped(each, base + _TICKS) for each in ticks])) if ticks else []
    net = {each: _signed(word >> 128, 128) for each, word in zip(ticks, packed, strict=True)}
    gross = {each: word % 2**128 for each, word in zip(ticks, packed, strict=True)}
    return whole_map(net, gross, tick, liquidity)


def _stored(spec: PoolSpec, slots: Sequence[int]) -> Reading[list[int]]:
    """Read storage slots of the PoolManager in one round."""
    view = View(spec.address, _EXTSLOAD, words=2, more=True)
    parts = [slots[at : at + SLOTS_PER_CALL] for at in range(0, len(slots), SLOTS_PER_CALL)]
    answers = yield [
        ContractCall(spec.address, view.question().data + _encoded([WORD, len(part), *part]))
        for part in parts
    ]
    found: list[int] = []
    for part, answer in zip(parts, answers, strict=True):
        words = array_at(view.words_of(answer), 0)
        if len(words) != len(part):
            raise MarketError(f"{spec.address} gives {len(words)} of {len(part)} slots; is it a PoolManager?")
        found.extend(words)
    return found


def _encoded(words: Sequence[int]) -> bytes:
    return b"".join((word % 2**256).to_bytes(WORD, "big") for word in words)


def _mapped(key: int, slot: int) -> int:
    """Return the storage slot of a mapping's entry."""
    return int.from_bytes(keccak(_encoded((key, slot))), "big")


def _signed(value: int, bits: int) -> int:
    return value - (value >> bits - 1 << bits)
