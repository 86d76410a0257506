"""Scoring on a graphics card against the processor: ``python -m benchmarks.gpu``, or ``make bench-gpu``.

It needs NumPy, Numba and CuPy alone, so that it runs on any image that has a card. Times are what the host
sees: they begin before the upload and end with the best cycles in NumPy arrays.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import (
    Progress,
    Result,
    Row,
    at_least,
    at_most,
    commit,
    machine,
    median,
    timed,
    write_result,
)
from benchmarks.scoring_market import BenchMarket, make_market, moved
from benchmarks.scoring_parameters import REFERENCE
from core.errors import OmniArbError
from scoring.batch import best_cycles, hops_of, majorants_of
from scoring.cycle_table import sample_cycles
from scoring.devices.cpu import CpuDevice
from scoring.devices.cuda import CudaDevice, load_cupy
from scoring.devices.device import Change, CycleTable, Top

RESULT = Path(__file__).parent / "results" / "gpu.json"
SEED, BEST, MANY, MOST = 7, 10, 1_000_000, 100_000_000
REPEATS, STATES = 200, 64
MOST_MS, VISIBLE_US, CHAIN_RATIO = 0.8, 60.0, 20.0


def rows(progress: Progress) -> list[Row]:
    """Return the figures of the graphics card.

    Raises
    ------
    DeviceError
        If there is none, or it has no room.
    """
    load_cupy()
    return [*_host_visible_rows(progress), *_large_rows(progress)]


def _host_visible_rows(progress: Progress) -> list[Row]:
    progress(f"{MANY:,} cycles")
    market = make_market(SEED, 5_000, REFERENCE)
    table = sample_cycles(market.edges, market.worth, MANY, seed=SEED)
    card = CudaDevice(market.edges, market.worth, table)
    changes = _blocks(market, 100, REPEATS)
    card.top(BEST)
    event = [timed(partial(_event, card, change), 1)[0] for change in changes]
    cores = os.cpu_count() or 1
    majorants, hops = majorants_of(market.edges, market.worth), hops_of(market.edges, table)
    best_cycles(majorants, hops, BEST, cores)
    processor = median(timed(lambda: best_cycles(majorants, hops, BEST, cores), 11))
    against = f"the processor, {cores} threads, without taking over what moved"
    chain = median(timed(_ufunc_chain(market, table), 11))
    return [
        at_most(
            "1e6 cycles, 100 pools moved, best 10 on the host, p50", median(event) * 1e6, "us", VISIBLE_US
        ),
        Row("the same, p99", float(np.quantile(event, 0.99)) * 1e6, "us"),
        Row("1e6 cycles, processor over card", processor / median(event), "x", baseline=against),
        at_least(
            "1e6 cycles, array operations over kernels", chain / median(event), "x", CHAIN_RATIO, "CuPy"
        ),
        at_least(
            "states in which card and processor name the same best", _agreement(market, table), "share", 1.0
        ),
        *_what_if_rows(progress, card, market),
    ]


def _what_if_rows(progress: Progress, card: CudaDevice, market: BenchMarket) -> list[Row]:
    progress(f"{STATES} states at once")
    states = _blocks(market, 3, STATES)
    card.what_if(states, BEST)
    seconds = median(timed(lambda: card.what_if(states, BEST), 21))
    one = median(timed(lambda: card.what_if(states[:1], BEST), 21))
    return [
        Row("64 states x 1e6 cycles, best 10 of each", seconds * 1e3, "ms"),
        Row("the same, cycles valued", STATES * MANY / seconds / 1e9, "1e9/s"),
        Row("64 states one by one over at once", STATES * one / seconds, "x", baseline="one state a call"),
    ]


def _large_rows(progress: Progress) -> list[Row]:
    progress(f"{MOST:,} cycles: drawing them takes a minute")
    market = make_market(SEED, 10_000, REFERENCE)
    table = sample_cycles(market.edges, market.worth, MOST, seed=SEED)
    progress(f"{MOST:,} cycles")
    card = CudaDevice(market.edges, market.worth, table)
    changes = iter(_blocks(market, 100, 31))
    card.top(BEST)
    card_s = median(timed(lambda: _event(card, next(changes)), 31))
    found = card.top(BEST)
    cores = os.cpu_count() or 1
    after = _with(market, *_blocks(market, 100, 31))
    hops = hops_of(market.edges, table)
    expected: list[Top] = []
    processor = median(timed(lambda: expected.append(best_cycles(after, hops, BEST, cores)), 3))
    return [
        at_most("1e8 cycles, 100 pools moved, best 10 on the host, p50", card_s * 1e3, "ms", MOST_MS),
        Row("the same, hops read", table.hops.nbytes / card_s / 1e12, "TB/s"),
        Row(
            "1e8 cycles, processor over card",
            processor / card_s,
            "x",
            baseline=f"the processor, {cores} threads",
        ),
        at_least(
            "1e8 cycles: the same best as the processor", float(_same(found, expected[0])), "share", 1.0
        ),
    ]


def _event(card: CudaDevice, change: Change) -> Top:
    card.update(change)
    return card.top(BEST)


def _blocks(market: BenchMarket, pools: int, count: int) -> list[Change]:
    """Return so many blocks, each of which moves so many pools away from the market's first state."""
    rng = np.random.default_rng(SEED)
    return [
        moved(market, rng.choice(len(market), pools, replace=False), rng.normal(0.0, 0.002, pools))
        for _ in range(count)
    ]


