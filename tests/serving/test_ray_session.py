"""Starting Ray changes nothing about how the caller's process ends, and its environment is ours alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray._private.utils as ray_utils

from serving import environment
from serving.environment import TOKEN_VARIABLE, quiet_libraries
from serving.ray_session import signals_deferred
from tests.serving.processes import marked

pytestmark = pytest.mark.ray

ROOT = Path(__file__).resolve().parents[2]
START = """
import os
from serving.environment import quiet_libraries
quiet_libraries(os.environ)
from cli.signals import CleanUp, like_ctrl_c
from serving.ray_session import end_session, start_ray
if __name__ == "__main__":
    with like_ctrl_c(), CleanUp() as stack:
        stack.callback(end_session, owns_ray=True)
        start_ray(1)
        print("nobody stopped us")
"""


@pytest.fixture
def received() -> Iterator[list[int]]:
    """Signals that reach the handler of the test."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, before)


def test_a_signal_is_answered_when_ray_can_be_ended(received: list[int]) -> None:
    with signals_deferred():
        # what Ray does to handle SIGTERM itself
        ray_utils.set_sigterm_handler(lambda _number, _frame: sys.exit(1))
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == []
    assert received == [signal.SIGTERM]


def test_handlers_are_given_back_when_ray_does_not_start(received: list[int]) -> None:
    handler, rays_own = signal.getsignal(signal.SIGTERM), ray_utils.set_sigterm_handler
    with pytest.raises(RuntimeError), signals_deferred():
        raise RuntimeError
    assert (signal.getsignal(signal.SIGTERM), ray_utils.set_sigterm_handler) == (handler, rays_own)


def test_a_kill_while_ray_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    script, mark = tmp_path / "start.py", uuid.uuid4().hex
    script.write_text(START)
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OF_THIS_TEST": mark}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        deadline = time.monotonic() + 60
        # from here on it starts helpers, which outlive a node that was never whole
        while not any("/raylet/raylet" in command for command in marked(mark).values()):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT, said  # what Python makes of KeyboardInterrupt
    assert "KeyboardInterrupt" in said
    assert out == ""
    deadline = time.monotonic() + 5
    while left := marked(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_each_command_draws_a_token_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "sys", SimpleNamespace(modules={}))
    first: dict[str, str] = {}
    second: dict[str, str] = {}
    for environ in (first, second):
        quiet_libraries(environ)
    assert len(first[TOKEN_VARIABLE]) == len(second[TOKEN_VARIABLE]) == 64
    assert first[TOKEN_VARIABLE] != second[TOKEN_VARIABLE]


def test_a_ray_that_was_imported_keeps_the_token_it_may_hold() -> None:
    environ: dict[str, str] = {}
    quiet_libraries(environ)
    assert TOKEN_VARIABLE not in environ
    assert environ["RAY_USAGE_STATS_ENABLED"] == "0"
