"""Volatility of the reference price at several horizons, and its drift."""

from __future__ import annotations

import math

from features.feature import Feature
from features.groups.group import Observed
from features.groups.limits import MOST_PPM, MOST_RATIO
from features.groups.means import follow, follow_all, step_of
from features.groups.prices import PPM

HALF_LIVES = (3, 12, 50, 200)
STEPS = tuple(map(step_of, HALF_LIVES))
TREND_HALF_LIFE = 12
TREND_STEP = step_of(TREND_HALF_LIFE)
_MOVE = ("move",)
_NONE = "No WETH/USDC pool has had a price before and after a block."

FEATURES = (
    *(
        Feature(
            f"volatility_ew_{life}",
            "ppm",
            f"Root mean squared move of the deepest WETH/USDC pool per block, half-life {life} blocks.",
            life,
            inputs=_MOVE,
            absent=_NONE,
            low=0,
            high=MOST_PPM,
        )
        for life in HALF_LIVES
    ),
    Feature(
        "volatility_ratio",
        "ratio",
        f"volatility_ew_{HALF_LIVES[0]} over volatility_ew_{HALF_LIVES[-1]}.",
        HALF_LIVES[-1],
        inputs=_MOVE,
        absent="The price has not moved yet.",
        low=0,
        high=MOST_RATIO,
    ),
    Feature(
        "trend",
        "ppm",
        f"Mean move of that pool's log price per block, half-life {TREND_HALF_LIFE} blocks.",
        TREND_HALF_LIFE,
        inputs=_MOVE,
        absent=_NONE,
        low=-MOST_PPM,
        high=MOST_PPM,
    ),
)


class VolatilityGroup:
    """Exponentially weighted realised volatility."""

    def __init__(self) -> None:
        self._squares: tuple[float | None, ...] = (None,) * len(STEPS)
        self._trend: float | None = None

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        move = observed.move
        if move is not None:
            self._squares = follow_all(self._squares, move * move, STEPS)
            self._trend = follow(self._trend, move, TREND_STEP)
        roots = [None if square is None else math.sqrt(square) * PPM for square in self._squares]
        short, long = roots[0], roots[-1]
        ratio = short / long if short is not None and long else None
        return *roots, ratio, None if self._trend is None else self._trend * PPM
