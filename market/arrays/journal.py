"""What blocks replaced in the columns, itself in columns, so that they can be undone exactly.

At its first change in a block a row's numbers are copied; every change of a tick is noted with what was
there before. Undoing goes through both from the last to the first.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from market.arrays.balances import BALANCE_LIMBS, BalanceColumns
from market.arrays.concentrated import LIQUIDITY_LIMBS, PRICE_LIMBS, ConcentratedColumns
from market.arrays.limbs import Limbs, Pair, compiled, to_floats
from market.arrays.pairs import RESERVE_LIMBS, PairColumns
from market.arrays.ticks import TickColumns, make_room, set_tick

REST, PAIR, CONCENTRATED, BALANCES = range(4)
"""Lanes: in which columns the events of a row are followed; ``REST`` in none of them."""

T = TypeVar("T", bound=np.generic)

PAIR_WORDS = 2 * RESERVE_LIMBS
PRICE_WORDS = PRICE_LIMBS + LIQUIDITY_LIMBS + 1


class RowColumns(NamedTuple):
    """All pools: the lane of each, its slot in the columns of its shape, and whether it follows no events."""

    lane: NDArray[np.int8]
    slot: NDArray[np.int32]
    frozen: NDArray[np.bool_]


class Tables(NamedTuple):
    """All columns of a market."""

    rows: RowColumns
    pairs: PairColumns
    concentrated: ConcentratedColumns
    ticks: TickColumns
    balances: BalanceColumns


class JournalColumns(NamedTuple):
    """Notes of what was there before.

    Parameters
    ----------
    touched_in
        Number of the last block that changed a row, counted from the first applied; shape ``(rows,)``.
    row, words
        Rows at their first change in a block, and their numbers before it.
    tick_slot, tick, tick_words
        Changes of ticks: net and gross before, two limbs each.
    tops
        Rows and ticks noted so far, shape ``(2,)``.
    """

    touched_in: NDArray[np.int64]
    row: NDArray[np.int32]
    words: Limbs
    tick_slot: NDArray[np.int32]
    tick: NDArray[np.int32]
    tick_words: Limbs
    tops: NDArray[np.int64]


def journal_columns(rows: int, most_tokens: int) -> JournalColumns:
    """Return an empty journal for so many rows."""
    width = max(PAIR_WORDS, PRICE_WORDS, BALANCE_LIMBS * most_tokens)
    return JournalColumns(
        np.zeros(rows, np.int64),
        np.zeros(0, np.int32),
        np.zeros((0, width), np.uint64),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros((0, 4), np.uint64),
        np.zeros(2, np.int64),
    )


def with_room(journal: JournalColumns, dead: tuple[int, int], rows: int, ticks: int) -> JournalColumns:
    """Return the journal with room for more notes, forgetting the oldest.

    Parameters
    ----------
    journal
        Its arrays may be used further.
    dead
        Notes of rows and of ticks at the beginning that nobody will undo.
    rows, ticks
        Notes that must have room.
    """
    top_rows, top_ticks = (int(top) for top in journal.tops)
    kept = top_rows - dead[0], top_ticks - dead[1]
    journal.tops[:] = kept
    row_range, tick_range = (dead[0], top_rows, kept[0] + rows), (dead[1], top_ticks, kept[1] + ticks)
    return journal._replace(
        row=_moved(journal.row, *row_range),
        words=_moved(journal.words, *row_range),
        tick_slot=_moved(journal.tick_slot, *tick_range),
        tick=_moved(journal.tick, *tick_range),
        tick_words=_moved(journal.tick_words, *tick_range),
    )


def _moved(array: NDArray[T], dead: int, top: int, needed: int) -> NDArray[T]:
    """Return an array without its dead beginning; half as long again as needed if it must grow."""
    grown = array
    if needed > len(array) * 3 // 4:
        grown = np.zeros((2 * needed, *array.shape[1:]), array.dtype)
    grown[: top - dead] = array[dead:top].copy()
    return grown


@compiled
def note(journal: JournalColumns, row: int, block: int) -> int:
    """Begin the note of a row; return its place, or -1 if this block has one already."""
    if journal.touched_in[row] == block:
        return -1
    journal.touched_in[row] = block
    at = journal.tops[0]
    journal.tops[0] = at + 1
    journal.row[at] = row
    return int(at)


@compiled
def note_tick(journal: JournalColumns, slot: int, tick: int, net: Pair, gross: Pair) -> None:
    """Note what a tick held before a change; no gross if it was not there."""
    at = journal.tops[1]
    journal.tops[1] = at + 1
    journal.tick_slot[at], journal.tick[at] = slot, tick
    journal.tick_words[at, 0], journal.tick_words[at, 1] = net
    journal.tick_words[at, 2], journal.tick_words[at, 3] = gross


def note_row(tables: Tables, journal: JournalColumns, row: int, block: int) -> None:
    """Note the numbers of a row of any lane, unless this block did already."""
    at, lane, slot = note(journal, row, block), tables.rows.lane[row], tables.rows.slot[row]
    if at < 0:
        return
    if lane == PAIR:
        journal.words[at, :PAIR_WORDS] = tables.pairs.reserves[slot].ravel()
    elif lane == CONCENTRATED:
        pools = tables.concentrated
        tick = np.array([pools.tick[slot]], np.int64).view(np.uint64)
        journal.words[at, :PRICE_WORDS] = np.concatenate(
            (pools.sqrt_price[slot], pools.liquidity[slot], tick)
        )
    elif lane == BALANCES:
        balances = tables.balances.balances[slot].ravel()
        journal.words[at, : len(balances)] = balances


@compiled
def undo_ticks(ticks: TickColumns, journal: JournalColumns, down_to: int) -> bool:
    """Take back changes of ticks above a height of the journal; stop and tell if the arena is full."""
    while journal.tops[1] > down_to:
        at = journal.tops[1] - 1
        slot, words = journal.tick_slot[at], journal.tick_words
        if not make_room(ticks, slot, 1):
            return False
        net, gross = (words[at, 0], words[at, 1]), (words[at, 2], words[at, 3])
        set_tick(ticks, slot, journal.tick[at], net, gross)
        journal.tops[1] = at
    return True


def undo_rows(tables: Tables, journal: JournalColumns, down_to: int) -> None:
    """Put back the numbers of rows noted above a height of the journal."""
    # reversed, so that the oldest note of a row is the last to be written
    noted = slice(down_to, int(journal.tops[0]))
    rows, words = journal.row[noted][::-1], journal.words[noted][::-1]
    lanes, slots = tables.rows.lane[rows], tables.rows.slot[rows]
    chosen = lanes == PAIR
    slot, pairs = slots[chosen], tables.pairs
    pairs.reserves[slot] = words[chosen, :PAIR_WORDS].reshape(-1, 2, RESERVE_LIMBS)
    pairs.reserve_floats[slot] = to_floats(pairs.reserves[slot])
    chosen = lanes == CONCENTRATED
    slot, pools = slots[chosen], tables.concentrated
    pools.sqrt_price[slot] = words[chosen, :PRICE_LIMBS]
    pools.liquidity[slot] = words[chosen, PRICE_LIMBS : PRICE_WORDS - 1]
    pools.tick[slot] = words[chosen, PRICE_WORDS - 1].view(np.int64)
    pools.sqrt_price_floats[slot] = to_floats(pools.sqrt_price[slot])
    pools.liquidity_floats[slot] = to_floats(pools.liquidity[slot])
    chosen = lanes == BALANCES
    slot, many = slots[chosen], tables.balances
    most = many.balances.shape[1]
    many.balances[slot] = words[chosen, : most * BALANCE_LIMBS].reshape(len(slot), most, BALANCE_LIMBS)
    many.balance_floats[slot] = to_floats(many.balances[slot])
    journal.tops[0] = down_to
