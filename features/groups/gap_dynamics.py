"""Dynamics of the widest gap: its usual size, and how fast it returns to that."""

from __future__ import annotations

from features.feature import Feature
from features.groups.group import Observed
from features.groups.limits import MOST_PPM
from features.groups.means import follow, half_life_of, step_of

SHORT, LONG = 10, 100
SHORT_STEP, LONG_STEP = step_of(SHORT), step_of(LONG)
_QUOTES = ("quotes",)
_NONE = "No pair has had two pools with a price yet."

FEATURES = (
    Feature(
        "gap_mean_10",
        "ppm",
        f"Mean of gap_max_ppm, half-life {SHORT} blocks.",
        SHORT,
        inputs=_QUOTES,
        absent=_NONE,
        low=0,
        high=MOST_PPM,
    ),
    Feature(
        "gap_over_mean",
        "ppm",
        f"gap_max_ppm less its mean before this block, half-life {LONG} blocks.",
        LONG,
        inputs=_QUOTES,
        absent="There is no gap now, or there was none before.",
        low=-MOST_PPM,
        high=MOST_PPM,
    ),
    Feature(
        "gap_half_life",
        "blocks",
        "Blocks after which half of a deviation of gap_max_ppm from its mean is gone.",
        LONG,
        inputs=_QUOTES,
        absent="Too few gaps have been seen, or they have not changed.",
        low=0,
        high=10_000,
    ),
)


class GapDynamicsGroup:
    """Mean reversion of the widest gap."""

    def __init__(self) -> None:
        self._short: float | None = None
        self._long: float | None = None
        self._deviation: float | None = None
        self._product: float | None = None
        self._square: float | None = None

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        gap = None if observed.gaps.couple is None else observed.gaps.widest
        deviation = None if gap is None or self._long is None else gap - self._long
        if deviation is not None and self._deviation is not None:
            self._product = follow(self._product, deviation * self._deviation, LONG_STEP)
            self._square = follow(self._square, self._deviation * self._deviation, LONG_STEP)
        self._deviation = deviation
        self._short = follow(self._short, gap, SHORT_STEP)
        self._long = follow(self._long, gap, LONG_STEP)
        return self._short, deviation, half_life_of(self._product, self._square)
