"""Exact search of all cycles: a block of trades, markets of growing size, brute force."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import log, sqrt
from statistics import linear_regression

import numpy as np

from benchmarks.harness import Progress, Row, at_least, at_most, median
from benchmarks.scoring_market import BenchMarket, make_market, moved
from benchmarks.scoring_parameters import FITTED, REFERENCE, MarketParameters
from scoring.columns import EdgeColumns
from scoring.cycles import CycleIndex
from scoring.devices.device import Change
from scoring.search import CycleSearch, Ranked

POOLS, BEST, BLOCK, REPEATS = 5000, 100, 100, 15
SIZES = (1000, 2500, POOLS, 10_000, 20_000)
BRUTE_POOLS, BRUTE_SEEDS = 250, (1, 2, 3)
TRADE = 0.002
SEED = 7
WARM_MS, BLOCK_MS, EXPONENT = 2.0, 10.0, 0.6


def search_rows(progress: Progress) -> list[Row]:
    """Return the figures of the exact search on seeded markets."""
    progress("compiling the search")
    compiling = _compiling()
    progress("searching all cycles of seeded markets")
    reference = make_market(SEED, POOLS, REFERENCE)
    search, measured = _main_rows(reference)
    counters = search.counters
    return [
        Row("4-hop combinations from one hub, 5,000 pools", counters.combinations, "combinations"),
        Row("halves they are made of", counters.halves, "halves"),
        *measured,
        _exponent_row(),
        *_other_rows(),
        _brute_row(progress),
        Row("compiling the search, once in a process", compiling, "s"),
    ]


@contextmanager
def without_collection() -> Iterator[None]:
    """Keep the garbage collector out of what is timed."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def seconds(action: Callable[[], object], repeats: int) -> list[float]:
    """Return wall-clock seconds of each repeat, with nothing collected on the way."""
    taken = []
    with without_collection():
        for _ in range(repeats):
            start = time.perf_counter()
            action()
            taken.append(time.perf_counter() - start)
    return taken


def put(edges: EdgeColumns, change: Change) -> None:
    """Write moved constant-product edges into their columns."""
    edges.rate[change.edges], edges.bend[change.edges] = change.rates, change.bends
    edges.terms[change.edges, 0], edges.terms[change.edges, 1] = change.rates, change.bends


def blocks(market: BenchMarket, count: int, pools: int) -> list[Change]:
    """Return blocks that each trade some pools, drawn evenly, away from where they began."""
    rng = np.random.default_rng(SEED)
    drawn = (rng.choice(len(market), pools, replace=False) for _ in range(count))
    return [moved(market, places, rng.normal(0.0, TRADE, pools)) for places in drawn]


def _compiling() -> float:
    market = make_market(SEED, 50)
    start = time.perf_counter()
    search = CycleSearch(market.edges, market.worth)
    search.update(np.arange(2))
    search.top(BEST, market.pieces)
    return time.perf_counter() - start


def _main_rows(market: BenchMarket) -> tuple[CycleSearch, list[Row]]:
    start = time.perf_counter()
    search = CycleSearch(market.edges, market.worth)
    building = time.perf_counter() - start
    cold = seconds(lambda: search.top(BEST, market.pieces), 1)[0]
    warm = seconds(lambda: search.top(BEST, market.pieces), REPEATS)
    changes = blocks(market, REPEATS, BLOCK)
    updating, after = [], []
    with without_collection():
        for change in changes:
            put(market.edges, change)
            begun = time.perf_counter()
            search.update(change.edges)
            updated = time.perf_counter()
            search.top(BEST, market.pieces)
            updating.append(updated - begun)
            after.append(time.perf_counter() - begun)
    return search, [
        at_most("exact top 100 of them, warm", 1e3 * median(warm), "ms", WARM_MS),
        at_most("exact top 100 after a block that trades 100 pools", 1e3 * median(after), "ms", BLOCK_MS),
        Row("of that, bringing the halves up to date", 1e3 * median(updating), "ms"),
        Row("the same after a block, slowest of 15", 1e3 * max(after), "ms"),
        Row("first search, nothing known", 1e3 * cold, "ms"),
        Row("building the halves of 5,000 pools", 1e3 * building, "ms"),
    ]


