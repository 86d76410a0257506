"""Scoring whole lists of cycles."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from math import log
from statistics import linear_regression
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Progress, Row, at_least, at_most, median
from benchmarks.scoring_market import BenchMarket, make_market
from benchmarks.scoring_parameters import REFERENCE
from benchmarks.scoring_searching import without_collection
from core.errors import OmniArbError
from scoring.batch import best_cycles, hops_of, majorants_of
from scoring.columns import EdgeColumns
from scoring.cycle_table import sample_cycles
from scoring.devices.device import CycleTable, Top

SEED, POOLS, HOPS, CYCLES, BEST, REPEATS = 7, 5000, 4, 1_000_000, 10, 15
COUNTS = (10_000, 100_000, CYCLES, 10_000_000)
BATCH_NS, NUMPY_X, EXPONENT = 3.0, 8.0, 1.08


def list_rows(progress: Progress) -> list[Row]:
    """Return the figures of lists."""
    market, table = seeded_list(progress)
    progress("scoring lists")
    return _batch_rows(market, table)


def seeded_list(progress: Progress) -> tuple[BenchMarket, CycleTable]:
    """Return the seeded market and a sample of its cycles."""
    progress(f"drawing {CYCLES:,} cycles")
    market = make_market(SEED, POOLS, REFERENCE)
    return market, sample_cycles(market.edges, market.worth, CYCLES, HOPS, SEED)


def in_turn(*actions: Callable[[], object], repeats: int = REPEATS) -> list[list[float]]:
    """Return seconds of each action's repeats.

    The actions take turns in an order that is drawn anew each time, since one that leaves the caches full
    of its own makes the next one slower.
    """
    order = random.Random(SEED)
    taken: list[list[float]] = [[] for _ in actions]
    with without_collection():
        for _ in range(repeats):
            for place in order.sample(range(len(actions)), len(actions)):
                start = time.perf_counter()
                actions[place]()
                taken[place].append(time.perf_counter() - start)
    return taken


def _batch_rows(market: BenchMarket, table: CycleTable) -> list[Row]:
    majorants = majorants_of(market.edges, market.worth)
    taken: dict[int, float] = {}
    hops = hops_of(market.edges, table)
    start = time.perf_counter()
    best_cycles(majorants, hops[:1], BEST)
    compiling = time.perf_counter() - start
    for count in COUNTS:
        some = _resized(hops, count)
        taken[count] = median(in_turn(partial(best_cycles, majorants, some, BEST))[0])
    _check(best_cycles(majorants, hops, BEST), with_numpy(market.edges, market.worth, hops))
    ours, theirs = in_turn(
        lambda: best_cycles(majorants, hops, BEST), lambda: with_numpy(market.edges, market.worth, hops)
    )
    gaining = (market.edges.rate[table.hops].prod(axis=1) > 1.0).mean()
    slope = linear_regression([log(count) for count in taken], [log(each) for each in taken.values()]).slope
    return [
        at_most(
            "score 1,000,000 cycles of up to 4 hops, top 10",
            1e9 * taken[CYCLES] / CYCLES,
            "ns/cycle",
            BATCH_NS,
        ),
        at_least("the same, ratio", median(theirs) / median(ours), "x", NUMPY_X, "unchunked NumPy"),
        at_most("growth of the time with cycles, 10,000..10,000,000", slope, "exponent", EXPONENT),
        Row("of these cycles gain something before costs", float(gaining), "share"),
        Row(
            "score 10,000,000 cycles, ten times the same list",
            1e9 * taken[COUNTS[-1]] / COUNTS[-1],
            "ns/cycle",
        ),
        Row("compiling what scores lists, once in a process", compiling, "s"),
    ]


def _check(ours: Top, theirs: Top) -> None:
    """Refuse to publish figures of a list whose best cycles are others than NumPy's."""
    if ours.rows.tolist() != theirs.rows.tolist():
        raise OmniArbError("scoring finds other best cycles than NumPy", ours=ours, theirs=theirs)


def _resized(hops: NDArray[Any], count: int) -> NDArray[Any]:
    """Return that many of the cycles in their order, or all of them over and over."""
    if count > len(hops):
        return np.resize(hops, (count, hops.shape[1]))
    return hops[np.sort(np.random.default_rng(SEED).permutation(len(hops))[:count])]


def with_numpy(edges: EdgeColumns, worth: NDArray[np.float64], hops: NDArray[np.integer]) -> Top:
    """Score as one would in NumPy, all cycles in each step."""
    rate, bend = np.ones(len(hops)), np.zeros(len(hops))
    for column in hops.T:
        bend += edges.bend[column] * rate
        rate *= edges.rate[column]
    gain = np.sqrt(np.maximum(rate, 1.0)) - 1.0
    nets = worth[edges.token_in[hops[:, 0]]] * gain * gain / bend - edges.cost[hops].sum(axis=1)
    best = np.argpartition(-nets, BEST)[:BEST]
    best = best[np.lexsort((best, -nets[best]))]
    return Top(best, nets[best])
