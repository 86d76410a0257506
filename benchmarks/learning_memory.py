"""Memory over a long run: steps of everything that learns, each in a fresh process of its own.

A fresh process, because in one that has measured other things before, what those left free would hide growth.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.harness import Progress, Row, at_most
from benchmarks.learning_steps import FeatureRun, LearningRun, LstmRun
from features.registry import MARKET

STEPS, LSTM_STEPS = 1_000_000, 10_000
TOGETHER = 2
"""Runs at a time: it is their memory that counts here."""

SETTLED = 0.1
"""Share of the steps after which memory is read first: windows, journals and buffers are full by then."""

REACH_MIB = 4.0
"""As much as the allocator moves by itself."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What a run took.

    Parameters
    ----------
    first, last
        Resident memory when a tenth of the steps were done, and at the end, MiB.
    seconds
        Of all steps.
    """

    first: float
    last: float
    seconds: float


def memory_rows(progress: Progress, steps: int = STEPS, lstm_steps: int = LSTM_STEPS) -> list[Row]:
    """Return the figures of memory.

    Parameters
    ----------
    steps, lstm_steps
        Length of the runs of features and of the learner, and of the LSTM's.
    """
    runs = (
        (f"{steps:,} blocks of features, set {MARKET.name}", feature_run, steps),
        (f"{steps:,} blocks of the live learner, river's pipeline and both baselines", learning_run, steps),
        (f"{lstm_steps:,} forecasts and online steps of the LSTM", lstm_run, lstm_steps),
    )
    for what, _, _ in runs:
        progress(what)
    with ProcessPoolExecutor(TOGETHER, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        grown = [pool.submit(run, count) for _, run, count in runs]
        return [
            row
            for (what, _, count), one in zip(runs, grown, strict=True)
            for row in growth_rows(what, one.result(), count)
        ]


def feature_run(steps: int) -> Growth:
    """Return what a run of the feature stream took."""
    return grown_by(FeatureRun().step, steps)


def learning_run(steps: int) -> Growth:
    """Return what a run of the learner took."""
    return grown_by(LearningRun().step, steps)


def lstm_run(steps: int) -> Growth:
    """Return what a run of the LSTM took."""
    return grown_by(LstmRun().step, steps)


def grown_by(step: Callable[[int], None], steps: int) -> Growth:
    """Return what steps took, numbered from 0."""
    settled = int(steps * SETTLED)
    start = time.perf_counter()
    for number in range(settled):
        step(number)
    first = resident_mib()
    for number in range(settled, steps):
        step(number)
    seconds = time.perf_counter() - start
    return Growth(first, resident_mib(), seconds)


def resident_mib() -> float:
    """Return the memory that this process holds now, MiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def growth_rows(what: str, grown: Growth, steps: int) -> list[Row]:
    """Return the figures of one run."""
    return [
        at_most(
            f"{what}: growth of memory after the first tenth", grown.last - grown.first, "MiB", REACH_MIB
        ),
        Row(f"{what}: memory at the end", grown.last, "MiB"),
        Row(f"{what}: a step, mean, {TOGETHER} runs at a time", 1e6 * grown.seconds / steps, "us"),
    ]
