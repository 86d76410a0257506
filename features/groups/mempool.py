"""Mempool: what is about to be traded in the followed pools."""

from __future__ import annotations

from features.feature import Feature
from features.groups.flow import WEI_PER_ETHER
from features.groups.group import Observed
from features.groups.limits import MOST_ETHER, MOST_PENDING, MOST_RATIO
from features.groups.means import follow, step_of

HALF_LIFE = 10
STEP = step_of(HALF_LIFE)
_PENDING = ("pending_swaps",)
_NONE = "Nobody listens to a mempool here; recordings have none."

FEATURES = (
    Feature(
        "pending_swaps",
        "transactions",
        "Pending transactions that would swap in a followed pool.",
        inputs=_PENDING,
        absent=_NONE,
        low=0,
        high=MOST_PENDING,
    ),
    Feature(
        "pending_flow",
        "ether",
        "WETH that they would pay into pools, less WETH that they would take out.",
        inputs=("pending_net_ether",),
        absent=_NONE,
        low=-MOST_ETHER,
        high=MOST_ETHER,
    ),
    Feature(
        "pending_pressure",
        "ratio",
        f"pending_swaps over its mean, half-life {HALF_LIFE} blocks.",
        HALF_LIFE,
        inputs=_PENDING,
        absent=_NONE + " Or nothing has been pending yet.",
        low=0,
        high=MOST_RATIO,
    ),
)


class MempoolGroup:
    """Pressure of pending swaps."""

    def __init__(self) -> None:
        self._mean: float | None = None

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        pending = observed.pending
        if pending is None:
            return None, None, None
        self._mean = follow(self._mean, float(pending.swaps), STEP)
        return (
            float(pending.swaps),
            (pending.weth_in - pending.weth_out) / WEI_PER_ETHER,
            pending.swaps / self._mean if self._mean else None,
        )
