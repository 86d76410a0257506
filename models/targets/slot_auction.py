"""How far the winning bid of a running slot will still rise, from the bids seen so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.targets.block_rows import WEI_PER_ETHER
from models.targets.making import LEARNT_SHARE, stacked
from models.targets.past import Floats, Integers
from models.targets.reading import float_units, one_file, read_columns
from models.targets.slot_paths import GENESIS_SECONDS, SLOT_SECONDS
from models.targets.table import Kind, TargetTable

DEADLINE_MS = 1500
"""After the slot's start; proposers ask for a header about then."""

ISSUED_MS = tuple(range(-6000, 1001, 250))
"""When forecasts are issued, relative to the slot's start."""

_BACK_MS = (500, 1000, 2000, 4000)
_LAST_BIDS = 30
_FEWEST_BIDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class SlotBids:
    """Bids of one slot in order of arrival, arrays of one length.

    Parameters
    ----------
    slot
        Number of the slot.
    at_ms
        Milliseconds from the slot's start.
    ether
        Value.
    builder
        Prefix of the builder's key.
    """

    slot: int
    at_ms: Floats
    ether: Floats
    builder: NDArray[Any]

    def best(self, until_ms: float) -> float:
        """Return the logarithm of the highest bid that had arrived, the first where none had."""
        count = max(int(np.searchsorted(self.at_ms, until_ms, side="right")), 1)
        return float(np.log(self.ether[:count].max()))


def build(root: Path) -> Iterator[TargetTable]:
    """Yield the table of running auctions.

    Raises
    ------
    InputError
        If the file is missing or not what it should be.
    """
    columns = read_columns(
        one_file(root, "relay_bids_40_slots_*.parquet"), ("slot", "value", "received_at", "builder")
    )
    # written without a space between day and time
    written = pd.Series(columns["received_at"])
    received = pd.to_datetime(written.str[:10] + " " + written.str[10:], format="ISO8601").to_numpy()
    start = columns["slot"] * SLOT_SECONDS + GENESIS_SECONDS
    at_ms = received.astype("datetime64[us]").astype(np.int64) / 1000 - start * 1000.0
    ether = float_units(columns["value"], WEI_PER_ETHER)
    slots = []
    for slot in np.unique(columns["slot"]):
        rows = np.flatnonzero((columns["slot"] == slot) & (ether > 0))
        rows = rows[np.argsort(at_ms[rows], kind="stable")]
        slots.append(SlotBids(int(slot), at_ms[rows], ether[rows], columns["builder"][rows]))
    yield auction_table(slots)


def auction_table(slots: list[SlotBids]) -> TargetTable:
    """Return what the highest bid at the deadline is over the highest so far, as a logarithm.

    Issue times are milliseconds since the first slot's start.
    """
    rows = [
        (slot, moment)
        for slot in slots
        for moment in ISSUED_MS
        if np.searchsorted(slot.at_ms, moment, side="right") >= _FEWEST_BIDS
    ]
    features = [_features(slot, moment) for slot, moment in rows]
    names, values = stacked({name: np.array([row[name] for row in features]) for name in features[0]})
    label = np.array([slot.best(DEADLINE_MS) - slot.best(moment) for slot, moment in rows])
    start = np.array([(slot.slot - slots[0].slot) * SLOT_SECONDS * 1000 for slot, _ in rows])
    moments = np.array([moment for _, moment in rows])
    first = slots[int(len(slots) * LEARNT_SHARE)].slot
    return TargetTable(
        name="slot_auction",
        unit="ln ratio",
        horizon=f"{DEADLINE_MS / 1000:g} s into the slot",
        kind=Kind.NUMBER,
        names=names,
        values=values,
        label=label,
        issued=(start + moments).astype(np.int64),
        known=(start + DEADLINE_MS).astype(np.int64),
        baselines={"current": np.zeros(len(rows)), "median_growth": _median_growth(label, start, moments)},
        first_judged=int(np.argmax([slot.slot >= first for slot, _ in rows])),
        source="relay_bids_40_slots",
    )


def _features(slot: SlotBids, moment: int) -> dict[str, float]:
    seen = int(np.searchsorted(slot.at_ms, moment, side="right"))
    ether, builder = slot.ether[:seen], slot.builder[:seen]
    best = slot.best(moment)
    tops = np.sort([ether[builder == name].max() for name in np.unique(builder)])[::-1]
    return {
        "moment_ms": float(moment),
        "log_best": best,
        **{f"growth_{back}ms": best - slot.best(moment - back) for back in _BACK_MS},
        "bids": float(seen),
        "bids_last_second": float((slot.at_ms[:seen] > moment - 1000).sum()),
        "builders": float(len(tops)),
        "lead_over_second": float(np.log(tops[0] / tops[min(1, len(tops) - 1)])),
        "lead_over_fifth": float(np.log(tops[0] / tops[min(4, len(tops) - 1)])),
        "last_bids_under_best": best - float(np.log(np.median(ether[-_LAST_BIDS:]))),
        "best_age_ms": moment - float(slot.at_ms[np.argmax(ether)]),
    }


def _median_growth(label: Floats, start: Integers, moments: Integers) -> Floats:
    """Return how far auctions that are over grew from the same moment, as the median."""
    growth = np.zeros(len(label))
    for row in range(len(label)):
        past = label[(start < start[row]) & (moments == moments[row])]
        if len(past):
            growth[row] = np.median(past)
    return growth
