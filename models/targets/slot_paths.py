"""Swaps on a grid of slots: what the pools look like at the end of each slot, and what moved them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.targets.candles import Candles
from models.targets.past import Floats, Integers, carried, ew_mean, lag
from models.targets.swaps import Swaps

PPM = 1e6
GENESIS_SECONDS = 1_606_824_023
SLOT_SECONDS = 12
ARBITRAGE_COST = 3500.0
"""Ppm: the fees of both pools."""

_OLDEST = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class PoolPath:
    """One pool over consecutive slots, arrays of one length.

    Parameters
    ----------
    log_price
        After the last swap up to the slot's end; NaN before the first.
    age
        Slots since then.
    flow, count
        Ether the pool took in, and swaps, in the slot.
    """

    log_price: Floats
    age: Floats
    flow: Floats
    count: Floats

    def since(self, slot: int) -> PoolPath:
        """Return the path from a place on."""
        return PoolPath(self.log_price[slot:], self.age[slot:], self.flow[slot:], self.count[slot:])


def slots_of(swaps: Swaps) -> Integers:
    """Return the slots from the first swap to the last."""
    slot = (swaps.time - GENESIS_SECONDS) // SLOT_SECONDS
    return np.arange(slot.min(), slot.max() + 1)


def pool_path(swaps: Swaps, slots: Integers, *, cheap: bool) -> PoolPath:
    """Return one pool's path over slots."""
    chosen = swaps.cheap == cheap
    at = (swaps.time[chosen] - GENESIS_SECONDS) // SLOT_SECONDS - slots[0]
    last = np.full(len(slots), np.nan)
    # the last assignment to a place stays: swaps come in order
    last[at] = swaps.log_price[chosen]
    place = np.where(np.isnan(last), np.nan, np.arange(len(slots)))
    return PoolPath(
        log_price=carried(last, np.nan),
        age=np.minimum(np.arange(len(slots)) - carried(place, np.nan), _OLDEST),
        flow=np.bincount(at, swaps.ether[chosen], len(slots)).astype(np.float64),
        count=np.bincount(at, minlength=len(slots)).astype(np.float64),
    )


def exchange_features(path: PoolPath, slots: Integers, candles: Candles) -> dict[str, Floats]:
    """Return the gap between a pool and the newest closed candle in ppm, and how old that candle is."""
    time = slots * SLOT_SECONDS + GENESIS_SECONDS
    at = candles.newest(time)
    exchange = np.log(candles.close) * PPM
    price = path.log_price * PPM
    age = time - candles.close_time[at]
    # compare like with like: the pool as it was when the candle closed
    then = np.maximum(np.arange(len(slots)) - np.clip(age // SLOT_SECONDS, 0, 10), 0)
    at_close = exchange[at] - price[then]
    basis = exchange[at] - price
    return {
        "exchange_gap": basis,
        "exchange_gap_over_mean": basis - ew_mean(basis, 300),
        "exchange_gap_at_close": at_close,
        "exchange_gap_at_close_over_mean": at_close - ew_mean(at_close, 150),
        "pool_move_since_close": price - price[then],
        "candle_age": age.astype(np.float64),
        "exchange_move_1m": exchange[at] - exchange[np.maximum(at - 1, 0)],
        "exchange_move_5m": exchange[at] - exchange[np.maximum(at - 5, 0)],
    }


def path_features(path: PoolPath) -> dict[str, Floats]:
    """Return a pool's moves and volatility in ppm, order flow in ether, and arrivals."""
    price = path.log_price * PPM
    squared = np.diff(price, prepend=price[0]) ** 2
    return {
        **{f"move_{back}": price - lag(price, back) for back in (1, 2, 5, 25)},
        **{f"volatility_{life}": np.sqrt(ew_mean(squared, life)) for life in (5, 25, 100)},
        "flow": path.flow,
        **{f"flow_mean_{life}": ew_mean(path.flow, life) for life in (2, 10, 50)},
        "swaps_mean_25": ew_mean(path.count, 25),
        "age": path.age,
    }


def gap_features(gap: Floats, other: PoolPath) -> dict[str, Floats]:
    """Return the gap of two pools in ppm, how it came about, and the other pool's state."""
    return {
        "gap": gap,
        "gap_size": np.abs(gap),
        "gap_over_cost": np.sign(gap) * np.maximum(np.abs(gap) - (ARBITRAGE_COST - 500.0), 0),
        **{f"gap_change_{back}": gap - lag(gap, back) for back in (1, 2, 5, 25)},
        **{f"gap_over_mean_{life}": gap - ew_mean(gap, life) for life in (50, 300)},
        "other_age": other.age,
        "other_flow_mean_5": ew_mean(other.flow, 5),
    }
