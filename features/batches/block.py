"""Batch columns of the set ``block``, group by group."""

from __future__ import annotations

import math

import numpy as np

from features.batches.arrays import (
    Floats,
    before,
    each,
    each_run,
    earlier_known,
    known,
    last_known,
    logs,
    ratio,
    since,
)
from features.batches.kernels import builder_windows, exact_sums, exact_window_sums, follow, gaps
from features.facts import FactColumns
from features.groups import calendar, competition, flow, gas
from features.groups.means import step_of
from features.groups.prices import PPM


def gas_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.gas`."""
    # Python's quotient of integers is rounded once; NumPy's would round a large fee first
    fee = np.array([value / gas.WEI_PER_GWEI for value in facts["base_fee"].tolist()])
    child_fee = np.array([value / gas.WEI_PER_GWEI for value in facts["next_base_fee"].tolist()])
    log_fee, log_child = logs(fee), logs(child_fee)
    used = ratio(facts["gas_used"].astype(np.float64), facts["gas_limit"].astype(np.float64))
    interval = before_difference(facts)
    return [
        fee,
        child_fee,
        log_fee,
        used,
        *(earlier_known(used, lag) for lag in gas.LAGS),
        *(follow(used, step) for step in gas.STEPS),
        *(log_child - follow(log_fee, step) for step in gas.STEPS),
        _full_share(used),
        interval,
        before(interval),
    ]


def before_difference(facts: FactColumns) -> Floats:
    """Return seconds since the parent block."""
    times = facts["timestamp"]
    return np.concatenate(([np.nan], np.diff(times).astype(np.float64))) if len(times) else np.zeros(0)


def calendar_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.calendar`."""
    now = facts["timestamp"]
    angle = 2 * math.pi * (now % calendar.DAY_SECONDS) / calendar.DAY_SECONDS
    turns = [
        ((now + calendar.SLOT_SECONDS) // period > now // period).astype(np.float64)
        for period in calendar.TURNS
    ]
    return [each(math.sin, angle), each(math.cos, angle), *turns]


def competition_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.competition`."""
    bid = each(competition.log_bid, facts["winning_bid_ether"])
    builders = facts["builder"]
    own = builder_windows(builders, competition.BUILDER_WINDOW, facts.builders)[0]
    seen = np.minimum(np.arange(1, len(own) + 1), competition.BUILDER_WINDOW)
    step = step_of(competition.BID_HALF_LIFE)
    return [bid, follow(bid, step), known(own / seen, builders >= 0)]


def gap_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.gaps`."""
    return list(gaps(facts.quotes, facts.pair_of, facts.pool_of))


def flow_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.flow`."""
    return [
        facts["swaps"].astype(np.float64),
        facts["net_ether"],
        since(facts["timestamp"], np.any(facts.touched, axis=1)),
        *(_volatility(facts["move"], window) for window in flow.VOLATILITY_WINDOWS),
    ]


def cex_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.cex`."""
    age = (facts["timestamp"] - facts["candle_time"]).astype(np.float64)
    return [cex_gap(facts), known(age, ~np.isnan(facts["candle_close"]))]


def cex_gap(facts: FactColumns) -> Floats:
    """Return the gap of the reference pair to the last candle, ppm."""
    quotes, closes = facts.quotes[:, facts.reference], facts["candle_close"]
    counts = (~np.isnan(quotes)).sum(axis=1)
    rows = np.flatnonzero((counts > 0) & ~np.isnan(closes))
    # most blocks leave the prices as they were
    fresh = np.ones(len(rows), dtype=np.bool_)
    fresh[1:] = (
        (quotes[rows[1:]] != quotes[rows[:-1]]) & ~(np.isnan(quotes[rows[1:]]) & np.isnan(quotes[rows[:-1]]))
    ).any(axis=1)
    chosen = quotes[rows[fresh]]
    present = ~np.isnan(chosen)
    sums = exact_sums(chosen[present], np.cumsum(present.sum(axis=1)))
    price = facts.scale.sign * sums[np.cumsum(fresh) - 1] / counts[rows] + facts.scale.shift
    result = np.full(len(facts), np.nan)
    result[rows] = (price - each_run(math.log, closes[rows])) * PPM
    return result


def _full_share(used: Floats) -> Floats:
    present = ~np.isnan(used)
    full = np.concatenate(([0], np.cumsum(used[present] > gas.FULL)))
    ends = np.arange(1, len(full))
    starts = np.maximum(ends - gas.FULL_WINDOW, 0)
    result = np.full(len(used), np.nan)
    result[present] = (full[ends] - full[starts]) / (ends - starts)
    return last_known(result)


def _volatility(moves: Floats, window: int) -> Floats:
    present = ~np.isnan(moves)
    squares = moves[present] * moves[present]
    seen = np.minimum(np.arange(1, len(squares) + 1), window)
    result = np.full(len(moves), np.nan)
    result[present] = np.sqrt(exact_window_sums(squares, window) / seen) * PPM
    return last_known(result)
