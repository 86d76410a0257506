"""The recorded day 2024-01-05 from beginning to end, with learning."""

from __future__ import annotations

import os
import time

from benchmarks.harness import Progress, Row, at_most
from benchmarks.learning_tape import SEED
from chain.networks import load_network
from core.config_loader import DATA_VARIABLE, load_settings
from core.data_root import find_data_root
from market.history import load_day
from pipeline.replay import replay
from pipeline.study import study_base_fee

REACH_S = 60.0
HORIZON, WINDOW, NOMINAL = 2, 16, 0.9


def recorded_rows(progress: Progress) -> list[Row]:
    """Return the figures of the day; without the recorded history a row that says so."""
    root = find_data_root(load_settings("replay", os.environ))
    if root is None:
        return [Row(f"recorded day: left out, {DATA_VARIABLE} names no recorded history", 0, "blocks")]
    progress("replaying the recorded day with learning")
    wall, used = time.perf_counter(), time.process_time()
    recorded = load_day(root)
    replayed = replay(recorded, load_network("ethereum").weth)
    study_base_fee(replayed, seed=SEED, horizon=HORIZON, window=WINDOW, nominal=NOMINAL)
    used, wall = time.process_time() - used, time.perf_counter() - wall
    what = f"whole replay of {recorded.source} with learning, {replayed.blocks:,} blocks"
    return [
        at_most(f"{what}, processor time of all threads", used, "s", REACH_S),
        Row("the same by the clock", wall, "s"),
    ]