def _with(market: BenchMarket, *changes: Change) -> Any:
    majorants = majorants_of(market.edges, market.worth)
    for change in changes:
        majorants.rate[change.edges] = majorants.edges[change.edges, 0] = change.rates
        majorants.edges[change.edges, 1] = change.bends
    return majorants


def _agreement(market: BenchMarket, table: CycleTable) -> float:
    """Return in which share of states, updated and imagined, both devices give the same rows and values."""
    devices = [make(market.edges, market.worth, table) for make in (CudaDevice, CpuDevice)]
    same = []
    for change in _blocks(market, 100, 20):
        for device in devices:
            device.update(change)
        imagined = _blocks(market, 2, 3)
        for count in (BEST, 500):
            same.append(_same(*(device.top(count) for device in devices)))
        same.extend(map(_same, *(device.what_if(imagined, BEST) for device in devices)))
    return float(np.mean(same))


def _same(one: Top, other: Top) -> bool:
    return one.rows.tolist() == other.rows.tolist() and one.nets.tobytes() == other.nets.tobytes()


def _ufunc_chain(market: BenchMarket, table: CycleTable) -> Callable[[], Any]:
    """Return the same job in CuPy's array operations: the baseline of who writes no kernel."""
    cupy = load_cupy()
    majorants = cupy.asarray(majorants_of(market.edges, market.worth).edges)
    columns = [cupy.asarray(np.ascontiguousarray(column)) for column in table.hops.T.astype(np.int32)]

    def best() -> tuple[Any, Any]:
        rate, bend, cost = cupy.ones(len(table)), cupy.zeros(len(table)), cupy.zeros(len(table))
        for column in columns:
            bend += majorants[column, 1] * rate
            rate *= majorants[column, 0]
            cost += majorants[column, 2]
        gain = cupy.sqrt(cupy.maximum(rate, 1.0)) - 1.0
        nets = majorants[columns[0], 3] * (gain * gain / bend) - cost
        chosen = cupy.argpartition(nets, -BEST)[-BEST:]
        return chosen.get(), nets[chosen].get()

    best()
    return best


def main() -> int:
    """Measure, print and keep the figures; 1 without a card, or if a figure falls short."""
    try:
        name = str(load_cupy().cuda.runtime.getDeviceProperties(0)["name"].decode())
        measured = rows(lambda text: print(f"gpu: {text}", file=sys.stderr, flush=True))
    except OmniArbError as error:
        print(f"error [{error.code}]: {error}", file=sys.stderr)
        return 1
    now = datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
    result = Result("gpu", _commit(), f"{name}; {machine()}", now, tuple(measured))
    write_result(result, RESULT)
    for row in result.rows:
        verdict = {True: "yes", False: "NO", None: ""}[row.ok]
        print(f"{row.what:<60} {row.value:>12,.4g} {row.unit:<6} {row.reach:<8} {verdict:<4} {row.baseline}")
    return 0 if result.ok else 1


def _commit() -> str:
    try:
        return commit()
    except ImportError:
        # the image has no MLflow, which knows how to ask
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
