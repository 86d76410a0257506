"""Kinds of logs that are decoded in columns, and in which word of a log each field is.

A decoded log has :data:`WORDS` words of 256 bits: the topics after the first, then the data. Names and
meaning of fields are those of the records in :mod:`market.events`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from market import events
from market.arrays.limbs import Limbs
from market.decoding import ALL_DECODERS
from market.events_v3_family import PANCAKE_V3_SWAP

MALFORMED = -1
"""Of a kind below, with impossible topics or data."""
SLOW = 0
"""Decoded one by one, by :func:`market.decoding.decode_log`; only its second topic is here."""
UNKNOWN = 1
"""No decoder knows it."""
STATELESS = 2
"""Emitted by pools, changes nothing we follow."""
PAIR_SYNC, PAIR_SWAP, V3_INITIALIZE, V3_SWAP, PANCAKE_SWAP, V3_MINT, V3_BURN, VAULT_SWAP = range(3, 11)

WORDS = 10
DATA = 3
"""First word of the data."""

_SWAP = {"amount0": DATA, "amount1": DATA + 1, "sqrt_price_x96": DATA + 2, "liquidity": DATA + 3}
FIELDS: dict[int, dict[str, int]] = {
    PAIR_SYNC: {"reserve0": DATA, "reserve1": DATA + 1},
    PAIR_SWAP: {"amount0_in": DATA, "amount1_in": DATA + 1, "amount0_out": DATA + 2, "amount1_out": DATA + 3},
    V3_INITIALIZE: {"sqrt_price_x96": DATA, "tick": DATA + 1},
    V3_SWAP: {**_SWAP, "tick": DATA + 4},
    PANCAKE_SWAP: {**_SWAP, "tick": DATA + 4, "protocol_fee0": DATA + 5, "protocol_fee1": DATA + 6},
    V3_MINT: {"lower": 1, "upper": 2, "amount": DATA + 1, "amount0": DATA + 2, "amount1": DATA + 3},
    V3_BURN: {"lower": 1, "upper": 2, "amount": DATA, "amount0": DATA + 1, "amount1": DATA + 2},
    VAULT_SWAP: {"pool_id": 0, "token_in": 1, "token_out": 2, "amount_in": DATA, "amount_out": DATA + 1},
}
"""Word of each field, by kind."""
SIGNED = {(kind, name) for kind in (V3_SWAP, PANCAKE_SWAP) for name in ("amount0", "amount1")} | {
    (kind, name) for kind, fields in FIELDS.items() for name in fields if name in ("tick", "lower", "upper")
}
"""Fields in two's complement."""

TOPICS = {
    events.PAIR_SYNC: PAIR_SYNC,
    events.PAIR_SWAP: PAIR_SWAP,
    events.V3_INITIALIZE: V3_INITIALIZE,
    events.V3_SWAP: V3_SWAP,
    PANCAKE_V3_SWAP: PANCAKE_SWAP,
    events.V3_MINT: V3_MINT,
    events.V3_BURN: V3_BURN,
    events.VAULT_SWAP: VAULT_SWAP,
}
"""First topic of each kind."""


def topic_table() -> tuple[Limbs, NDArray[np.int8]]:
    """Return every first topic that means something, sorted, and its kind.

    Returns
    -------
    tuple of two arrays
        Topics as four 64-bit words each, most significant first, of shape ``(n, 4)``; kinds.
    """
    kinds = dict.fromkeys(ALL_DECODERS, SLOW) | dict.fromkeys(events.STATELESS_TOPICS, STATELESS) | TOPICS
    ordered = sorted(kinds)
    words = np.frombuffer(b"".join(ordered), dtype=">u8").astype(np.uint64).reshape(-1, 4)
    return words, np.array([kinds[topic] for topic in ordered], dtype=np.int8)
