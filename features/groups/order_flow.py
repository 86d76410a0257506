"""Order flow: how one-sided trading is, in this block and over the last ones."""

from __future__ import annotations

import math

from features.feature import Feature
from features.groups.flow import WEI_PER_ETHER
from features.groups.group import Observed
from features.groups.limits import MOST_LOG
from features.groups.means import follow_all, step_of

HALF_LIVES = (5, 30)
STEPS = tuple(map(step_of, HALF_LIVES))

FEATURES = (
    Feature(
        "gross_flow_log",
        "log ether",
        "Log of one plus the WETH paid into and out of pools in the block.",
        inputs=("gross_ether",),
        low=0,
        high=MOST_LOG,
    ),
    Feature(
        "flow_imbalance",
        "ratio",
        "WETH paid in less WETH paid out, over both, in the block.",
        inputs=("net_ether", "gross_ether"),
        absent="No WETH was traded in the block.",
        low=-1,
        high=1,
    ),
    *(
        Feature(
            f"flow_imbalance_{life}",
            "ratio",
            f"Mean of the net WETH flow over the mean of the gross flow, half-life {life} blocks.",
            life,
            inputs=("net_ether", "gross_ether"),
            absent="No WETH has been traded yet.",
            low=-1.000001,
            high=1.000001,
        )
        for life in HALF_LIVES
    ),
)


class OrderFlowGroup:
    """Imbalance of the WETH flow."""

    def __init__(self) -> None:
        self._net: tuple[float | None, ...] = (None,) * len(STEPS)
        self._gross: tuple[float | None, ...] = (None,) * len(STEPS)

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        trades = observed.trades
        net = (trades.paid_in - trades.paid_out) / WEI_PER_ETHER
        gross = (trades.paid_in + trades.paid_out) / WEI_PER_ETHER
        self._net = follow_all(self._net, net, STEPS)
        self._gross = follow_all(self._gross, gross, STEPS)
        return (
            math.log1p(gross),
            net / gross if gross else None,
            *(
                part / whole if part is not None and whole else None
                for part, whole in zip(self._net, self._gross, strict=True)
            ),
        )
