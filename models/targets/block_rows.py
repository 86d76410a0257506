"""Recorded blocks in columns: fees, gas, the winning bid and who built them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from models.targets.past import Floats, Integers
from models.targets.reading import float_units, one_file, read_columns

WEI_PER_ETHER = 1e18
_SLOT_MS = 12_000
_UNKNOWN = ("value", "builder_label", "slot_time_ms")
_COLUMNS = (
    "block_number",
    "slot",
    "block_timestamp",
    "base_fee_per_gas",
    "gas_used",
    "gas_limit",
    "num_tx",
    "payload_delivered",
    *_UNKNOWN,
)


@dataclass(frozen=True, slots=True, eq=False)
class BlockRows:
    """Consecutive blocks, arrays of one length.

    Parameters
    ----------
    number, slot, time
        Height, slot, and timestamp in seconds; ``int64``.
    base_fee
        ``int64``, wei.
    gas_used, gas_limit, transactions
        ``int64``.
    bid
        Winning bid in ether; NaN where a block was built without an auction.
    bid_delay
        Seconds from the slot's start to the winning bid; NaN where there was none.
    builder
        Names; empty where unknown.
    """

    number: Integers
    slot: Integers
    time: Integers
    base_fee: Integers
    gas_used: Integers
    gas_limit: Integers
    transactions: Integers
    bid: Floats
    bid_delay: Floats
    builder: NDArray[Any]

    def __len__(self) -> int:
        return len(self.number)


def read_block_rows(root: Path) -> BlockRows:
    """Read the recorded blocks; where several relays tell of one, the delivered row counts.

    Raises
    ------
    InputError
        If the file is missing or not what it should be, or a block between is missing.
    """
    file = one_file(root, "mevboost_blocks_*.parquet")
    columns = read_columns(file, _COLUMNS, may_be_empty=_UNKNOWN)
    order = np.lexsort((-columns["payload_delivered"], columns["block_number"]))
    heights = columns["block_number"][order]
    rows = order[np.concatenate([[True], heights[1:] != heights[:-1]])]
    number = columns["block_number"][rows].astype(np.int64)
    if (np.diff(number) != 1).any():
        raise InputError(f"blocks are missing inside {file.name}; fetch it again", path=str(file))

    def integers(name: str) -> Integers:
        return np.asarray(columns[name][rows], dtype=np.int64)

    return BlockRows(
        number=number,
        slot=integers("slot"),
        time=integers("block_timestamp"),
        base_fee=integers("base_fee_per_gas"),
        gas_used=integers("gas_used"),
        gas_limit=integers("gas_limit"),
        transactions=integers("num_tx"),
        bid=float_units(columns["value"][rows], WEI_PER_ETHER),
        bid_delay=(columns["slot_time_ms"][rows].astype(np.float64) - _SLOT_MS) / 1000,
        builder=np.array([name or "" for name in columns["builder_label"][rows]], dtype=object),
    )
