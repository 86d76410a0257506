"""What one event does to the columns of one pool; each first notes what was there."""

from __future__ import annotations

import numpy as np

from market.arrays.balances import BalanceColumns, place_of_token
from market.arrays.concentrated import LIQUIDITY_LIMBS, PRICE_LIMBS, ConcentratedColumns
from market.arrays.journal import PAIR_WORDS, PRICE_WORDS, JournalColumns, note, note_tick
from market.arrays.limbs import Limbs, Pair, added, as_float, compiled, is_negative, negated
from market.arrays.pairs import PairColumns
from market.arrays.ticks import TickColumns, first_at_or_above, make_room, set_tick
from market.bulk.kinds import DATA
from market.bulk.words import fits

DONE, UNUSUAL, NO_ROOM = range(3)
"""What came of an event: all is done; it is for the pool's own Python; the arena of ticks is full."""

BALANCE_BITS = 112
Held = tuple[np.uint64, np.uint64, np.uint64, np.uint64]
"""Net and gross liquidity of a tick."""


@compiled
def sync(pairs: PairColumns, journal: JournalColumns, noted: int, slot: int, words: Limbs, log: int) -> None:
    """Take over both reserves."""
    if noted >= 0:
        for place in range(PAIR_WORDS):
            journal.words[noted, place] = pairs.reserves[slot, place // 4, place % 4]
    for side in range(2):
        low, high = words[log, DATA + side, 0], words[log, DATA + side, 1]
        pairs.reserves[slot, side, 0], pairs.reserves[slot, side, 1] = low, high
        pairs.reserve_floats[slot, side] = as_float(low, high, np.uint64(0))


@compiled
def note_price(pools: ConcentratedColumns, journal: JournalColumns, noted: int, slot: int) -> None:
    """Note price, liquidity and tick, where a note was begun."""
    if noted < 0:
        return
    for place in range(PRICE_LIMBS):
        journal.words[noted, place] = pools.sqrt_price[slot, place]
    for place in range(LIQUIDITY_LIMBS):
        journal.words[noted, PRICE_LIMBS + place] = pools.liquidity[slot, place]
    journal.words[noted, PRICE_WORDS - 1] = np.uint64(np.int64(pools.tick[slot]))


@compiled
def leads_to(
    pools: ConcentratedColumns, ticks: TickColumns, slot: int, words: Limbs, log: int, tick: int
) -> bool:
    """Tell whether the ticks between the two prices lead from the pool's liquidity to that of a swap."""
    if pools.sqrt_price_floats[slot] == 0.0:
        return True
    low, high = pools.liquidity[slot, 0], pools.liquidity[slot, 1]
    before = pools.tick[slot]
    at = first_at_or_above(ticks, slot, min(before, tick) + 1)
    end = ticks.start[slot] + ticks.length[slot]
    while at < end and ticks.tick[at] <= max(before, tick):
        net_low, net_high = ticks.net[at, 0], ticks.net[at, 1]
        if tick < before:
            net_low, net_high = negated(net_low, net_high)
        low, high = added(low, high, net_low, net_high)
        at += 1
    return bool(low == words[log, DATA + 3, 0] and high == words[log, DATA + 3, 1])


@compiled
def swap(pools: ConcentratedColumns, slot: int, words: Limbs, log: int, tick: int, price: float) -> None:
    """Take over price, liquidity and tick."""
    for place in range(PRICE_LIMBS):
        pools.sqrt_price[slot, place] = words[log, DATA + 2, place]
    for place in range(LIQUIDITY_LIMBS):
        pools.liquidity[slot, place] = words[log, DATA + 3, place]
    pools.tick[slot] = tick
    pools.sqrt_price_floats[slot] = price
    pools.liquidity_floats[slot] = as_float(pools.liquidity[slot, 0], pools.liquidity[slot, 1], np.uint64(0))


@compiled
def position(
    pools: ConcentratedColumns,
    ticks: TickColumns,
    journal: JournalColumns,
    row: int,
    block: int,
    slot: int,
    lower: int,
    upper: int,
    change: Pair,
) -> int:
    """Add liquidity between two ticks, or take it away if the change is negative."""
    opposite = negated(change[0], change[1])
    held_lower, held_upper = _held(ticks, slot, lower), _held(ticks, slot, upper)
    new_lower = _moved(held_lower, change, change)
    new_upper = _moved(held_upper, opposite, change)
    liquidity = (pools.liquidity[slot, 0], pools.liquidity[slot, 1])
    if is_negative(liquidity[1]):
        return UNUSUAL
    if pools.sqrt_price_floats[slot] != 0.0 and lower <= pools.tick[slot] < upper:
        liquidity = added(liquidity[0], liquidity[1], change[0], change[1])
    if is_negative(liquidity[1]) or not _possible(new_lower) or not _possible(new_upper):
        return UNUSUAL
    if not make_room(ticks, slot, 2):
        return NO_ROOM
    note_price(pools, journal, note(journal, row, block), slot)
    note_tick(journal, slot, lower, (held_lower[0], held_lower[1]), (held_lower[2], held_lower[3]))
    note_tick(journal, slot, upper, (held_upper[0], held_upper[1]), (held_upper[2], held_upper[3]))
    set_tick(ticks, slot, lower, (new_lower[0], new_lower[1]), (new_lower[2], new_lower[3]))
    set_tick(ticks, slot, upper, (new_upper[0], new_upper[1]), (new_upper[2], new_upper[3]))
    pools.liquidity[slot, 0], pools.liquidity[slot, 1] = liquidity
    pools.liquidity_floats[slot] = as_float(liquidity[0], liquidity[1], np.uint64(0))
    return DONE


@compiled
def _held(ticks: TickColumns, slot: int, tick: int) -> Held:
    """Return net and gross of a tick, zeros if it is not there."""
    at = first_at_or_above(ticks, slot, tick)
    if at < ticks.start[slot] + ticks.length[slot] and ticks.tick[at] == tick:
        return ticks.net[at, 0], ticks.net[at, 1], ticks.gross[at, 0], ticks.gross[at, 1]
    zero = np.uint64(0)
    return zero, zero, zero, zero


@compiled
def _moved(held: Held, net: Pair, gross: Pair) -> Held:
    new_net = added(held[0], held[1], net[0], net[1])
    new_gross = added(held[2], held[3], gross[0], gross[1])
    return new_net[0], new_net[1], new_gross[0], new_gross[1]


@compiled
def _possible(held: Held) -> bool:
    """Tell whether gross liquidity fits 127 bits and is not below that of net."""
    low, high = held[0], held[1]
    if is_negative(high):
        low, high = negated(low, high)
    enough = high < held[3] or (high == held[3] and low <= held[2])
    return bool(enough and not is_negative(held[3]))


@compiled
def vault_swap(
    pools: BalanceColumns,
    journal: JournalColumns,
    row: int,
    block: int,
    slot: int,
    words: Limbs,
    log: int,
) -> int:
    """Move what was paid and what was received."""
    place_in = place_of_token(pools, slot, words, log, 1)
    place_out = place_of_token(pools, slot, words, log, 2)
    usual = fits(words, log, DATA, BALANCE_BITS) and fits(words, log, DATA + 1, BALANCE_BITS)
    if place_in < 0 or place_out < 0 or place_in == place_out or not usual:
        return UNUSUAL
    held = pools.balances
    paid = added(held[slot, place_in, 0], held[slot, place_in, 1], words[log, DATA, 0], words[log, DATA, 1])
    minus = negated(words[log, DATA + 1, 0], words[log, DATA + 1, 1])
    left = added(held[slot, place_out, 0], held[slot, place_out, 1], minus[0], minus[1])
    if (paid[1] | left[1]) >> np.uint64(BALANCE_BITS - 64) != 0:
        return UNUSUAL
    noted = note(journal, row, block)
    if noted >= 0:
        for place in range(4 * pools.length[slot]):
            journal.words[noted, place] = held[slot, place // 4, place % 4]
    held[slot, place_in, 0], held[slot, place_in, 1] = paid
    held[slot, place_out, 0], held[slot, place_out, 1] = left
    pools.balance_floats[slot, place_in] = as_float(paid[0], paid[1], np.uint64(0))
    pools.balance_floats[slot, place_out] = as_float(left[0], left[1], np.uint64(0))
    return DONE
