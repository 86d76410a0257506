"""Rivals: transactions that trade several pools at once, and how many builders share the blocks."""

from __future__ import annotations

from collections.abc import Mapping

from features.feature import Feature
from features.groups.competition import BUILDER_WINDOW
from features.groups.group import Observed
from features.groups.limits import MOST_BLOCKS, MOST_COUNT
from features.groups.means import follow_all, step_of

HALF_LIVES = (10, 100)
STEPS = tuple(map(step_of, HALF_LIVES))
_MULTI, _BUILDER = ("multi_pool",), ("builder",)
_NONE = f"No builder is recorded among the last {BUILDER_WINDOW} blocks."

FEATURES = (
    Feature(
        "multi_pool_transactions",
        "transactions",
        "Transactions in the block that swapped in two or more followed pools.",
        inputs=_MULTI,
        low=0,
        high=MOST_COUNT,
    ),
    *(
        Feature(
            f"multi_pool_rate_{life}",
            "transactions per block",
            f"Mean of multi_pool_transactions, half-life {life} blocks.",
            life,
            inputs=_MULTI,
            low=0,
            high=MOST_COUNT,
        )
        for life in HALF_LIVES
    ),
    Feature(
        "blocks_since_multi_pool",
        "blocks",
        "Blocks since the last one with such a transaction.",
        inputs=_MULTI,
        absent="No such transaction has been seen yet.",
        low=0,
        high=MOST_BLOCKS,
    ),
    Feature(
        "builder_count",
        "builders",
        f"Builders of the last {BUILDER_WINDOW} blocks.",
        BUILDER_WINDOW,
        inputs=_BUILDER,
        absent=_NONE,
        low=1,
        high=BUILDER_WINDOW,
    ),
    Feature(
        "builder_concentration",
        "ratio",
        f"Sum of the squared shares of builders in the last {BUILDER_WINDOW} blocks.",
        BUILDER_WINDOW,
        inputs=_BUILDER,
        absent=_NONE,
        low=0,
        high=1,
    ),
)


class RivalGroup:
    """Other people's arbitrage, and the concentration of building."""

    def __init__(self) -> None:
        self._rates: tuple[float | None, ...] = (None,) * len(STEPS)
        self._last: int | None = None
        self._builders: tuple[str | None, ...] = ()
        self._counts: Mapping[str, int] = {}

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        number, found = observed.block.number, observed.trades.multi_pool
        self._rates = follow_all(self._rates, float(found), STEPS)
        if found:
            self._last = number
        self._count(observed.context.builder)
        counts = self._counts
        known = sum(counts.values())
        return (
            float(found),
            *self._rates,
            None if self._last is None else float(number - self._last),
            float(len(counts)) if known else None,
            sum(count * count for count in counts.values()) / (known * known) if known else None,
        )

    def _count(self, builder: str | None) -> None:
        before, kept = self._builders, self._builders[: BUILDER_WINDOW - 1]
        self._builders = (builder, *kept)
        counts = dict(self._counts)
        for gone in before[len(kept) :]:
            if gone is not None:
                counts[gone] -= 1
                if not counts[gone]:
                    del counts[gone]
        if builder is not None:
            counts[builder] = counts.get(builder, 0) + 1
        self._counts = counts
