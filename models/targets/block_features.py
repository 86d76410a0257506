"""What a block and those before it say about the next: gas, fees, bids, builders, the clock, the exchange."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.targets.baselines import exact_next_base_fee
from models.targets.block_rows import BlockRows
from models.targets.candles import Candles, market_features
from models.targets.past import Floats, carried, ew_mean, lag, rolling_deviation, rolling_median

LEAST_BID = 1e-4
"""Ether; smaller bids are as good as none, and their logarithm would rule every mean."""

_FULL, _EMPTY = 0.95, 0.2
_DAY_SECONDS = 86_400
_SLOTS_PER_EPOCH = 32
_HABIT_WEIGHT = 0.02
_EPOCH_WEIGHT = 0.05
_SLOTS_DUE = 4
_LARGE_BUILDERS = {
    "beaverbuild": "beaverbuild.org",
    "rsync": "rsync-builder.xyz",
    "titan": "Titan Builder",
    "flashbots": "Flashbots",
    "geth": "geth",
}
_FEE_HALF_LIVES = (3, 10, 30, 100, 300, 1000)


def log_bid(rows: BlockRows) -> Floats:
    """Return the logarithm of the winning bid in ether; NaN where there was none."""
    return np.log(np.maximum(rows.bid, LEAST_BID))


def next_fee_log(rows: BlockRows) -> Floats:
    """Return the logarithm of the child's base fee in wei, exact by EIP-1559."""
    fees = exact_next_base_fee(rows.base_fee, rows.gas_used, rows.gas_limit)
    return np.log(fees.astype(np.float64))


def block_features(rows: BlockRows, candles: dict[str, Candles]) -> dict[str, Floats]:
    """Return features by name, ``float64[block]``, known once the block is.

    Parameters
    ----------
    rows
        Consecutive blocks.
    candles
        By the prefix of their features.
    """
    features = _gas(rows) | _due(rows) | _fees(rows) | _bids(rows) | _builders(rows) | _clock(rows)
    for prefix, one in candles.items():
        features |= market_features(one, rows.time, prefix)
    return features


def _gas(rows: BlockRows) -> dict[str, Floats]:
    ratio = rows.gas_used / rows.gas_limit
    per_transaction = rows.gas_used / np.maximum(rows.transactions, 1)
    return {
        "gas_ratio": ratio,
        **{f"gas_ratio_lag{back}": lag(ratio, back) for back in range(1, 6)},
        **{f"gas_ratio_mean_{life}": ew_mean(ratio, life) for life in (3, 10, 50, 300)},
        "gas_ratio_deviation_20": rolling_deviation(ratio, 20),
        "full": (ratio > _FULL).astype(np.float64),
        "full_share_10": ew_mean((ratio > _FULL).astype(np.float64), 10),
        "empty_share_10": ew_mean((ratio < _EMPTY).astype(np.float64), 10),
        "transactions": rows.transactions.astype(np.float64),
        "gas_per_transaction": per_transaction,
    }


def _due(rows: BlockRows) -> dict[str, Floats]:
    """Running means of gas used at the places in the epoch that come next.

    Some of the demand keeps the epoch's clock: in this recording blocks about the 24th slot are fuller.
    """
    ratio, place = rows.gas_used / rows.gas_limit, rows.slot % _SLOTS_PER_EPOCH
    means = np.full(_SLOTS_PER_EPOCH, 0.5)
    due = np.empty((len(rows), _SLOTS_DUE))
    coming = (place[:, None] + np.arange(1, _SLOTS_DUE + 1)) % _SLOTS_PER_EPOCH
    for row in range(len(rows)):
        means[place[row]] += _EPOCH_WEIGHT * (ratio[row] - means[place[row]])
        due[row] = means[coming[row]]
    return {f"gas_ratio_due_{ahead}": due[:, ahead - 1] for ahead in range(1, _SLOTS_DUE + 1)}


def _fees(rows: BlockRows) -> dict[str, Floats]:
    child = next_fee_log(rows)
    return {
        "log_next_fee": child,
        **{f"fee_over_mean_{life}": child - ew_mean(child, life) for life in _FEE_HALF_LIVES},
        **{f"fee_change_{back}": child - lag(child, back) for back in (1, 2, 3, 5, 10)},
    }


def _bids(rows: BlockRows) -> dict[str, Floats]:
    bid = carried(log_bid(rows), np.log(LEAST_BID))
    without = np.isnan(rows.bid).astype(np.float64)
    return {
        "log_bid": bid,
        "bid_over_median_20": bid - rolling_median(bid, 20),
        "bid_over_mean_10": bid - ew_mean(bid, 10),
        "bid_over_mean_100": bid - ew_mean(bid, 100),
        "without_auction": without,
        "without_auction_share_10": ew_mean(without, 10),
        "bid_delay": np.clip(np.nan_to_num(rows.bid_delay, nan=0.0), -3.0, 4.0),
    }


def _builders(rows: BlockRows) -> dict[str, Floats]:
    gas = rows.gas_used / rows.gas_limit
    bid = carried(log_bid(rows), np.log(LEAST_BID))
    return {
        **{f"built_by_{short}": (rows.builder == name) * 1.0 for short, name in _LARGE_BUILDERS.items()},
        # a builder that fills its blocks by habit says less about demand when it fills one
        "gas_ratio_over_habit": gas - _habit(rows.builder, gas, 0.5),
        "bid_over_habit": bid - _habit(rows.builder, bid, float(bid[0])),
        "builder_share": _share(rows.builder),
    }


def _habit(builder: NDArray[Any], values: Floats, start: float) -> Floats:
    """Return each builder's running mean before the row."""
    habits: dict[str, float] = defaultdict(lambda: start)
    before = np.empty(len(values))
    for row, (name, value) in enumerate(zip(builder, values.tolist(), strict=True)):
        before[row] = habits[name]
        habits[name] += _HABIT_WEIGHT * (value - habits[name])
    return before


def _share(builder: NDArray[Any]) -> Floats:
    """Return how much of the last blocks the row's builder has built, old ones counting less."""
    shares: dict[str, tuple[int, float]] = {}
    now = np.empty(len(builder))
    for row, name in enumerate(builder):
        seen, share = shares.get(name, (row, 0.0))
        share = share * (1 - _HABIT_WEIGHT) ** (row - seen) + _HABIT_WEIGHT
        shares[name] = (row, share)
        now[row] = share
    return now


def _clock(rows: BlockRows) -> dict[str, Floats]:
    angle = rows.time % _DAY_SECONDS / _DAY_SECONDS * 2 * np.pi
    return {
        "interval": np.diff(rows.time, prepend=rows.time[0] - 12).astype(np.float64),
        "slot_in_epoch": (rows.slot % _SLOTS_PER_EPOCH).astype(np.float64),
        "day_sine": np.sin(angle),
        "day_cosine": np.cos(angle),
    }
