"""Competition: what block builders pay, and how concentrated building is."""

from __future__ import annotations

import math

from features.feature import Feature
from features.groups.group import Observed
from features.groups.limits import MOST_LOG

BUILDER_WINDOW = 100
BID_HALF_LIFE = 12
_WEI_PER_ETHER = 10**18
_BID_FLOOR = 1e-6
LOG_FLOOR = math.log(_BID_FLOOR)
_BID = ("winning_bid_ether",)
_NO_BID = "Nobody recorded the winning bid."

FEATURES = (
    Feature(
        "winning_bid_log",
        "log ether",
        "Log of what the builder paid its proposer.",
        null=-3.0,
        inputs=_BID,
        absent=_NO_BID,
        low=LOG_FLOOR,
        high=MOST_LOG,
    ),
    Feature(
        "winning_bid_mean",
        "log ether",
        f"Mean of winning_bid_log, half-life {BID_HALF_LIFE} known bids.",
        BID_HALF_LIFE,
        null=-3.0,
        inputs=_BID,
        absent="No winning bid has been recorded yet.",
        low=LOG_FLOOR,
        high=MOST_LOG,
    ),
    Feature(
        "builder_share",
        "ratio",
        f"Share of the last {BUILDER_WINDOW} blocks that came from this block's builder.",
        BUILDER_WINDOW,
        inputs=("builder",),
        absent="Nobody recorded the block's builder.",
        low=0,
        high=1,
    ),
)


def log_bid(ether: float) -> float:
    """Return the log of a bid; one of nothing counts as a millionth of an ether."""
    return math.log(max(ether, _BID_FLOOR))


class CompetitionGroup:
    """Winning bids and builders."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._builders: tuple[str | None, ...] = ()

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        paid, builder = observed.context.winning_bid, observed.context.builder
        bid = None if paid is None else log_bid(paid / _WEI_PER_ETHER)
        if bid is not None:
            step = 1 - 0.5 ** (1 / BID_HALF_LIFE)
            self._mean = bid if self._mean is None else self._mean + step * (bid - self._mean)
        self._builders = (builder, *self._builders[: BUILDER_WINDOW - 1])
        share = None if builder is None else self._builders.count(builder) / len(self._builders)
        return bid, self._mean, share
