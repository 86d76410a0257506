"""Gap of the two WETH/USDC pools, and price of the cheaper one, one and five slots ahead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.targets.baselines import LAST_ROWS
from models.targets.candles import Candles, read_closed_candles
from models.targets.making import split, stacked
from models.targets.past import Floats, Integers, ahead, ew_mean, lag, rolling_mean
from models.targets.slot_paths import (
    PPM,
    exchange_features,
    gap_features,
    path_features,
    pool_path,
    slots_of,
)
from models.targets.swaps import Swaps, read_april_swaps, read_day_swaps, read_october_swaps
from models.targets.table import Kind, TargetTable

HORIZONS = (1, 5)
_LONG_ROWS = 300


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Consecutive slots of one recording: what was known at the end of each.

    Parameters
    ----------
    slots
        ``int64[slot]``.
    names, values
        Features, ``float64[slot, feature]``.
    level
        What is forecast, in ppm.
    means
        What it may return to, in ppm, by name.
    """

    slots: Integers
    names: tuple[str, ...]
    values: Floats
    level: Floats
    means: dict[str, Floats]


def build(root: Path) -> Iterator[TargetTable]:
    """Yield the tables of gaps and prices, learnt from older recordings and judged on 2024-01-05.

    Raises
    ------
    InputError
        If a file is missing or not what it should be.
    """
    candles = read_closed_candles(root, "ETHUSDT")
    october, april, day = read_october_swaps(root), read_april_swaps(root), read_day_swaps(root)
    older, newer = gap_piece(april, candles), gap_piece(day, candles)
    prices = [price_piece(swaps, candles) for swaps in (october, april, day)]
    for horizon in HORIZONS:
        yield joined(
            f"usdc_gap_{horizon}", horizon, (older, newer), len(older.slots), "April 2023, 2024-01-05"
        )
    yield joined("tier_gap_5", 5, (older,), split(len(older.slots)), "April 2023")
    first = len(prices[0].slots) + len(prices[1].slots)
    yield joined("pool_price_5", 5, prices, first, "October 2022, April 2023, 2024-01-05")


def gap_piece(swaps: Swaps, candles: Candles) -> Piece:
    """Return the gap of the pools at the end of each slot, from the first where both have a price."""
    slots = slots_of(swaps)
    cheap, dear = pool_path(swaps, slots, cheap=True), pool_path(swaps, slots, cheap=False)
    first = _first_known(cheap.log_price, dear.log_price)
    slots, cheap, dear = slots[first:], cheap.since(first), dear.since(first)
    gap = (cheap.log_price - dear.log_price) * PPM
    names, values = stacked(
        exchange_features(cheap, slots, candles) | path_features(cheap) | gap_features(gap, dear)
    )
    means = {
        "zero": np.zeros(len(gap)),
        f"mean_{LAST_ROWS}": rolling_mean(gap, LAST_ROWS),
        f"mean_{_LONG_ROWS}": rolling_mean(gap, _LONG_ROWS),
    }
    return Piece(slots, names, values, gap, means)


def price_piece(swaps: Swaps, candles: Candles) -> Piece:
    """Return the logarithmic price of the pool of 0.05 % at the end of each slot, in ppm."""
    slots = slots_of(swaps)
    path = pool_path(swaps, slots, cheap=True)
    first = _first_known(path.log_price)
    slots, path = slots[first:], path.since(first)
    features = exchange_features(path, slots, candles)
    names, values = stacked(features | path_features(path))
    price = path.log_price * PPM
    gap = features["exchange_gap"]
    means = {
        f"mean_{LAST_ROWS}": rolling_mean(price, LAST_ROWS),
        "trend": 2 * price - lag(price, HORIZONS[-1]),
        # the exchange's last close, less the gap that is usual
        "exchange": price + gap - ew_mean(gap, _LONG_ROWS),
    }
    return Piece(slots, names, values, price, means)


def joined(name: str, horizon: int, pieces: Sequence[Piece], first_judged: int, source: str) -> TargetTable:
    """Return the change of a level over the horizon, pieces one after the other.

    The last rows of a piece look past its end: their labels never come.
    """
    slots = np.concatenate([piece.slots for piece in pieces])
    baselines = {
        mean: np.concatenate([piece.means[mean] - piece.level for piece in pieces])
        for mean in pieces[0].means
    }
    return TargetTable(
        name=name,
        unit="ppm",
        horizon=f"{horizon} slot" + "s" * (horizon > 1),
        kind=Kind.NUMBER,
        names=pieces[0].names,
        values=np.concatenate([piece.values for piece in pieces]),
        label=np.concatenate([ahead(piece.level, horizon) - piece.level for piece in pieces]),
        issued=slots,
        known=slots + horizon,
        baselines={"persistence": np.zeros(len(slots)), **baselines},
        first_judged=first_judged,
        source=f"v3 swaps of {source}, binance_1m",
    )


def _first_known(*prices: Floats) -> int:
    return int(np.argmax(np.isfinite(np.sum(prices, axis=0))))
