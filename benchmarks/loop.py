"""The loop: replay with and without learning, event to signed bundle, set-up and run from nothing.

Replay figures come from the recorded day where there is one, else from the tape that the timed
run records. Set-up and run are timed in a fresh clone of the committed tree.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import Progress, Row, at_least, at_most, median, timed
from chain.networks import load_network
from core.config_loader import DATA_VARIABLE, PREFIX, ROOT, load_settings
from core.data_root import find_data_root
from core.errors import OmniArbError
from market.history import load_day
from market.recorded import Recorded
from market.tape import TapeReader
from pipeline.replay import replay
from pipeline.study import study_base_fee

REPEATS = 5
SETUP_REACH_S = 360.0
RUN_REACH_S = 360.0
REPLAY_REACH = 500.0
LEARNING_REACH = 50.0
SIGNED_REACH_MS = 50.0


def rows(progress: Progress) -> list[Row]:
    """Return the figures of the loop."""
    root = find_data_root(load_settings("replay", os.environ))
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "omniarb"
        progress("cloning and setting up from nothing")
        setup_s, again_s = _set_up(clone)
        progress("running the main job there")
        run_s, summary = _run(clone, root)
        recorded = _recording(root, clone)
        progress(f"replaying {recorded.source}")
        measured = _replay_rows(recorded)
    latency = summary["latency_us"]
    return [
        *measured,
        at_most("event to signed bundle, p50", latency["event_to_signed_p50"] / 1e3, "ms", SIGNED_REACH_MS),
        Row("event to signed bundle, p99", latency["event_to_signed_p99"] / 1e3, "ms"),
        Row("of that, simulating on two EVMs, p50", latency["simulate_p50"] / 1e3, "ms"),
        at_most("set-up in a fresh clone", setup_s, "s", SETUP_REACH_S),
        at_most("set-up, second time", again_s, "s", 10.0),
        at_most("omniarb run, all five steps", run_s, "s", RUN_REACH_S),
    ]


def _replay_rows(recorded: Recorded) -> list[Row]:
    weth = load_network("ethereum").weth
    replayed = replay(recorded, weth)
    without = median(timed(lambda: replay(recorded, weth), REPEATS))
    learning = median(
        timed(lambda: study_base_fee(replayed, seed=7, horizon=2, window=16, nominal=0.9), REPEATS)
    )
    blocks = replayed.blocks
    return [
        at_least("replay without learning, median", blocks / without, "blocks/s", REPLAY_REACH),
        at_least("replay with learning, median", blocks / (without + learning), "blocks/s", LEARNING_REACH),
        Row(
            "time with learning over time without",
            (without + learning) / without,
            "x",
            baseline="replay without learning, same run",
        ),
    ]


def _set_up(clone: Path) -> tuple[float, float]:
    """Clone the committed tree and return seconds of the first and of the second set-up."""
    _command(["git", "clone", "--quiet", str(ROOT), str(clone)], ROOT)
    first = timed(lambda: _command(["scripts/setup.sh"], clone), 1)[0]
    second = timed(lambda: _command(["scripts/setup.sh"], clone), 1)[0]
    return first, second


def _run(clone: Path, root: Path | None) -> tuple[float, dict[str, Any]]:
    start = time.perf_counter()
    printed = _command([".venv/bin/omniarb", "run", "--json"], clone, root)
    summary: dict[str, Any] = json.loads(printed)
    return time.perf_counter() - start, summary


def _recording(root: Path | None, clone: Path) -> Recorded:
    if root is not None:
        return load_day(root)
    return TapeReader(clone / "runs" / "latest" / "tape").recorded()


def _environment(root: Path | None) -> dict[str, str]:
    """Return ours without settings of our own, and with the data root, which a clone has none of."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return environ if root is None else environ | {DATA_VARIABLE: str(root)}


def _command(arguments: list[str], folder: Path, root: Path | None = None) -> str:
    done = subprocess.run(
        arguments, cwd=folder, env=_environment(root), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        tail = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise OmniArbError(f"`{' '.join(arguments)}` failed in a fresh clone: {tail[0]}")
    return done.stdout
