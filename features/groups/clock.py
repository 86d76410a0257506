"""Clock: where in the minute, the epoch and the week a block stands, and whether slots were missed."""

from __future__ import annotations

import math

from features.feature import Feature
from features.groups.calendar import DAY_SECONDS, SLOT_SECONDS
from features.groups.group import Observed
from features.groups.limits import MOST_BLOCKS

GENESIS = 1_606_824_023
"""Start of the first slot of Ethereum's beacon chain, seconds since the epoch (its ``MIN_GENESIS_TIME``
of 1606824000 and delay)."""
EPOCH_SECONDS = 32 * SLOT_SECONDS
WEEK_SECONDS = 7 * DAY_SECONDS
_TIME = ("timestamp",)

FEATURES = (
    Feature("week_sin", "ratio", "Sine of the time of the week (UTC).", inputs=_TIME, low=-1, high=1),
    Feature("week_cos", "ratio", "Cosine of the time of the week (UTC).", inputs=_TIME, low=-1, high=1),
    Feature("minute_phase", "ratio", "Part of the minute that has gone.", inputs=_TIME, low=0, high=1),
    Feature(
        "epoch_phase",
        "ratio",
        "Part of the 32 slots of an Ethereum mainnet epoch that has gone; a plain clock elsewhere.",
        inputs=_TIME,
        low=0,
        high=1,
    ),
    Feature(
        "missed_slots",
        "slots",
        "Slots of 12 seconds since the parent block, less one.",
        1,
        inputs=_TIME,
        absent="The first block.",
        low=-1,
        high=MOST_BLOCKS,
    ),
)


class ClockGroup:
    """Phases of clocks and missed slots."""

    def __init__(self) -> None:
        self._timestamp: int | None = None

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        now, before = observed.block.header.timestamp, self._timestamp
        self._timestamp = now
        angle = 2 * math.pi * (now % WEEK_SECONDS) / WEEK_SECONDS
        return (
            math.sin(angle),
            math.cos(angle),
            now % 60 / 60,
            (now - GENESIS) % EPOCH_SECONDS / EPOCH_SECONDS,
            None if before is None else (now - before) / SLOT_SECONDS - 1,
        )
