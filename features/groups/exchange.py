"""Exchange: the last closed candle, and how the pools' gap to it moves."""

from __future__ import annotations

import math

from features.feature import Feature
from features.groups.cex import NO_CANDLE, DollarScale
from features.groups.group import Observed
from features.groups.limits import MOST_LOG, MOST_PPM
from features.groups.means import follow, step_of
from features.groups.prices import PPM

HALF_LIFE = 20
STEP = step_of(HALF_LIFE)
_GAP = ("quotes", "candle_close")
_NO_GAP = "No candle has closed, or no WETH/USDC pool has a price."

FEATURES = (
    Feature(
        "candle_return_ppm",
        "ppm",
        "Log of the candle's close over its open.",
        inputs=("candle_open", "candle_close"),
        absent=NO_CANDLE,
        low=-MOST_PPM,
        high=MOST_PPM,
    ),
    Feature(
        "candle_range_ppm",
        "ppm",
        "Log of the candle's high over its low.",
        inputs=("candle_high", "candle_low"),
        absent=NO_CANDLE,
        low=-MOST_PPM,
        high=MOST_PPM,
    ),
    Feature(
        "candle_volume_log",
        "log units",
        "Log of one plus the candle's volume in base units.",
        inputs=("candle_volume",),
        absent=NO_CANDLE,
        low=0,
        high=MOST_LOG,
    ),
    Feature(
        "cex_dex_gap_change",
        "ppm",
        "cex_dex_gap_ppm less the one that was known last.",
        1,
        inputs=_GAP,
        absent=_NO_GAP,
        low=-MOST_PPM,
        high=MOST_PPM,
    ),
    Feature(
        "cex_dex_gap_mean",
        "ppm",
        f"Mean of cex_dex_gap_ppm, half-life {HALF_LIFE} blocks.",
        HALF_LIFE,
        inputs=_GAP,
        absent="No gap has been known yet.",
        low=-MOST_PPM,
        high=MOST_PPM,
    ),
)


class ExchangeGroup:
    """Shape of the last candle, and history of the gap."""

    def __init__(self, scale: DollarScale) -> None:
        self._scale = scale
        self._last: float | None = None
        self._mean: float | None = None

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        candle = observed.context.candle
        if candle is None:
            return None, None, None, None, self._mean
        change = None
        if observed.reference:
            gap = self._scale.gap_ppm(observed.reference.values(), candle.close)
            change = None if self._last is None else gap - self._last
            self._last, self._mean = gap, follow(self._mean, gap, STEP)
        return (
            (math.log(candle.close) - math.log(candle.open)) * PPM,
            (math.log(candle.high) - math.log(candle.low)) * PPM,
            math.log1p(candle.volume),
            change,
            self._mean,
        )
