"""From touched pools to the ranked integer trades of the best cycles of a list."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Progress, Row, at_most, median, timed
from benchmarks.scoring_lists import BEST, CYCLES, SEED, in_turn, seeded_list
from benchmarks.scoring_market import BenchMarket, moved
from benchmarks.scoring_searching import TRADE, without_collection
from scoring.devices.device import Change, CycleTable, Top
from scoring.incremental import IncrementalScorer
from scoring.integers.pairs import PairRows, pair_rows
from scoring.integers.trade import best_pair_trades
from scoring.integers.waists import find_trades

EVENTS = {1: 1000, 10: 200, 100: 30}
"""Events by how many pools each touches."""

SWITCHING, ROUNDS = (1, 10, 30, 100, 300), 21
EVENT_P50_US, EVENT_P99_US, INTEGERS_US, SWITCH_X = 60.0, 200.0, 20.0, 1.2


@dataclass(frozen=True, slots=True)
class Event:
    """Trades of one moment: what they do to edges, and to the pairs' integers."""

    change: Change
    pairs: PairRows


class Limited(IncrementalScorer):
    """An incremental scorer that is told when to scan instead of deciding by its own measure.

    Parameters
    ----------
    market, table
        What it scores.
    limit
        Postings beyond which it scans.
    """

    def __init__(self, market: BenchMarket, table: CycleTable, limit: int) -> None:
        super().__init__(market.edges, market.worth, table)
        self._limit = limit


def event_rows(progress: Progress) -> list[Row]:
    """Return the figures of touched pools."""
    market, table = seeded_list(progress)
    uses = (
        np.bincount(table.hops.reshape(-1), minlength=len(market.edges.rate))[:-1].reshape(-1, 2).sum(axis=1)
    )
    progress("compiling what scores touched pools")
    compiling = _compiling(market, table)
    progress("scoring touched pools")
    measured = _latency_rows(market, table, uses)
    progress("scoring by postings and by scans")
    measured.append(_switch_row(market, table, uses))
    return [*measured, Row("compiling what scores touched pools, once in a process", compiling, "s")]


def _compiling(market: BenchMarket, table: CycleTable) -> float:
    rows, change = _pair_rows(market, np.arange(len(market)), np.zeros(len(market))), _still(market)
    start = time.perf_counter()
    scorer = IncrementalScorer(market.edges, market.worth, CycleTable(table.hops[:100], table.start[:100]))
    scorer.update(change)
    scorer.top(BEST)
    best_pair_trades(rows, table.hops[:BEST].astype(np.int64))
    return time.perf_counter() - start


def _still(market: BenchMarket) -> Change:
    return moved(market, np.zeros(1, np.int64), np.zeros(1))


def _pair_rows(market: BenchMarket, pools: NDArray[np.int64], log_price: NDArray[np.float64]) -> PairRows:
    """Return both rows of each of these pairs after a trade, and the row that pads."""
    edges = []
    for place, by in zip(pools.tolist(), log_price.tolist(), strict=True):
        (one, other), fee = market.reserves[place], int(market.fees[place])
        if by:
            one, other = int(one * np.exp(-by / 2)), int(other * np.exp(by / 2))
        edges += [(one, other, fee), (other, one, fee)]
    return pair_rows(edges)


def _events(market: BenchMarket, pools: int, count: int, weights: NDArray[np.int64]) -> list[Event]:
    """Return trades in pools drawn by their weights."""
    rng = np.random.default_rng(SEED + pools)
    chance, events = weights / weights.sum(), []
    for _ in range(count):
        places = rng.choice(len(market), pools, replace=False, p=chance)
        by = rng.normal(0.0, TRADE, pools)
        events.append(Event(moved(market, places, by), _pair_rows(market, places, by)[:-1]))
    return events


