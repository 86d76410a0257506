"""Flow: who trades how much, and how much the deepest pool's price moves."""

from __future__ import annotations

import math

from features.feature import Feature
from features.groups.group import Observed
from features.groups.limits import MOST_COUNT, MOST_ETHER, MOST_PPM, MOST_SECONDS
from features.groups.prices import PPM

VOLATILITY_WINDOWS = (5, 20, 100)
WEI_PER_ETHER = 10**18

FEATURES = (
    Feature(
        "swap_count",
        "swaps",
        "Swaps in the block.",
        inputs=("swaps",),
        low=0,
        high=MOST_COUNT,
    ),
    Feature(
        "signed_flow",
        "ether",
        "WETH paid into pools minus WETH taken out, in the block.",
        inputs=("net_ether",),
        low=-MOST_ETHER,
        high=MOST_ETHER,
    ),
    Feature(
        "seconds_since_touch",
        "seconds",
        "Time since the last block that changed a pool.",
        inputs=("timestamp", "touched"),
        absent="No block has changed a pool yet.",
        low=0,
        high=MOST_SECONDS,
    ),
    *(
        Feature(
            f"volatility_{window}",
            "ppm",
            f"Realised volatility per block of the deepest WETH/USDC pool, {window} blocks.",
            window,
            inputs=("move",),
            absent="No WETH/USDC pool has had a price before and after a block.",
            low=0,
            high=MOST_PPM,
        )
        for window in VOLATILITY_WINDOWS
    ),
)


class FlowGroup:
    """Swaps, net WETH flow and realised volatility."""

    def __init__(self) -> None:
        self._touched_at: int | None = None
        self._squares: tuple[float, ...] = ()

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        timestamp, trades = observed.block.header.timestamp, observed.trades
        if observed.touched:
            self._touched_at = timestamp
        if observed.move is not None:
            self._squares = (observed.move * observed.move, *self._squares[: max(VOLATILITY_WINDOWS) - 1])
        seen = len(self._squares)
        return (
            float(trades.swaps),
            (trades.paid_in - trades.paid_out) / WEI_PER_ETHER,
            None if self._touched_at is None else float(timestamp - self._touched_at),
            *(
                math.sqrt(math.fsum(self._squares[:window]) / min(seen, window)) * PPM if seen else None
                for window in VOLATILITY_WINDOWS
            ),
        )
