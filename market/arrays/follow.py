"""Decoded logs applied to the columns, one compiled pass per block.

What the columns cannot decide is not guessed: the pass stops there and :mod:`market.arrays.block_pass` lets
the pool's own Python do that one event.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.arrays.balances import BalanceColumns
from market.arrays.concentrated import ConcentratedColumns, surely_at
from market.arrays.journal import BALANCES, CONCENTRATED, PAIR, JournalColumns, Tables, note
from market.arrays.limbs import Limbs, as_float, compiled, is_negative, negated
from market.arrays.pairs import PairColumns
from market.arrays.steps import DONE, UNUSUAL, leads_to, note_price, position, swap, sync, vault_swap
from market.arrays.ticks import TickColumns
from market.bulk.kinds import (
    DATA,
    MALFORMED,
    PAIR_SWAP,
    PAIR_SYNC,
    PANCAKE_SWAP,
    SLOW,
    STATELESS,
    UNKNOWN,
    V3_BURN,
    V3_MINT,
    V3_SWAP,
    VAULT_SWAP,
)

OUT_OF_ORDER = 3
"""Why a pass ended, beside those of a step: at a log of another block, or at one out of order."""
EVENTS, UNKNOWNS, PASSED_OVER, RESTS, AT, LAST_INDEX = range(6)
"""Places in a tally: events, logs nobody follows, events of frozen pools, logs left to others; where the
pass stands, and the index of the log before."""


class LogColumns(NamedTuple):
    """Decoded logs; ``contract`` is a number that the market gave the address, -1 for a stranger's."""

    block_number: NDArray[np.int64]
    log_index: NDArray[np.int64]
    contract: NDArray[np.int32]
    kind: NDArray[np.int8]
    words: Limbs
    ticks: NDArray[np.int32]


class NameColumns(NamedTuple):
    """Who is meant.

    Parameters
    ----------
    own_row
        Row of the pool that a contract speaks for, -1 if it is none in columns; shape ``(contracts,)``.
    target
        Number of the contract that each row's pool is called at; shape ``(rows,)``.
    ids, id_rows
        Sorted ids of pools in vaults, four limbs each, and their rows.
    """

    own_row: NDArray[np.int32]
    target: NDArray[np.int32]
    ids: Limbs
    id_rows: NDArray[np.int32]


@compiled
def follow(
    logs: LogColumns,
    stop: int,
    number: int,
    block: int,
    names: NameColumns,
    tables: Tables,
    journal: JournalColumns,
    tally: NDArray[np.int64],
    rest: NDArray[np.int64],
) -> int:
    """Apply logs from where the tally stands.

    Parameters
    ----------
    logs, stop
        Decoded logs, and where the block's end.
    number, block
        Height, and the block's place among those applied.
    names, tables, journal
        The market; the journal has room for every log.
    tally
        Counts, see above; changed.
    rest
        Places of logs for others, at least as long as the block; changed.

    Returns
    -------
    int
        Why it ended.
    """
    for at in range(tally[AT], stop):
        tally[AT] = at
        if logs.block_number[at] != number or logs.log_index[at] <= tally[LAST_INDEX]:
            return OUT_OF_ORDER
        kind, contract = logs.kind[at], logs.contract[at]
        if kind != UNKNOWN and kind != STATELESS:
            row = _row_of(kind, contract, logs.words, at, names)
            if row >= 0:
                if tables.rows.frozen[row] or names.target[row] != contract:
                    return UNUSUAL
                ended = _event(
                    logs.kind[at],
                    tables.rows.lane[row],
                    row,
                    tables.rows.slot[row],
                    block,
                    at,
                    logs.words,
                    logs.ticks,
                    tables.pairs,
                    tables.concentrated,
                    tables.ticks,
                    tables.balances,
                    journal,
                )
                if ended != DONE:
                    return ended
                tally[EVENTS] += 1
            elif kind > STATELESS and contract < 0:
                tally[UNKNOWNS] += 1
            else:
                rest[tally[RESTS]] = at
                tally[RESTS] += 1
        elif kind == UNKNOWN:
            tally[UNKNOWNS] += 1
        tally[LAST_INDEX] = logs.log_index[at]
    tally[AT] = stop
    return DONE


@compiled
def _row_of(kind: int, contract: int, words: Limbs, log: int, names: NameColumns) -> int:
    """Return the row a log means, -1 if it is none in columns."""
    if contract < 0 or kind == MALFORMED:
        return -1
    row = names.own_row[contract] if kind != VAULT_SWAP else -1
    if row >= 0 or (kind != SLOW and kind != VAULT_SWAP):
        return row
    low, high = 0, len(names.id_rows)
    while low < high:
        middle = (low + high) // 2
        if _order(names.ids, middle, words, log) < 0:
            low = middle + 1
        else:
            high = middle
    if low < len(names.id_rows) and _order(names.ids, low, words, log) == 0:
        return int(names.id_rows[low])
    return -1


@compiled
def _order(ids: Limbs, at: int, words: Limbs, log: int) -> int:
    """Return -1, 0 or 1 as an id is below, at or above the second topic of a log."""
    for place in range(3, -1, -1):
        if ids[at, place] != words[log, 0, place]:
            return -1 if ids[at, place] < words[log, 0, place] else 1
    return 0


@compiled
def _event(
    kind: int,
    lane: int,
    row: int,
    slot: int,
    block: int,
    at: int,
    words: Limbs,
    between: NDArray[np.int32],
    pairs: PairColumns,
    pools: ConcentratedColumns,
    ticks: TickColumns,
    balances: BalanceColumns,
    journal: JournalColumns,
) -> int:
    """Apply one log to its row."""
    if lane == PAIR:
        if kind == PAIR_SYNC:
            sync(pairs, journal, note(journal, row, block), slot, words, at)
        return DONE if kind in (PAIR_SYNC, PAIR_SWAP) else UNUSUAL
    if lane == CONCENTRATED:
        if kind in (V3_SWAP, PANCAKE_SWAP):
            price = as_float(words[at, DATA + 2, 0], words[at, DATA + 2, 1], words[at, DATA + 2, 2])
            if not surely_at(between[at, 0], price) or not leads_to(
                pools, ticks, slot, words, at, between[at, 0]
            ):
                return UNUSUAL
            note_price(pools, journal, note(journal, row, block), slot)
            swap(pools, slot, words, at, between[at, 0], price)
            return DONE
        if kind in (V3_MINT, V3_BURN):
            word = DATA + 1 if kind == V3_MINT else DATA
            low, high = words[at, word, 0], words[at, word, 1]
            if is_negative(high):
                return UNUSUAL
            if low == 0 and high == 0:
                return DONE
            change = (low, high) if kind == V3_MINT else negated(low, high)
            return position(pools, ticks, journal, row, block, slot, between[at, 0], between[at, 1], change)
    if lane == BALANCES and kind == VAULT_SWAP:
        return vault_swap(balances, journal, row, block, slot, words, at)
    return UNUSUAL
