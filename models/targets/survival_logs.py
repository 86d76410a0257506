"""Whether a gap that a swap has just opened is still there three swaps, the rest of the block, or a block on.

No gap above cost outlived its block on 2024-01-05, so thresholds are graded below cost, and the position
of swaps in the block is the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.targets.baselines import always, last_outcome, rate_so_far, recent_rate
from models.targets.making import split, stacked
from models.targets.past import Floats, Integers, carried, ew_mean, lag
from models.targets.slot_paths import ARBITRAGE_COST, PPM
from models.targets.swaps import Swaps, read_day_swaps
from models.targets.table import Kind, TargetTable

THRESHOLDS = (500, 1000, 1500, 2000, 2500, 3000, 3500)
"""Ppm; the last is what an arbitrage costs in fees."""

LATER_SWAPS = 3
_SOURCE = "v3_logs_mainnet of 2024-01-05"


@dataclass(frozen=True, slots=True, eq=False)
class Openings:
    """Swaps that took the gap over a threshold, in order; arrays of one length.

    Parameters
    ----------
    at
        Number of the swap.
    threshold
        Ppm.
    end, next_end
        Number of the last swap of its block, and of the next block that has one; ``next_end`` is -1 where
        the recording ends before.
    """

    at: Integers
    threshold: Floats
    end: Integers
    next_end: Integers


def build(root: Path) -> Iterator[TargetTable]:
    """Yield the tables of survival inside a block.

    Raises
    ------
    InputError
        If the file is missing or not what it should be.
    """
    return survival_tables(read_day_swaps(root))


def survival_tables(swaps: Swaps) -> Iterator[TargetTable]:
    """Yield survival for three swaps, to the block's end and over the next block, and what share remains."""
    size = gap_size(swaps)
    openings = find_openings(swaps.block, size)
    names, values = stacked(_features(swaps, size, openings))
    count = len(size)
    horizons = {
        "survival_swaps_3": (f"{LATER_SWAPS} swaps", _inside(openings.at + LATER_SWAPS, count)),
        "survival_block_end": ("end of the block", openings.end),
        "survival_next_block": ("next block with swaps", openings.next_end),
    }
    for name, (horizon, until) in horizons.items():
        came = until >= 0
        label = np.where(came, size[until] > openings.threshold, np.nan)
        yield _probability(name, horizon, names, values, label, openings, np.where(came, until, count))
    yield _share(names, values, size, openings)


def gap_size(swaps: Swaps) -> Floats:
    """Return the size of the gap after each swap, in ppm; 0 until both pools have a price."""
    cheap = carried(np.where(swaps.cheap, swaps.log_price, np.nan), np.nan)
    dear = carried(np.where(swaps.cheap, np.nan, swaps.log_price), np.nan)
    return np.nan_to_num(np.abs(cheap - dear) * PPM, nan=0.0)


def find_openings(block: Integers, size: Floats) -> Openings:
    """Return the swaps after which the gap is above a threshold that it was not above before."""
    found = [(at, level) for level in THRESHOLDS for at in _crossings(size, level)]
    found.sort()
    at = np.array([place for place, _ in found], dtype=np.int64)
    end = np.searchsorted(block, block[at], side="right") - 1
    after = np.minimum(end + 1, len(block) - 1)
    next_end = np.searchsorted(block, block[after], side="right") - 1
    next_end = np.where(end + 1 < len(block), next_end, -1)
    return Openings(at, np.array([level for _, level in found], dtype=np.float64), end, next_end)


def _crossings(size: Floats, level: float) -> list[int]:
    above = size > level
    return (np.flatnonzero(above[1:] & ~above[:-1]) + 1).tolist()


def _inside(at: Integers, count: int) -> Integers:
    return np.where(at < count, at, -1)


def _features(swaps: Swaps, size: Floats, openings: Openings) -> dict[str, Floats]:
    at = openings.at
    first = np.searchsorted(swaps.block, swaps.block[at], side="left")
    interval = np.diff(swaps.block, prepend=swaps.block[0]).astype(np.float64)
    jump = size - lag(size, 1)
    return {
        "threshold": openings.threshold,
        "gap_over_threshold": size[at] - openings.threshold,
        "gap_over_cost": size[at] - ARBITRAGE_COST,
        "jump": jump[at],
        "jump_before": lag(jump, 1)[at],
        "ether": np.abs(swaps.ether[at]),
        "in_cheap_pool": swaps.cheap[at].astype(np.float64),
        "swaps_before_in_block": (at - first).astype(np.float64),
        "blocks_since_swap": interval[at],
        "swaps_per_block_mean": ew_mean((interval == 0).astype(np.float64), 20)[at],
        "jump_mean_20": ew_mean(np.abs(jump), 20)[at],
    }


def _probability(
    name: str,
    horizon: str,
    names: tuple[str, ...],
    values: Floats,
    label: Floats,
    openings: Openings,
    until: Integers,
) -> TargetTable:
    # what holds after a swap is known when the next one comes
    known = until + 1
    rules = {"rate": rate_so_far, "last_outcome": last_outcome, "recent_rate": recent_rate}
    return TargetTable(
        name=name,
        unit="probability",
        horizon=horizon,
        kind=Kind.PROBABILITY,
        names=names,
        values=values,
        label=label,
        issued=openings.at,
        known=known,
        baselines={
            "always_90": always(len(label)),
            **{rule: _per_threshold(forecast, label, known, openings) for rule, forecast in rules.items()},
        },
        first_judged=split(len(label)),
        source=_SOURCE,
    )


def _share(names: tuple[str, ...], values: Floats, size: Floats, openings: Openings) -> TargetTable:
    share = np.minimum(size[openings.end] / size[openings.at], 1.0)
    known = openings.end + 1
    return TargetTable(
        name="gap_left_block_end",
        unit="ratio",
        horizon="end of the block",
        kind=Kind.NUMBER,
        names=names,
        values=values,
        label=share,
        issued=openings.at,
        known=known,
        baselines={
            "all": np.ones(len(share)),
            # an arbitrage takes what is above its cost and leaves the rest
            "to_cost": np.minimum(ARBITRAGE_COST / size[openings.at], 1.0),
            "mean": _per_threshold(rate_so_far, share, known, openings),
            "recent_mean": _per_threshold(recent_rate, share, known, openings),
        },
        first_judged=split(len(share)),
        source=_SOURCE,
    )


def _per_threshold(
    rule: Callable[[Floats, Integers, Integers], Floats],
    label: Floats,
    known: Integers,
    openings: Openings,
) -> Floats:
    """Return a rule's forecasts where each threshold has its own past."""
    forecast = np.empty(len(label))
    for threshold in THRESHOLDS:
        rows = openings.threshold == threshold
        forecast[rows] = rule(label[rows], known[rows], openings.at[rows])
    return forecast