def _latency_rows(market: BenchMarket, table: CycleTable, uses: NDArray[np.int64]) -> list[Row]:
    scorer = IncrementalScorer(market.edges, market.worth, table)
    pairs = _pair_rows(market, np.arange(len(market)), np.zeros(len(market)))
    measured = []
    for pools, count in EVENTS.items():
        events = _events(market, pools, count, uses)
        stages = _stages(scorer, market, pairs, table, events)
        what = f"{pools} touched pool{'s' * (pools > 1)} to the integer top 10 of {CYCLES:,} cycles"
        p50, p99 = np.percentile(stages.sum(axis=1), (50, 99)).tolist()
        if pools > 1:
            measured += [Row(f"{what}, p50", p50, "us"), Row(f"{what}, p99", p99, "us")]
            continue
        update, rank, integers = np.median(stages, axis=0).tolist()
        measured += [
            at_most(f"{what}, p50", p50, "us", EVENT_P50_US),
            at_most(f"{what}, p99", p99, "us", EVENT_P99_US),
            Row("of that, scoring its cycles", update, "us"),
            Row("of that, ranking", rank, "us"),
            at_most("of that, the integers of the top 10", integers, "us", INTEGERS_US),
            Row("of these, in compiled code", _compiled_integers(pairs, scorer.top(BEST), table), "us"),
            Row("an update that moves nothing", _still_update(scorer), "us"),
            Row("cycles that it is in, mean", _mean_uses(events, uses), "cycles"),
        ]
    evenly = _events(market, 1, EVENTS[1], np.ones(len(market), np.int64))
    whole = _stages(scorer, market, pairs, table, evenly).sum(axis=1)
    return [
        *measured,
        Row("1 touched pool, each as likely, p50", float(np.median(whole)), "us"),
        Row("cycles that it is then in, mean", _mean_uses(evenly, uses), "cycles"),
    ]


def _compiled_integers(pairs: PairRows, top: Top, table: CycleTable) -> float:
    """Return microseconds in which the best trades are found, without what hands them to Python."""
    cycles = table.hops[top.rows].astype(np.int64)
    count, width = cycles.shape
    amounts, profits = np.empty((count, width + 1, 2), np.uint64), np.empty((count, 2), np.uint64)
    ends, bounds = np.empty((2, count), np.int64), np.empty(count)
    seconds = timed(lambda: find_trades(pairs, cycles, amounts, profits, ends, bounds), EVENTS[10])
    return 1e6 * median(seconds)


def _still_update(scorer: IncrementalScorer) -> float:
    """Return microseconds of an update without edges: what every update costs."""
    nothing = Change(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    return 1e6 * median(timed(lambda: scorer.update(nothing), EVENTS[10]))


def _mean_uses(events: list[Event], uses: NDArray[np.int64]) -> float:
    return float(np.mean([uses[event.change.edges[0] // 2] for event in events]))


def _stages(
    scorer: IncrementalScorer, market: BenchMarket, pairs: PairRows, table: CycleTable, events: list[Event]
) -> NDArray[np.float64]:
    """Return microseconds of scoring, ranking and integers, shape ``(events, 3)``.

    The integers end with the amounts of the trade that nets most by its exact profit.
    """
    stages = []
    with without_collection():
        for event in events:
            begun = time.perf_counter()
            scorer.update(event.change)
            updated = time.perf_counter()
            top = scorer.top(BEST)
            ranked = time.perf_counter()
            pairs[event.change.edges] = event.pairs
            trades = best_pair_trades(pairs, table.hops[top.rows].astype(np.int64))
            worths = market.worth[table.start[top.rows]].tolist()
            values = [worth * profit for worth, profit in zip(worths, trades.profits, strict=True)]
            trades[values.index(max(values))]
            stages.append((updated - begun, ranked - updated, time.perf_counter() - ranked))
    return 1e6 * np.array(stages)


def _switch_row(market: BenchMarket, table: CycleTable, uses: NDArray[np.int64]) -> Row:
    """Return how much longer than the better of both ways the chosen one takes, at worst."""
    never, always = np.iinfo(np.int64).max, 0
    scorers = [
        IncrementalScorer(market.edges, market.worth, table),
        Limited(market, table, never),
        Limited(market, table, always),
    ]
    ratios = []
    for pools in SWITCHING:
        changes = [event.change for event in _events(market, pools, ROUNDS, uses)]
        chosen, *others = in_turn(*(partial(_react, each, iter(changes)) for each in scorers), repeats=ROUNDS)
        ratios.append(median(chosen) / min(median(each) for each in others))
    return at_most(
        "1 to 300 touched pools, worst ratio",
        max(ratios),
        "x",
        SWITCH_X,
        "the better of postings and a scan",
    )


def _react(scorer: IncrementalScorer, changes: Iterator[Change]) -> None:
    scorer.update(next(changes))
    scorer.top(BEST)
