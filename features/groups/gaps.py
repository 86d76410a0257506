"""Price gaps: how far pools of one pair stand apart, and for how long."""

from __future__ import annotations

from features.feature import Feature
from features.groups.gap import Couple
from features.groups.group import Observed
from features.groups.limits import MOST_BLOCKS, MOST_PPM

_NONE = "No pair has two pools with a price."

FEATURES = (
    Feature(
        "gap_max_ppm",
        "ppm",
        "Widest log price gap between two pools of one pair.",
        inputs=("quotes",),
        absent=_NONE,
        low=0,
        high=MOST_PPM,
    ),
    Feature(
        "gap_mean_ppm",
        "ppm",
        "Mean log price gap over all couples of pools of one pair.",
        inputs=("quotes",),
        absent=_NONE,
        low=-1,
        high=MOST_PPM,
    ),
    Feature(
        "gap_age_blocks",
        "blocks",
        "Blocks since another couple of pools had the widest gap.",
        inputs=("quotes",),
        absent=_NONE,
        low=0,
        high=MOST_BLOCKS,
    ),
)


class GapGroup:
    """Gaps between pools of the same pair of tokens, before fees."""

    def __init__(self) -> None:
        self._widest: Couple | None = None
        self._age = 0

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        gaps = observed.gaps
        self._age = self._age + 1 if gaps.couple == self._widest else 0
        self._widest = gaps.couple
        if gaps.couple is None:
            return None, None, None
        return gaps.widest, gaps.mean, float(self._age)
