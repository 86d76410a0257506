"""Gas: base fee, how full blocks are, and the rhythm of blocks."""

from __future__ import annotations

import math

from chain.blocks import next_base_fee
from features.feature import Feature
from features.groups.group import Observed
from features.groups.limits import MOST_GWEI, MOST_LOG, MOST_SECONDS

WEI_PER_GWEI = 10**9
HALF_LIVES = (4, 12, 40, 150)
LAGS = (1, 2, 3)
FULL_WINDOW = 10
FULL = 0.95
_FEE = ("base_fee",)
_GAS = ("gas_used", "gas_limit")
_NO_GAS = "No gas is known: a recording of logs and times only."

FEATURES = (
    Feature(
        "base_fee_gwei",
        "gwei",
        "Base fee of the block.",
        inputs=_FEE,
        low=0,
        high=MOST_GWEI,
    ),
    Feature(
        "next_base_fee_gwei",
        "gwei",
        "Base fee of the child block, exact by EIP-1559.",
        inputs=(*_FEE, *_GAS),
        low=0,
        high=2 * MOST_GWEI,
    ),
    Feature(
        "log_base_fee",
        "log gwei",
        "Natural logarithm of the base fee.",
        inputs=_FEE,
        absent="The base fee is zero.",
        low=-MOST_LOG,
        high=MOST_LOG,
    ),
    Feature(
        "gas_used_ratio", "ratio", "Gas used over gas limit.", inputs=_GAS, absent=_NO_GAS, low=0, high=1
    ),
    *(
        Feature(
            f"gas_used_ratio_lag{lag}",
            "ratio",
            f"Gas used over gas limit, {lag} block(s) ago.",
            lag,
            inputs=_GAS,
            absent="Fewer blocks with gas have been seen.",
            low=0,
            high=1,
        )
        for lag in LAGS
    ),
    *(
        Feature(
            f"gas_used_mean_{life}",
            "ratio",
            f"Mean of gas_used_ratio, half-life {life} blocks.",
            life,
            inputs=_GAS,
            absent=_NO_GAS,
            low=0,
            high=1,
        )
        for life in HALF_LIVES
    ),
    *(
        Feature(
            f"base_fee_gap_{life}",
            "log ratio",
            f"Log of the next base fee over its geometric mean, half-life {life} blocks.",
            life,
            inputs=(*_FEE, *_GAS),
            absent="The next base fee is zero, or no base fee has been above zero yet.",
            low=-MOST_LOG,
            high=MOST_LOG,
        )
        for life in HALF_LIVES
    ),
    Feature(
        "full_block_share",
        "ratio",
        f"Share of the last {FULL_WINDOW} blocks fuller than 95 %.",
        FULL_WINDOW,
        inputs=_GAS,
        absent=_NO_GAS,
        low=0,
        high=1,
    ),
    Feature(
        "block_interval",
        "seconds",
        "Time since the parent block.",
        1,
        null=12.0,
        inputs=("timestamp",),
        absent="The first block.",
        low=0,
        high=MOST_SECONDS,
    ),
    Feature(
        "block_interval_lag1",
        "seconds",
        "block_interval of the parent block.",
        2,
        null=12.0,
        inputs=("timestamp",),
        absent="The first two blocks.",
        low=0,
        high=MOST_SECONDS,
    ),
)


class GasGroup:
    """Base fee and gas used, their lags and exponentially weighted means."""

    def __init__(self) -> None:
        self._ratios: tuple[float, ...] = ()
        self._used_means: tuple[float, ...] = ()
        self._fee_means: tuple[float, ...] = ()
        self._timestamp: int | None = None
        self._interval: float | None = None

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        header = observed.block.header
        fee = header.base_fee / WEI_PER_GWEI
        child_fee = next_base_fee(header) / WEI_PER_GWEI
        # a chain may run at a base fee of zero, where the logarithm does not exist
        log_fee = math.log(fee) if fee > 0 else None
        log_child = math.log(child_fee) if child_fee > 0 else None
        # a recording may know logs and times only, and then no gas
        ratio = header.gas_used / header.gas_limit if header.gas_limit else None
        before, last_interval = self._ratios, self._interval
        if ratio is not None:
            self._ratios = (ratio, *before[: FULL_WINDOW - 1])
            self._used_means = _follow(self._used_means, ratio)
        if log_fee is not None:
            self._fee_means = _follow(self._fee_means, log_fee)
        self._interval = None if self._timestamp is None else float(header.timestamp - self._timestamp)
        self._timestamp = header.timestamp
        return (
            fee,
            child_fee,
            log_fee,
            ratio,
            *(before[lag - 1] if len(before) >= lag else None for lag in LAGS),
            *(self._used_means or (None,) * len(HALF_LIVES)),
            *self._gaps(log_child),
            sum(value > FULL for value in self._ratios) / len(self._ratios) if self._ratios else None,
            self._interval,
            last_interval,
        )

    def _gaps(self, log_child: float | None) -> tuple[float | None, ...]:
        if log_child is None or not self._fee_means:
            return (None,) * len(HALF_LIVES)
        return tuple(log_child - mean for mean in self._fee_means)


STEPS = tuple(1 - 0.5 ** (1 / life) for life in HALF_LIVES)


def _follow(means: tuple[float, ...], value: float) -> tuple[float, ...]:
    if not means:
        return (value,) * len(STEPS)
    return tuple(mean + step * (value - mean) for mean, step in zip(means, STEPS, strict=True))
