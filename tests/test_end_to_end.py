"""The main job as a person starts it: from nothing to a report, and killed on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from analysis.live_models import SERVED
from chain.devnet.accounts import dev_account
from features.registry import MARKET
from features.store import FeatureStore
from tests.serving.processes import marked

ROOT = Path(__file__).resolve().parents[1]
MARK = "OF_THIS_TEST"
BLOCKS = 30
SEED = 3
INTERRUPTED = 130

START = """
import core.data_root
core.data_root.DEFAULT_DATA_ROOT /= "not-here"
from cli.main import main
main()
"""
"""The command, on a machine whose project folder may hold recorded history, as one on which it does not."""

pytestmark = [pytest.mark.slow, pytest.mark.ray]


@dataclass
class Job:
    """``omniarb run`` in a process group of its own, and a mark that all its children inherit."""

    process: subprocess.Popen[str]
    mark: str
    folder: Path

    @classmethod
    def start(cls, folder: Path, *arguments: str) -> Job:
        mark = uuid.uuid4().hex
        environ = {name: value for name, value in os.environ.items() if not name.startswith("OMNIARB_")}
        environ |= {
            "PYTHONPATH": str(ROOT),
            "OMNIARB_STORAGE__RUNS_DIR": str(folder / "runs"),
            "OMNIARB_STORAGE__MLFLOW_HOME": str(folder / "mlruns"),
            "OMNIARB_SERVING__PORT": "0",
            MARK: mark,
        }
        process = subprocess.Popen(
            [sys.executable, "-c", START, "run", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environ,
            start_new_session=True,
        )
        return cls(process, mark, folder)

    def finish(self, seconds: float) -> tuple[str, str]:
        """Wait for the end; kill what does not end."""
        try:
            return self.process.communicate(timeout=seconds)
        except BaseException:
            for pid in self.alive():
                os.kill(pid, signal.SIGKILL)
            self.process.communicate()
            raise

    def alive(self) -> dict[int, str]:
        """Return the processes that carry the mark, by id, with their command lines."""
        return marked(f"{MARK}={self.mark}")

    def left_over(self) -> dict[int, str]:
        """Return what still runs some seconds after the end."""
        deadline = time.monotonic() + 10
        while (left := self.alive()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left


@dataclass(frozen=True)
class Done:
    job: Job
    out: str
    said: str

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One run with nothing but the repository: no recorded history, no tracking store, no earlier run."""
    job = Job.start(tmp_path_factory.mktemp("run"), "--json", "--blocks", str(BLOCKS), "--seed", str(SEED))
    return Done(job, *job.finish(240))


def test_it_ends_well_with_one_document_and_no_process_left(done: Done) -> None:
    assert done.job.process.returncode == 0, done.said
    assert done.out == json.dumps(done.summary, indent=2) + "\n"
    assert "Traceback" not in done.said
    assert done.job.left_over() == {}


OPEN_ENDED = (
    "models.mae_gwei",
    "history.refusals",
    "execute.refusals",
    "execute.pools_suspended",
    "features.refused",
    "features.drift",
    "learning.mae_gwei",
    "learning.coverage",
    "learning.refused",
)
"""Fields whose own fields are names of models and reason codes."""


def documented() -> set[str]:
    """Return every field that the reference has a row for, as dotted paths."""
    text = (ROOT / "docs" / "reference" / "summary.md").read_text()
    rows = re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE)
    return {name.removesuffix(".*") for row in rows for name in re.findall(r"`([^`]+)`", row)}