def _warm(
    pools: int, parameters: MarketParameters, share_v3: float = 0.0
) -> tuple[CycleSearch, Ranked, float]:
    """Return a search, what it found, and the median seconds of finding it again."""
    market = make_market(SEED, pools, parameters, share_v3=share_v3)
    search = CycleSearch(market.edges, market.worth)
    found = search.top(BEST, market.pieces)
    return search, found, median(seconds(lambda: search.top(BEST, market.pieces), REPEATS // 3))


def _exponent_row() -> Row:
    """Return the slope of log time over log combinations."""
    represented, taken = [], []
    for pools in SIZES:
        search, _, each = _warm(pools, REFERENCE)
        represented.append(log(search.counters.combinations))
        taken.append(log(each))
    slope = linear_regression(represented, taken).slope
    return at_most(
        "growth of the warm search's time with combinations, 1,000..20,000 pools", slope, "exponent", EXPONENT
    )


def _other_rows() -> list[Row]:
    """Return what the search takes on markets that are harder."""
    rows = []
    for what, parameters, share in (
        ("40 % of the pools concentrated", REFERENCE, 0.4),
        ("from all six hubs", replace(REFERENCE, starts=6), 0.0),
        ("fitted market with costs, from the native token", replace(FITTED, starts=1), 0.0),
    ):
        search, found, taken = _warm(POOLS, parameters, share)
        rows.append(Row(f"warm, {what}", 1e3 * taken, "ms"))
        rows.append(Row(f"{what}: combinations", search.counters.combinations, "combinations"))
        rows.append(Row(f"{what}: loops found", len(found), "loops"))
    return rows


def _brute_row(progress: Progress) -> Row:
    progress("searching by brute force")
    equal = all(
        _agrees(make_market(seed, BRUTE_POOLS, replace(shape, swap_cost=cost, starts=6)))
        for shape in (FITTED, REFERENCE)
        for seed, cost in zip(BRUTE_SEEDS, (0.0, 0.0, 1e13), strict=True)
    )
    return at_least(
        "exact top 100 equal to brute force over all cycles (1 = yes)",
        float(equal),
        "",
        1,
        f"every cycle of {2 * len(BRUTE_SEEDS)} markets of {BRUTE_POOLS} pools",
    )


def _agrees(market: BenchMarket) -> bool:
    """Tell whether the search and brute force return the same loops at the same nets."""
    found = CycleSearch(market.edges, market.worth).top(BEST, market.pieces)
    loops = [frozenset(hops[:count].tolist()) for hops, count in zip(found.hops, found.count, strict=True)]
    wanted = sorted(brute_force(market).items(), key=lambda item: -item[1])[:BEST]
    nets = [net for _, net in wanted]
    return {loop for loop, _ in wanted} == set(loops) and bool(np.allclose(nets, found.net, rtol=1e-9))


def brute_force(market: BenchMarket) -> dict[frozenset[int], float]:
    """Return the net of every loop that earns something, in its best start token, by its edges."""
    row = {
        (place, token_in): edge
        for edge, (place, token_in) in enumerate(
            zip(market.edges.pool.tolist(), market.edges.token_in.tolist(), strict=True)
        )
    }
    number = {token: place for place, token in enumerate(market.tokens)}
    starts = [market.tokens[place] for place in np.flatnonzero(market.worth > 0.0)]
    edges, nets = market.edges, dict[frozenset[int], float]()
    for cycle in CycleIndex(market.pools(), starts).cycles:
        rows = [row[int(edge.pool_id, 16), number[edge.token_in]] for edge in cycle.edges]
        rate, bend, cost = 1.0, 0.0, 0.0
        for edge in rows:
            bend += float(edges.bend[edge]) * rate
            rate *= float(edges.rate[edge])
            cost += float(edges.cost[edge])
        if rate > 1.0:
            worth = float(market.worth[number[cycle.token]])
            net = worth * (sqrt(rate) - 1.0) ** 2 / bend - cost
            loop = frozenset(rows)
            if net > 0.0:
                nets[loop] = max(net, nets.get(loop, 0.0))
    return nets
