"""Batch columns that the set ``market`` has beyond those of ``block``, group by group."""

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
from features.batches.block import before_difference, cex_gap
from features.batches.kernels import builder_bids, builder_windows, follow, gaps
from features.facts import FactColumns
from features.groups import (
    arrivals,
    bids,
    clock,
    competition,
    depth,
    exchange,
    gap_dynamics,
    mempool,
    order_flow,
    rivals,
    volatility,
)
from features.groups.calendar import SLOT_SECONDS
from features.groups.flow import WEI_PER_ETHER
from features.groups.means import half_life_of
from features.groups.prices import PPM


def depth_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.depth`."""
    total, top = _total(facts.depths.T), facts.depths.max(axis=1, initial=0.0)
    log = logs(total / WEI_PER_ETHER)
    return [log, ratio(top, total), log - follow(log, depth.STEP), _imbalance(facts)]


def volatility_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.volatility`."""
    move = facts["move"]
    roots = [np.sqrt(follow(move * move, step)) * PPM for step in volatility.STEPS]
    return [*roots, ratio(roots[0], roots[-1]), follow(move, volatility.TREND_STEP) * PPM]


def order_flow_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.order_flow`."""
    net, gross = facts["net_ether"], facts["gross_ether"]
    means = [ratio(follow(net, step), follow(gross, step)) for step in order_flow.STEPS]
    return [each(math.log1p, gross), ratio(net, gross), *means]


def arrival_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.arrivals`."""
    swaps, now = facts["swaps"].astype(np.float64), facts["timestamp"]
    rates = [follow(swaps, step) for step in arrivals.STEPS]
    touches = facts.touched.sum(axis=1).astype(np.float64)
    never = np.iinfo(np.int64).max
    stalest = np.full(len(facts), never)
    for pool in range(facts.touched.shape[1]):
        flags = facts.touched[:, pool]
        changed = np.maximum.accumulate(np.where(flags, now, -1))
        stalest = np.minimum(stalest, np.where(changed < 0, never, changed))
    return [
        *rates,
        ratio(rates[0], rates[-1]),
        touches,
        follow(touches, arrivals.TOUCH_STEP),
        known((now - stalest).astype(np.float64), stalest < never),
    ]


def gap_dynamics_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.gap_dynamics`."""
    gap = gaps(facts.quotes, facts.pair_of, facts.pool_of)[0]
    deviation = gap - before(follow(gap, gap_dynamics.LONG_STEP))
    return [
        follow(gap, gap_dynamics.SHORT_STEP),
        deviation,
        half_lives(deviation, gap_dynamics.LONG_STEP),
    ]


def half_lives(deviation: Floats, step: float) -> Floats:
    """Return the half-life of deviations after each row, blocks."""
    last = before(deviation)
    product = follow(deviation * last, step)
    square = follow(np.where(np.isnan(deviation), np.nan, last * last), step)
    result = np.full(len(deviation), np.nan)
    rows = np.flatnonzero(square > 0)
    found = map(half_life_of, product[rows].tolist(), square[rows].tolist())
    result[rows] = np.fromiter(found, np.float64, len(rows))
    return result


def bid_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.bids`."""
    bid = each(competition.log_bid, facts["winning_bid_ether"])
    median = _running_median(bid, bids.WINDOW)
    # where this block's bid is unknown, the last known one is the block's own stand-in
    lag = np.where(np.isnan(bid), earlier_known(bid, 2), earlier_known(bid, 1))
    spread = follow(np.abs(bid - before(median)), bids.STEP)
    return [lag, median, spread, *builder_bids(facts["builder"], bid, bids.STEP, facts.builders)]


def rival_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.rivals`."""
    found = facts["multi_pool"].astype(np.float64)
    window = builder_windows(facts["builder"], competition.BUILDER_WINDOW, facts.builders)
    _, total, distinct, squares = window.astype(np.float64)
    return [
        found,
        *(follow(found, step) for step in rivals.STEPS),
        since(facts["number"], found > 0),
        known(distinct, total > 0),
        ratio(squares, total * total),
    ]


def exchange_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.exchange`."""
    gap = cex_gap(facts)
    return [
        (each_run(math.log, facts["candle_close"]) - each_run(math.log, facts["candle_open"])) * PPM,
        (each_run(math.log, facts["candle_high"]) - each_run(math.log, facts["candle_low"])) * PPM,
        each_run(math.log1p, facts["candle_volume"]),
        gap - before(last_known(gap)),
        follow(gap, exchange.STEP),
    ]


def clock_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.clock`."""
    now = facts["timestamp"]
    angle = 2 * math.pi * (now % clock.WEEK_SECONDS) / clock.WEEK_SECONDS
    return [
        each(math.sin, angle),
        each(math.cos, angle),
        now % 60 / 60,
        (now - clock.GENESIS) % clock.EPOCH_SECONDS / clock.EPOCH_SECONDS,
        before_difference(facts) / SLOT_SECONDS - 1,
    ]


def mempool_columns(facts: FactColumns) -> list[Floats]:
    """Return the columns of :mod:`features.groups.mempool`."""
    swaps = facts["pending_swaps"]
    return [swaps, facts["pending_net_ether"], ratio(swaps, follow(swaps, mempool.STEP))]


def _total(columns: Floats) -> Floats:
    # one after the other, as the stream does: NumPy's own sum takes them in pairs
    total = np.zeros(columns.shape[1])
    for column in columns:
        total = total + column
    return total


def _imbalance(facts: FactColumns) -> Floats:
    price = facts.quotes[:, facts.reference].T
    weight = facts.depths[:, facts.pool_of[list(facts.reference)]].T
    weight = np.where(np.isnan(price), 0.0, weight)
    price = np.where(weight > 0, price, 0.0)
    total = _total(weight)
    mean = ratio(_total(weight * price), total)
    above = _total(np.where(price > mean, weight, 0.0))
    below = _total(np.where(price < mean, weight, 0.0))
    return ratio(above - below, total)


def _running_median(values: Floats, window: int) -> Floats:
    """Return the median of the last known values, this row's included."""
    found = values[~np.isnan(values)]
    if not len(found):
        return np.full(len(values), np.nan)
    padded = np.concatenate((np.full(window - 1, np.nan), found))
    ordered = np.sort(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)
    sizes, rows = np.minimum(np.arange(1, len(found) + 1), window), np.arange(len(found))
    low, high = ordered[rows, (sizes - 1) // 2], ordered[rows, sizes // 2]
    result = np.full(len(values), np.nan)
    result[~np.isnan(values)] = np.where(sizes % 2, low, (low + high) / 2)
    return last_known(result)
