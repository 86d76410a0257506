"""Arrivals: how often swaps come and pools change."""

from __future__ import annotations

from features.feature import Feature
from features.groups.group import Observed
from features.groups.limits import MOST_COUNT, MOST_RATIO, MOST_SECONDS
from features.groups.means import follow, follow_all, step_of

HALF_LIVES = (5, 30, 150)
STEPS = tuple(map(step_of, HALF_LIVES))
TOUCH_HALF_LIFE = 30
TOUCH_STEP = step_of(TOUCH_HALF_LIFE)

FEATURES = (
    *(
        Feature(
            f"swap_rate_{life}",
            "swaps per block",
            f"Mean of swap_count, half-life {life} blocks.",
            life,
            inputs=("swaps",),
            low=0,
            high=MOST_COUNT,
        )
        for life in HALF_LIVES
    ),
    Feature(
        "swap_burst",
        "ratio",
        f"swap_rate_{HALF_LIVES[0]} over swap_rate_{HALF_LIVES[-1]}.",
        HALF_LIVES[-1],
        inputs=("swaps",),
        absent="No swap has been seen yet.",
        low=0,
        high=MOST_RATIO,
    ),
    Feature(
        "touched_pools",
        "pools",
        "Pools that the block changed.",
        inputs=("touched",),
        low=0,
        high=MOST_COUNT,
    ),
    Feature(
        "touch_rate",
        "pools per block",
        f"Mean of touched_pools, half-life {TOUCH_HALF_LIFE} blocks.",
        TOUCH_HALF_LIFE,
        inputs=("touched",),
        low=0,
        high=MOST_COUNT,
    ),
    Feature(
        "stalest_seconds",
        "seconds",
        "Longest time since a change among the pools that have changed.",
        inputs=("timestamp", "touched"),
        absent="No block has changed a pool yet.",
        low=0,
        high=MOST_SECONDS,
    ),
)


class ArrivalGroup:
    """Intensities of swaps and of changes of pools."""

    def __init__(self) -> None:
        self._swaps: tuple[float | None, ...] = (None,) * len(STEPS)
        self._touches: float | None = None
        # pool ids in order of their last change, with the time of it
        self._changed: dict[str, int] = {}

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        now, touched = observed.block.header.timestamp, observed.touched
        self._swaps = follow_all(self._swaps, float(observed.trades.swaps), STEPS)
        self._touches = follow(self._touches, float(len(touched)), TOUCH_STEP)
        if touched:
            changed = self._changed.copy()
            for pool_id in touched:
                # taken out first: what has changed last stands last
                changed.pop(pool_id, None)
                changed[pool_id] = now
            self._changed = changed
        short, long = self._swaps[0], self._swaps[-1]
        return (
            *self._swaps,
            short / long if short is not None and long else None,
            float(len(touched)),
            self._touches,
            float(now - next(iter(self._changed.values()))) if self._changed else None,
        )
