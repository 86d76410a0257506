"""Calendar: where in the day a block stands, and whether the next slot opens a new minute.

Programs that act on the minute fill the first block after it: on recorded mainnet that
block uses 6 % more gas than its target in the median, the others 7 to 10 % less.
"""

from __future__ import annotations

import math

from features.feature import Feature
from features.groups.group import Observed

SLOT_SECONDS = 12
_DAY = 86_400
_TURNS = (60, 300, 3600)

FEATURES = (
    Feature("hour_sin", "ratio", "Sine of the time of day (UTC)."),
    Feature("hour_cos", "ratio", "Cosine of the time of day (UTC)."),
    Feature("minute_turn", "flag", "1 if the next slot is the first of a minute, else 0."),
    Feature("five_minute_turn", "flag", "1 if the next slot is the first of five minutes, else 0."),
    Feature("hour_turn", "flag", "1 if the next slot is the first of an hour, else 0."),
)


class CalendarGroup:
    """Time of day and turns of the clock; it has no history."""

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Return the values of this block in the order of ``FEATURES``."""
        now = observed.block.header.timestamp
        angle = 2 * math.pi * (now % _DAY) / _DAY
        turns = (float((now + SLOT_SECONDS) // period > now // period) for period in _TURNS)
        return math.sin(angle), math.cos(angle), *turns
