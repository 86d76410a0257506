"""What a report is made of. Frozen; filled by the pipeline, drawn by :mod:`analysis.plots`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.reasons import Reason
from execution.command import Settlement

if TYPE_CHECKING:  # it is made of records itself
    from analysis.live_models import LiveComparison

WEI_PER_ETH = 10**18


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers over blocks.

    Parameters
    ----------
    name
        Shown in the legend, for example a pool's venue and fee.
    unit
        Unit of ``values``, for example ``DAI per WETH`` or ``ppm``.
    blocks, values
        Same length; heights ascending.

    Raises
    ------
    ValueError
        If the lengths differ.
    """

    name: str
    unit: str
    blocks: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.blocks) != len(self.values):
            raise ValueError(f"series {self.name}: {len(self.blocks)} blocks, {len(self.values)} values")


@dataclass(frozen=True, slots=True)
class SettledBid:
    """A settlement beside what was at stake.

    Parameters
    ----------
    settlement
        What became of the bundle.
    gross
        Wei: gross profit of the opportunity, before gas and bid.
    rival_bid
        Wei: best bid of anybody else for the same block, ``None`` if none was seen.
    """

    settlement: Settlement
    gross: int
    rival_bid: int | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Coverage of intervals as served, and the forecasts themselves.

    Parameters
    ----------
    model
        Name and version of the model that served.
    unit
        Unit of truth, value and bounds.
    nominal, empirical
        Coverage aimed at and share of truths inside, same length.
    blocks, truth, value, lower, upper
        One entry per forecast whose truth is known, same length.
    """

    model: str
    unit: str
    nominal: tuple[float, ...]
    empirical: tuple[float, ...]
    blocks: tuple[int, ...]
    truth: tuple[float, ...]
    value: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DriftAlarm:
    """First alarm of a feature.

    Parameters
    ----------
    block_number, detector, detail
        When, by which detector, and what was seen.
    reason
        The code.
    """

    block_number: int
    detector: str
    detail: str
    reason: Reason = Reason.FEATURE_DRIFT


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything a report draws; empty parts are allowed and say so in the report.

    Parameters
    ----------
    prices
        Pair, for example ``WETH/DAI``, to one series per pool.
    gaps
        Per pair: relative distance between its dearest and cheapest pool.
    bids
        Every settled bundle.
    calibrations
        One per place where forecasts met their truth.
    latencies_us
        Microseconds from event to signed bytes, one per bundle.
    refusals
        How often each reason was given.
    live_models
        Models that went on learning beside the champion; ``None`` if none did.
    drift
        First alarm of each feature that had one.
    """

    prices: Mapping[str, tuple[Series, ...]] = field(default_factory=dict)
    gaps: tuple[Series, ...] = ()
    bids: tuple[SettledBid, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    latencies_us: tuple[float, ...] = ()
    refusals: Mapping[Reason, int] = field(default_factory=dict)
    live_models: LiveComparison | None = None
    drift: Mapping[str, DriftAlarm] = field(default_factory=dict)
