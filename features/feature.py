"""What a feature is, and one row of features."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass

BESIDE_CHAIN = frozenset(
    {
        "builder",
        "candle_close",
        "candle_high",
        "candle_low",
        "candle_open",
        "candle_time",
        "candle_volume",
        "pending_net_ether",
        "pending_swaps",
        "winning_bid_ether",
    }
)
"""Inputs that are not of the chain: an exchange's candle, a relay's bid, a builder's label, a mempool."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Definition of one feature.

    Parameters
    ----------
    name, unit, doc
        Name in snake case, unit (gwei, ppm, seconds, blocks, ratio …), one sentence.
    window
        Blocks of history it looks at, or the half-life of a mean; 0 for the current block alone.
    null
        Value when inputs are missing; rows say so in ``missing``.
    inputs
        What of a block it is made of, in the words of :class:`features.facts.FactColumns`.
    absent
        When it is unknown; empty if it always is known.
    low, high
        Every value lies between them, the ends included.
    dtype
        NumPy name of the column's type.
    """

    name: str
    unit: str
    doc: str
    window: int = 0
    null: float = 0.0
    inputs: tuple[str, ...] = ()
    absent: str = ""
    low: float = -math.inf
    high: float = math.inf
    dtype: str = "float64"

    @property
    def on_chain(self) -> bool:
        """Whether a node alone is enough to compute it; others are unknown in every row of a live run."""
        return BESIDE_CHAIN.isdisjoint(self.inputs)


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """Features of one block, point in time.

    Parameters
    ----------
    block_number
        Block whose end they describe (event time, height).
    event_time
        Timestamp of that block, seconds.
    known_at_ns
        When every input was known, wall-clock nanoseconds.
    names, values
        Same length; float64 values.
    missing
        Names that hold their null value because an input was missing.
    subject
        What the row is about; empty for the block as a whole.
    """

    block_number: int
    event_time: int
    known_at_ns: int
    names: tuple[str, ...]
    values: tuple[float, ...]
    missing: tuple[str, ...] = ()
    subject: str = ""

    def __getitem__(self, name: str) -> float:
        return self.values[self.names.index(name)]

    @property
    def digest(self) -> str:
        """Return the row's content hash: equal iff block, subject, names and bits of values are equal."""
        head = f"{self.block_number}|{self.subject and self.subject + '|'}{','.join(self.names)}|".encode()
        return hashlib.sha256(head + struct.pack(f"<{len(self.values)}d", *self.values)).hexdigest()
