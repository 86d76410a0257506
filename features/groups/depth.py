"""Depth: how much ether stands around the pools' prices, and on which side of the mean price."""

from __future__ import annotations

import math
from collections.abc import Iterable

from features.feature import Feature
from features.groups.flow import WEI_PER_ETHER
from features.groups.group import Observed
from features.groups.limits import MOST_LOG
from features.groups.means import follow, step_of

DEPTH_HALF_LIFE = 50
STEP = step_of(DEPTH_HALF_LIFE)
_DEPTH = ("depths",)
_NONE = "No pool with WETH has a known depth."

FEATURES = (
    Feature(
        "depth_log",
        "log ether",
        "Log of the WETH around the prices of all pools that hold it.",
        inputs=_DEPTH,
        absent=_NONE,
        low=-MOST_LOG,
        high=MOST_LOG,
    ),
    Feature(
        "depth_top_share",
        "ratio",
        "Share of the deepest pool in that depth.",
        inputs=_DEPTH,
        absent=_NONE,
        low=0,
        high=1,
    ),
    Feature(
        "depth_change",
        "log ratio",
        f"depth_log less its mean, half-life {DEPTH_HALF_LIFE} blocks.",
        DEPTH_HALF_LIFE,
        inputs=_DEPTH,
        absent=_NONE,
        low=-MOST_LOG,
        high=MOST_LOG,
    ),
    Feature(
        "depth_imbalance",
        "ratio",
        "Depth of WETH/USDC pools above the depth-weighted mean log price less depth below it, over both.",
        inputs=("depths", "quotes"),
        absent="No WETH/USDC pool has a price and a known depth.",
        low=-1,
        high=1,
    ),
)


class DepthGroup:
    """Depth of pools and its imbalance over the prices of one pair."""

    def __init__(self) -> None:
        self._mean: float | None = None

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        total = _total(observed.depths.values())
        imbalance = _imbalance(
            [
                (depth, observed.reference[pool_id])
                for pool_id, depth in observed.depths.items()
                if pool_id in observed.reference
            ]
        )
        if total <= 0:
            return None, None, None, imbalance
        log = math.log(total / WEI_PER_ETHER)
        self._mean = follow(self._mean, log, STEP)
        assert self._mean is not None
        return log, max(observed.depths.values()) / total, log - self._mean, imbalance


def _total(depths: Iterable[float]) -> float:
    # one after the other, as the batch path does: Python's own sum rounds differently from 3.12 on
    total = 0.0
    for depth in depths:
        total += depth
    return total


def _imbalance(pools: list[tuple[float, float]]) -> float | None:
    """Return the imbalance of (depth, log price) in the order of pool ids."""
    if not pools:
        return None
    total, weighted = 0.0, 0.0
    for depth, price in pools:
        total += depth
        weighted += depth * price
    mean = weighted / total
    above, below = 0.0, 0.0
    for depth, price in pools:
        if price > mean:
            above += depth
        elif price < mean:
            below += depth
    return (above - below) / total
