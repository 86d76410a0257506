"""Recorded first-price auctions in which it is known what a bid had to beat.

A bid of ours would have won if it was above the best competing bid, and that is recorded. What winning would
have been worth to us is not, save for builders, who bid nearly all of it in the end. Elsewhere a bidder is
supposed who is as strong as recent winners: its value is drawn among the last competing bids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import ModelError
from core.seams import Randomness
from models.targets.block_rows import read_block_rows
from models.targets.past import Floats, Integers, rolling_median
from models.targets.reading import float_units, one_file, read_columns

LAST_BIDS = 20
"""Competing bids that give a bidder's value and the public scale."""

DEADLINE = 1.0
"""Seconds into the slot at which a builder's bid has to be in."""

LEAD = 1.0
"""Seconds before the deadline at which a builder sees the bids of the others and settles on its own."""

_BEACON_GENESIS = pd.Timestamp("2020-12-01 12:00:23")
_SLOT_SECONDS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Auctions:
    """Auctions in order of time, arrays of one length; amounts in any one unit per auction.

    Parameters
    ----------
    name, source
        For people; the recorded file.
    moment
        ``int64``, ascending: block or slot. An outcome is known at every later moment.
    value
        What winning is worth.
    rival
        The best competing bid.
    scale
        What a competing bid is like, from what was public before.
    first_judged
        Row from which policies are judged; rows before it are for learning.

    Raises
    ------
    ModelError
        If lengths differ, moments do not ascend, or an amount is not above zero.
    """

    name: str
    source: str
    moment: Integers
    value: Floats
    rival: Floats
    scale: Floats
    first_judged: int

    def __post_init__(self) -> None:
        amounts = (self.value, self.rival, self.scale)
        if any(each.shape != self.moment.shape for each in amounts):
            raise ModelError("the columns of auctions differ in length", name=self.name)
        if not 0 <= self.first_judged < len(self.moment) or (np.diff(self.moment) < 0).any():
            raise ModelError("auctions ascend in time, and some are judged", name=self.name)
        if not all((np.isfinite(each) & (each > 0)).all() for each in amounts):
            raise ModelError("values, competing bids and scales are above zero", name=self.name)


def recorded_auctions(root: Path, randomness: Randomness) -> Iterator[Auctions]:
    """Yield the recorded auctions, one kind after the other.

    Parameters
    ----------
    root
        Folder of recorded history.
    randomness
        Draws the values of supposed bidders.

    Raises
    ------
    InputError
        If a file is missing or not what it should be.
    """
    yield block_auctions(root, randomness.stream("block auctions"))
    yield arbitrage_auctions(root, randomness.stream("arbitrage auctions"))
    yield builder_auctions(root)


def block_auctions(root: Path, random: np.random.Generator) -> Auctions:
    """Return one auction a block: a bid for the whole block, against the winning bid."""
    rows = read_block_rows(root)
    sold = np.isfinite(rows.bid)
    rival = rows.bid[sold]
    value, scale = _like_recent_winners(rival, random)
    kept = slice(LAST_BIDS, None)
    count = len(rival) - LAST_BIDS
    return Auctions(
        name="blocks",
        source="mevboost_blocks",
        moment=rows.number[sold][kept],
        value=value[kept],
        rival=rival[kept],
        scale=scale[kept],
        first_judged=int(0.6 * count),
    )


def arbitrage_auctions(root: Path, random: np.random.Generator) -> Auctions:
    """Return one auction a block and pair: a bid for the trade between the pair and an exchange.

    Amounts are ether paid to the builder per dollar traded; the best payer of a block counts.
    """
    file = one_file(root, "cexdex_labelled_*.parquet")
    columns = read_columns(file, ("block_number", "pair", "mev_value", "volume"))
    trades = pd.DataFrame(columns)
    paying = trades[(trades["mev_value"] > 0) & (trades["volume"] > 0)]
    rates = paying.assign(rate=paying["mev_value"] / paying["volume"])
    best = rates.groupby(["block_number", "pair"], as_index=False)["rate"].max()
    parts = []
    for _, one in best.groupby("pair"):
        rival = one["rate"].to_numpy(np.float64)
        if len(rival) > LAST_BIDS:
            value, scale = _like_recent_winners(rival, random)
            parts.append(np.column_stack([one["block_number"], value, rival, scale])[LAST_BIDS:])
    table = np.concatenate(parts)
    table = table[np.argsort(table[:, 0], kind="stable")]
    return Auctions(
        name="arbitrage",
        source="cexdex_labelled",
        moment=table[:, 0].astype(np.int64),
        value=table[:, 1].copy(),
        rival=table[:, 2].copy(),
        scale=table[:, 3].copy(),
        first_judged=int(0.6 * len(table)),
    )


def builder_auctions(root: Path) -> Auctions:
    """Return one auction a slot: the builder with the highest bid, against all other builders.

    Its own highest bid up to the deadline stands for the block's value: it was worth at least that. The
    scale is the best bid of the others that was public when it had to settle. So few slots are recorded
    that all but the first quarter are judged.
    """
    file = one_file(root, "relay_bids_*.parquet")
    columns = read_columns(file, ("slot", "value", "received_at", "builder"))
    stamps = pd.Series(columns["received_at"])
    # the day and the time of day stand without a space between them
    times = pd.to_datetime(stamps.str[:10] + " " + stamps.str[10:], format="mixed")
    bids = pd.DataFrame(
        {
            "slot": columns["slot"],
            "builder": columns["builder"],
            "bid": float_units(columns["value"], 1e18),
            "second": (times - _BEACON_GENESIS).dt.total_seconds() - _SLOT_SECONDS * columns["slot"],
        }
    )
    rows = []
    for slot, one in bids[bids["second"] <= DEADLINE].groupby("slot"):
        best = one.groupby("builder")["bid"].max().sort_values()
        others = one[one["builder"] != best.index[-1]]
        seen = others[others["second"] <= DEADLINE - LEAD]["bid"]
        if len(seen):
            rows.append((slot, best.iloc[-1], others["bid"].max(), seen.max()))
    table: NDArray[np.float64] = np.array(rows, dtype=np.float64)
    return Auctions(
        name="builders",
        source="relay_bids",
        moment=table[:, 0].astype(np.int64),
        value=table[:, 1].copy(),
        rival=table[:, 2].copy(),
        scale=table[:, 3].copy(),
        first_judged=len(table) // 4,
    )


def _like_recent_winners(rival: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Return values drawn among the last competing bids, and their medians; the first rows know too few."""
    back = random.integers(1, LAST_BIDS + 1, len(rival))
    place = np.maximum(np.arange(len(rival)) - back, 0)
    median = rolling_median(rival, LAST_BIDS)
    return rival[place], np.concatenate([rival[:1], median[:-1]])
