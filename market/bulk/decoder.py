"""Logs decoded in columns: one compiled pass instead of a record per log.

A log whose contents are impossible is only marked here. :func:`decode_logs` gives it to the decoder of
single logs, which raises its error.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from market.arrays.limbs import Limbs, compiled
from market.bulk.kinds import (
    DATA,
    FIELDS,
    MALFORMED,
    PAIR_SWAP,
    PAIR_SYNC,
    PANCAKE_SWAP,
    SLOW,
    UNKNOWN,
    V3_BURN,
    V3_INITIALIZE,
    V3_MINT,
    V3_SWAP,
    VAULT_SWAP,
    WORDS,
    topic_table,
)
from market.bulk.raw_logs import RawLogs
from market.bulk.words import NO_TICK, fits, is_price, tick_of
from market.decoding import decode_log

Bytes = NDArray[np.uint8]

_BYTE = np.uint64(8)


@dataclass(frozen=True, slots=True)
class DecodedLogs:
    """What logs say, in columns.

    Parameters
    ----------
    raw
        The logs.
    kind
        One of :mod:`market.bulk.kinds`, shape ``(n,)``, int8.
    words
        Topics and data as limbs, shape ``(n, WORDS, 4)``, uint64; see :data:`market.bulk.kinds.FIELDS`.
    ticks
        Tick, or lower and upper tick, shape ``(n, 2)``, int32.
    """

    raw: RawLogs
    kind: NDArray[np.int8]
    words: Limbs
    ticks: NDArray[np.int32]

    def column(self, kind: int, field: str) -> Limbs:
        """Return one field of all logs of a kind, as limbs of shape ``(m, 4)``."""
        chosen: Limbs = self.words[self.kind == kind, FIELDS[kind][field]]
        return chosen


def decode_logs(raw: RawLogs) -> DecodedLogs:
    """Decode logs.

    Raises
    ------
    TapeError
        For the first log that is malformed, as :func:`market.decoding.decode_log` words it.
    """
    decoded = marked(raw)
    for place in np.flatnonzero((decoded.kind == MALFORMED) | (decoded.kind == SLOW)):
        decode_log(raw.log(int(place)))
    return decoded


def marked(raw: RawLogs) -> DecodedLogs:
    """Decode logs; those that are malformed get the kind ``MALFORMED``."""
    count = len(raw)
    kind = np.empty(count, dtype=np.int8)
    words, ticks = np.zeros((count, WORDS, 4), dtype=np.uint64), np.zeros((count, 2), dtype=np.int32)
    topic_words, topic_kinds = _topics()
    _decode(raw.topics, raw.topics_at, raw.data, raw.data_at, topic_words, topic_kinds, kind, words, ticks)
    return DecodedLogs(raw, kind, words, ticks)


@cache
def _topics() -> tuple[Limbs, NDArray[np.int8]]:
    return topic_table()


@compiled
def _decode(
    topics: Bytes,
    topics_at: NDArray[np.int64],
    data: Bytes,
    data_at: NDArray[np.int64],
    topic_words: Limbs,
    topic_kinds: NDArray[np.int8],
    kind: NDArray[np.int8],
    words: Limbs,
    ticks: NDArray[np.int32],
) -> None:
    for log in range(len(kind)):
        first, count = topics_at[log], (topics_at[log + 1] - topics_at[log]) // 32
        at, size = data_at[log], data_at[log + 1] - data_at[log]
        found = _kind_of(topics, first, topic_words, topic_kinds) if count else SLOW
        kind[log] = found
        if found != UNKNOWN and count <= DATA + 1:
            _copy(topics, first + 32, count - 1, words, log, 0)
        if found < PAIR_SYNC:
            continue
        if not _sized(found, count, size):
            kind[log] = MALFORMED
            continue
        _copy(data, at, size // 32, words, log, DATA)
        if not _checked(found, words, log, ticks):
            kind[log] = MALFORMED


@compiled
def _limb(data: Bytes, at: int) -> np.uint64:
    """Return eight big-endian bytes."""
    value = np.uint64(0)
    for place in range(at, at + 8):
        value = value << _BYTE | np.uint64(data[place])
    return value


@compiled
def _copy(data: Bytes, at: int, count: int, words: Limbs, log: int, first: int) -> None:
    for word in range(count):
        for limb in range(4):
            words[log, first + word, limb] = _limb(data, at + 32 * word + 24 - 8 * limb)


@compiled
def _kind_of(topics: Bytes, at: int, topic_words: Limbs, topic_kinds: NDArray[np.int8]) -> int:
    """Return the kind of a first topic, by bisection of the sorted table."""
    low, high = 0, len(topic_kinds)
    head = _limb(topics, at)
    while low < high:
        middle = (low + high) // 2
        if topic_words[middle, 0] < head:
            low = middle + 1
        else:
            high = middle
    while low < len(topic_kinds) and topic_words[low, 0] == head:
        same = True
        for place in range(1, 4):
            same = same and topic_words[low, place] == _limb(topics, at + 8 * place)
        if same:
            return int(topic_kinds[low])
        low += 1
    return UNKNOWN


@compiled
def _sized(kind: int, topics: int, size: int) -> bool:
    """Tell whether a log has the topics and the bytes of data that its kind has."""
    if kind in (PAIR_SYNC, V3_INITIALIZE):
        return topics == 1 and size == 64
    if kind == PAIR_SWAP:
        return topics == 3 and size == 128
    if kind == V3_SWAP:
        return topics == 3 and size == 160
    if kind == PANCAKE_SWAP:
        return topics == 3 and size == 224
    if kind == V3_MINT:
        return topics == 4 and size == 128
    if kind == V3_BURN:
        return topics == 4 and size == 96
    return topics == 4 and size == 64


@compiled
def _checked(kind: int, words: Limbs, log: int, ticks: NDArray[np.int32]) -> bool:
    """Take out the ticks of a log; tell whether every field fits its type."""
    if kind == PAIR_SYNC:
        return fits(words, log, DATA, 112) and fits(words, log, DATA + 1, 112)
    if kind == VAULT_SWAP:
        return fits(words, log, 1, 160) and fits(words, log, 2, 160)
    if kind in (V3_MINT, V3_BURN):
        ticks[log, 0], ticks[log, 1] = tick_of(words, log, 1), tick_of(words, log, 2)
        amount = DATA + 1 if kind == V3_MINT else DATA
        return fits(words, log, amount, 128) and ticks[log, 0] < ticks[log, 1] != NO_TICK
    if kind == V3_INITIALIZE:
        ticks[log, 0] = tick_of(words, log, DATA + 1)
        return is_price(words, log, DATA) and ticks[log, 0] != NO_TICK
    if kind in (V3_SWAP, PANCAKE_SWAP):
        ticks[log, 0] = tick_of(words, log, DATA + 4)
        good = is_price(words, log, DATA + 2) and fits(words, log, DATA + 3, 128)
        if kind == PANCAKE_SWAP:
            good = good and fits(words, log, DATA + 5, 128) and fits(words, log, DATA + 6, 128)
        return good and ticks[log, 0] != NO_TICK
    return True
