"""Will an opportunity still be uncaptured after so many blocks? Recorded arbitrages and what opened them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.targets.baselines import always, last_outcome, rate_so_far, recent_rate
from models.targets.making import split, stacked
from models.targets.past import Floats, Integers, carried, ew_mean, rolling_median, seen_by
from models.targets.reading import read_columns
from models.targets.table import Kind, TargetTable

CHAINS = ("ethereum", "arbitrum")
DISTANCES = (0, 1, 3)

_MEDIAN_ROWS = 50
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Captures:
    """Arbitrages in order of what opened them, arrays of one length.

    Parameters
    ----------
    opened
        Height of the block that opened the opportunity; that of the arbitrage where it was not found.
    captured
        Height of the arbitrage.
    distance
        Blocks between; NaN where the opening was not found.
    time
        Timestamp of the opening, seconds; NaN where it was not found.
    position, gas_price
        Place in its block and gas price in gwei of the opening; NaN where it was not found.
    capture_gas_price
        Gas price of the arbitrage in gwei, known from ``captured`` on.
    """

    opened: Integers
    captured: Integers
    distance: Floats
    time: Floats
    position: Floats
    gas_price: Floats
    capture_gas_price: Floats


def build(root: Path) -> Iterator[TargetTable]:
    """Yield the tables of survival over blocks, chain by chain.

    Raises
    ------
    InputError
        If a file is missing or not what it should be.
    """
    for chain in CHAINS:
        captures = read_captures(root / f"arb_opportunities_{chain}.parquet")
        for distance in DISTANCES:
            yield survival_table(captures, chain, distance)


def read_captures(file: Path) -> Captures:
    """Read the arbitrages of one chain, the first one after each opening.

    Raises
    ------
    InputError
        If the file is missing or not what it should be.
    """
    found = ("swap_tx", "swap_block", "swap_index", "swap_gas_price", "swap_timestamp", "distance")
    columns = read_columns(file, ("arb_block", "arb_gas_price", *found), may_be_empty=found)
    opened = np.where(np.isnan(columns["swap_block"]), columns["arb_block"], columns["swap_block"])
    order = np.lexsort((columns["arb_block"], np.nan_to_num(columns["swap_index"]), opened))
    # who takes what is left after the first has taken his share opens no second opportunity
    opening = pd.Series(columns["swap_tx"][order])
    order = order[~(opening.duplicated() & opening.notna()).to_numpy()]
    return Captures(
        opened=opened[order].astype(np.int64),
        captured=columns["arb_block"][order].astype(np.int64),
        distance=columns["distance"][order].astype(np.float64),
        time=columns["swap_timestamp"][order].astype(np.float64),
        position=columns["swap_index"][order].astype(np.float64),
        gas_price=columns["swap_gas_price"][order] / 1e9,
        capture_gas_price=columns["arb_gas_price"][order] / 1e9,
    )


def survival_table(captures: Captures, chain: str, distance: int) -> TargetTable:
    """Return whether opportunities outlive ``distance`` blocks; the label is censored where nobody knows."""
    outlived = np.where(np.isnan(captures.distance), np.nan, captures.distance > distance)
    known = captures.opened + distance + 1
    past = (outlived, known, captures.opened)
    rate, recent = rate_so_far(*past), recent_rate(*past)
    names, values = stacked(_features(captures) | {"rate": rate, "recent_rate": recent})
    return TargetTable(
        name=f"survival_{chain}_{distance}",
        unit="probability",
        horizon=f"{distance} block" + "s" * (distance != 1),
        kind=Kind.PROBABILITY,
        names=names,
        values=values,
        label=outlived,
        issued=captures.opened,
        known=known,
        baselines={
            "always_90": always(len(outlived)),
            "rate": rate,
            "last_outcome": last_outcome(*past),
            "recent_rate": recent,
        },
        first_judged=split(len(outlived)),
        source=f"arb_opportunities_{chain}",
    )


def _features(captures: Captures) -> dict[str, Floats]:
    gas = np.log1p(carried(captures.gas_price, 0.0))
    time = carried(captures.time, 0.0)
    angle = time % _DAY_SECONDS / _DAY_SECONDS * 2 * np.pi
    before = _captures_before(captures)
    return {
        "log_gas_price": gas,
        "gas_price_over_median": gas - rolling_median(gas, _MEDIAN_ROWS),
        # whoever pays the builder another way shows no gas price
        "pays_gas": (gas > np.log1p(1.0)).astype(np.float64),
        "position": np.nan_to_num(captures.position, nan=-1.0),
        "gas_price_over_captors": gas - before["captors_log_gas_price"],
        **before,
        "day_sine": np.sin(angle),
        "day_cosine": np.cos(angle),
    }


def _captures_before(captures: Captures) -> dict[str, Floats]:
    """Return what captures up to the block before the opening say; zeros before the first.

    Other openings are left out: the recording holds only those that were captured later.
    """
    order = np.argsort(captures.captured, kind="stable")
    heights = captures.captured[order]
    seen = seen_by(heights, captures.opened - 1)

    def then(values: Floats) -> Floats:
        return np.concatenate([[0.0], values])[seen]

    since = captures.opened - heights[np.maximum(seen - 1, 0)]
    distance = np.log1p(carried(captures.distance[order], 0.0))
    return {
        "log_blocks_since_capture": np.where(seen > 0, np.log1p(np.maximum(since, 0)), 0.0),
        "capture_interval_mean": then(ew_mean(np.diff(heights, prepend=heights[0]).astype(np.float64), 10)),
        "captors_log_gas_price": then(ew_mean(np.log1p(captures.capture_gas_price[order]), 10)),
        "capture_distance": then(distance),
        "capture_distance_mean": then(ew_mean(distance, 10)),
    }
