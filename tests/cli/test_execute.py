"""Following the executor: everything that can end under it becomes one line, soon."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cli.execute
from cli.child import DevnetChild
from cli.execute import follow, patience
from cli.screen import Screen
from core.errors import DevnetError, ServingError
from tests.cli.stage import children_of

CONFIG: Any = SimpleNamespace(blocks=1)
SERVING: Any = SimpleNamespace(start_executor=lambda _config: "the actor")
QUIET = Screen(quiet=True, steps=1)


def well() -> None:
    """Find nothing wrong with the chain."""


@pytest.fixture
def slow_actor(monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor that is done after a fifth of a second, and no patience but the clock's."""
    done = time.monotonic() + 0.2

    def status(_actor: Any, _timeout_s: float) -> dict[str, Any]:
        state = "running" if time.monotonic() < done else "done"
        return {"blocks_followed": 0, "state": state, "head": 17}

    monkeypatch.setattr(cli.execute, "executor_status", status)
    monkeypatch.setattr(cli.execute, "wait_for_result", lambda _actor, _timeout_s: "the result")
    monkeypatch.setattr(cli.execute, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(cli.execute, "SECONDS_PER_BLOCK", 0.0)


@pytest.mark.usefixtures("slow_actor")
def test_patience_with_a_chain_on_a_clock_includes_the_clock() -> None:
    with pytest.raises(ServingError, match="stands at block 17"):
        follow(QUIET, SERVING, CONFIG, well)
    assert follow(QUIET, SERVING, CONFIG, well, interval=60.0) == "the result"


def test_patience_grows_with_blocks() -> None:
    assert patience(10, 12.0) == patience(10, 0.0) + 120


@pytest.mark.usefixtures("slow_actor")
def test_a_chain_that_ends_is_told_at_the_next_look() -> None:
    looks = []

    def ends() -> None:
        looks.append(1)
        if len(looks) > 2:
            raise DevnetError("the local chain ended while it was needed; look at its log")

    with pytest.raises(DevnetError):
        follow(QUIET, SERVING, CONFIG, ends, interval=60.0)
    assert len(looks) == 3


def test_a_chain_that_was_killed_is_found_out_and_its_log_is_named(tmp_path: Path) -> None:
    others = set(children_of(os.getpid()))
    child = DevnetChild(["--blocks", "100000"], os.environ, tmp_path / "devnet.log")
    with child as description:
        assert description.specs
        child.check()
        (pid,) = set(children_of(os.getpid())) - others
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(DevnetError) as caught:
            child.check()
    said = caught.value.message
    assert said == f"the local chain ended while it was needed (log: {tmp_path / 'devnet.log'})"


def test_a_chain_that_ended_by_itself_says_why(tmp_path: Path) -> None:
    others = set(children_of(os.getpid()))
    child = DevnetChild(["--blocks", "100000"], os.environ, tmp_path / "devnet.log")
    with child:
        (pid,) = set(children_of(os.getpid())) - others
        (node,) = children_of(pid)
        os.kill(node, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(DevnetError, match=r"while it was needed: error \[\w+\]: .*node.* \(log: "):
            child.check()
