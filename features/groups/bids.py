"""Bids: the recent history of winning bids, and of this block's builder."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from features.feature import Feature
from features.groups.competition import LOG_FLOOR, log_bid
from features.groups.flow import WEI_PER_ETHER
from features.groups.group import Observed
from features.groups.limits import MOST_BLOCKS, MOST_LOG
from features.groups.means import follow, step_of

WINDOW = 20
HALF_LIFE = 20
STEP = step_of(HALF_LIFE)
_BID = ("winning_bid_ether",)
_NONE = "No winning bid has been recorded yet."

FEATURES = (
    Feature(
        "winning_bid_lag1",
        "log ether",
        "Log of the known winning bid before this block's.",
        1,
        null=-3.0,
        inputs=_BID,
        absent="No earlier winning bid has been recorded.",
        low=LOG_FLOOR,
        high=MOST_LOG,
    ),
    Feature(
        "winning_bid_median",
        "log ether",
        f"Median of the log of the last {WINDOW} known winning bids.",
        WINDOW,
        null=-3.0,
        inputs=_BID,
        absent=_NONE,
        low=LOG_FLOOR,
        high=MOST_LOG,
    ),
    Feature(
        "winning_bid_spread",
        "log ratio",
        f"Mean distance of the log of a winning bid from the median before it, half-life {HALF_LIFE} bids.",
        HALF_LIFE,
        inputs=_BID,
        absent="Fewer than two winning bids have been recorded.",
        low=0,
        high=MOST_LOG,
    ),
    Feature(
        "builder_bid_mean",
        "log ether",
        f"Mean log of the winning bids of this block's builder, half-life {HALF_LIFE} bids.",
        HALF_LIFE,
        null=-3.0,
        inputs=("builder", *_BID),
        absent="The builder is not recorded, or none of its bids is.",
        low=LOG_FLOOR,
        high=MOST_LOG,
    ),
    Feature(
        "builder_blocks_since",
        "blocks",
        "Blocks since this block's builder built the one before of its own.",
        inputs=("builder",),
        absent="The builder is not recorded, or it is its first block.",
        low=1,
        high=MOST_BLOCKS,
    ),
)


class BidGroup:
    """History of winning bids, and of each builder."""

    def __init__(self) -> None:
        self._bids: tuple[float, ...] = ()
        self._median: float | None = None
        self._spread: float | None = None
        self._means: Mapping[str, float] = {}
        self._built: Mapping[str, int] = {}

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        paid, builder = observed.context.winning_bid, observed.context.builder
        bid = None if paid is None else log_bid(paid / WEI_PER_ETHER)
        before = self._bids
        if bid is not None:
            if self._median is not None:
                self._spread = follow(self._spread, abs(bid - self._median), STEP)
            self._bids = (bid, *before[: WINDOW - 1])
            self._median = median(self._bids)
        earlier = before if bid is not None else before[1:]
        return (
            earlier[0] if earlier else None,
            self._median,
            self._spread,
            *self._of_builder(builder, bid, observed.block.number),
        )

    def _of_builder(
        self, builder: str | None, bid: float | None, number: int
    ) -> tuple[float | None, float | None]:
        if builder is None:
            return None, None
        last, mean = self._built.get(builder), follow(self._means.get(builder), bid, STEP)
        self._built = {**self._built, builder: number}
        if mean is not None:
            self._means = {**self._means, builder: mean}
        return mean, None if last is None else float(number - last)