def fields_of(document: dict[str, Any], above: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in document.items():
        found |= fields_of(value, f"{above}{name}.") if isinstance(value, dict) else {above + name}
    return found


def test_the_summary_has_the_fields_of_the_reference_and_no_others(done: Done) -> None:
    found = fields_of(done.summary)
    dotted = tuple(f"{name}." for name in OPEN_ENDED)
    assert {name for name in found if not name.startswith(dotted)} | set(OPEN_ENDED) == documented()
    empty = {"execute.pools_suspended", "features.refused", "features.drift", "learning.refused"}
    for field in set(OPEN_ENDED) - empty:
        assert any(name.startswith(f"{field}.") for name in found)
    assert done.summary["execute"]["pools_suspended"] == {}
    assert done.summary["execute"]["pools_compared"] >= BLOCKS


def test_every_swap_of_the_history_is_reproduced_and_the_best_model_serves(done: Done) -> None:
    history, models = done.summary["history"], done.summary["models"]
    assert history["source"].startswith("local chain")
    assert history["invariant_ok"] == history["invariant_checked"] == history["swaps"] > 1_000
    assert history["not_checkable"] == 0
    assert models["mae_gwei"].keys() >= {models["candidate"], models["baseline"], "persistence"}
    if models["reason"] is None:
        assert models["champion"] == models["candidate"]
        assert models["skill"] > 0
    assert models["skill"] == pytest.approx(
        1 - models["mae_gwei"][models["candidate"]] / models["mae_gwei"][models["baseline"]]
    )
    assert abs(models["coverage"] - models["nominal"]) < 0.08


def test_it_earned_and_every_wei_is_accounted_for(done: Done) -> None:
    execute = done.summary["execute"]
    assert execute["blocks"] == done.summary["devnet"]["blocks"] == BLOCKS
    assert execute["landed"] > 0
    assert execute["profit_wei"] == execute["balance_change_wei"] > 0
    fates = ("landed", "outbid", "reverted", "state_moved", "late", "never_simulated")
    assert sum(execute[fate] for fate in fates) == execute["bundles_sent"]
    journal = sqlite3.connect(f"file:{done.job.folder}/runs/latest/journal.db?immutable=1", uri=True)
    rows = journal.execute("SELECT verdict, profit_wei FROM settlements").fetchall()
    journal.close()
    assert sum(int(profit) for _, profit in rows) == execute["profit_wei"]
    counted = Counter(verdict for verdict, _ in rows)
    assert {fate: counted[fate] for fate in fates} == {fate: execute[fate] for fate in fates}


def test_the_run_is_found_with_its_report_and_pictures(done: Done) -> None:
    latest = done.job.folder / "runs" / "latest"
    assert latest.is_symlink()
    assert latest.resolve().name == done.summary["run"]
    assert json.loads((latest / "summary.json").read_text()) == done.summary
    report = (latest / "report.html").read_text()
    assert report.count("<img") >= 4
    assert "data:image/" in report
    # a report can be mailed: nothing in it is fetched from anywhere
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", report)
    names = sorted(path.name for path in latest.iterdir())
    assert names == [
        "devnet.log", "features", "journal.db", "keys", "learner", "report.html", "summary.json", "tape",
    ]  # fmt: skip


def test_every_row_that_was_served_is_in_the_store_with_the_bits_of_the_batch_path(done: Done) -> None:
    features, learning = done.summary["features"], done.summary["learning"]
    assert features["logged"] == {"block": BLOCKS, "market": BLOCKS}
    assert features["compared"] == 2 * BLOCKS
    assert (features["skew_block"], features["refused"], features["ended"]) == (None, {}, None)
    store = FeatureStore((done.job.folder / "runs" / "latest" / "features").resolve(), MARKET)
    stored = store.read(run=done.summary["run"])
    assert (len(stored.rows), stored.refusals) == (BLOCKS, ())
    assert learning["ended"] is None
    assert learning["mae_gwei"].keys() - {SERVED} == done.summary["models"]["mae_gwei"].keys()


def test_no_key_lies_in_clear_anywhere(done: Done) -> None:
    for name in ("searcher", "searcher identity"):
        key = dev_account(f"omniarb-{SEED}", name).key.hex()
        for path in done.job.folder.rglob("*"):
            if path.is_file():
                assert key.encode() not in path.read_bytes(), path
        assert key not in done.out + done.said


def test_a_kill_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    """When node, relay, Ray, servers and the actor all run; by somebody with little patience."""
    job = Job.start(tmp_path, "--blocks", "10000", "--seed", str(SEED))
    deadline = time.monotonic() + 200
    while not list((tmp_path / "runs").glob("*/journal.db")):
        assert job.process.poll() is None, job.finish(1)
        assert time.monotonic() < deadline, job.finish(1)
        time.sleep(0.1)
    time.sleep(1.0)
    assert len(job.alive()) > 4
    # to the command alone, as a service manager does; a terminal tells its children too
    job.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    job.process.send_signal(signal.SIGINT)
    out, said = job.finish(60)
    assert job.process.returncode == INTERRUPTED, said
    assert "Traceback" not in out + said
    assert said.splitlines()[-1] == "stopped: everything that was started has been shut down"
    assert job.left_over() == {}
    assert not (tmp_path / "runs" / "latest").exists()
