"""Features: one block at a time as in the live loop, and many at once from columns."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Progress, Row, at_least, at_most, median, timed
from benchmarks.learning_market import POOLS
from benchmarks.learning_tape import Streamed, WalkedTape, settled
from features.batch import build, compare

REPEATS = 9
UPDATE_REACH_US = 200.0
BATCH_REACH = 100_000.0


def feature_rows(progress: Progress, tape: WalkedTape) -> list[Row]:
    """Return the figures of both paths to features."""
    progress("building features in batches")
    updates = [row for streamed in (tape.block, tape.market) for row in _update_rows(streamed)]
    blocks = len(tape.market.rows)
    return [
        *updates,
        Row("logs of a block there", tape.logs / blocks, "logs"),
        *(row for streamed in (tape.block, tape.market) for row in _batch_rows(tape, streamed)),
        Row("recording the facts of a block, p50", 1e6 * median(settled(tape.recording)), "us"),
    ]


def _update_rows(streamed: Streamed) -> list[Row]:
    taken = 1e6 * np.array(settled(streamed.seconds))
    what = f"feature update of a block, {_named(streamed)}, {POOLS} pools"
    return [
        at_most(f"{what}, p50", float(np.quantile(taken, 0.5)), "us", UPDATE_REACH_US),
        Row(f"{what}, p99", float(np.quantile(taken, 0.99)), "us"),
    ]


def _batch_rows(tape: WalkedTape, streamed: Streamed) -> list[Row]:
    # the first one compiles
    table = build(tape.facts, streamed.features)
    equal = compare(streamed.rows, table) is None
    taken = median(timed(lambda: build(tape.facts, streamed.features), REPEATS))
    what = f"batch of {len(table):,} blocks, {_named(streamed)}"
    return [
        at_least(f"{what}", len(table) / taken, "rows/s", BATCH_REACH),
        Row(f"{what}, ratio", sum(streamed.seconds) / taken, "x", baseline="the stream, same tape, same run"),
        at_least(f"{what}: equal to the stream's to the bit (1 = yes)", float(equal), "", 1),
    ]


def _named(streamed: Streamed) -> str:
    return f"set {streamed.features.name} of {len(streamed.features.names)} features"
