"""What escapes a command is one line with an exit code, and no line on stderr holds a secret."""

from __future__ import annotations

import errno
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

import cli.bench
import cli.main
from benchmarks.harness import Row
from core.errors import InputError, RpcError
from tests.cli.stage import ONE_LINE, ROOT, refused

HEX = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


def benchmark_that(monkeypatch: pytest.MonkeyPatch, does: Any) -> None:
    def rows(_progress: Any) -> list[Row]:
        does()
        return []

    monkeypatch.setattr(cli.bench, "BENCHMARKS", {"odd": rows})


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.EACCES, "Permission denied", "/etc/shadow"), "/etc/shadow: Permission denied"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Connection refused"),
        (OSError("cannot load\n  the library"), "cannot load the library"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_whatever_the_system_refuses_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    def fail() -> None:
        raise error

    benchmark_that(monkeypatch, fail)
    line = refused("bench", "odd")
    assert said in line
    assert f"[{InputError.code}]" in line


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "config", "replay", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.fixture
def logs_given_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("logs_given_back")
@pytest.mark.parametrize("logger", [logging.getLogger("a.library"), structlog.get_logger("ours")])
def test_a_secret_that_a_command_logs_is_hidden(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logger: Any
) -> None:
    def leak() -> None:
        logger.warning(f"loaded signing key 0x{HEX} for postgresql://omniarb:{HEX}@db/omniarb")
        logger.info("this is below what is shown")

    benchmark_that(monkeypatch, leak)
    monkeypatch.setattr(sys, "argv", ["omniarb", "bench", "odd", "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main.main()
    assert ended.value.code == 0
    said = capsys.readouterr().err
    assert HEX not in said
    assert said.count("<hidden>") == 2
    assert "below" not in said


def test_what_a_node_says_stays_on_one_line_and_leaves_the_terminal_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise RpcError("the node said: a\n\x1b[31mb", method="eth_call", code=1)

    benchmark_that(monkeypatch, fail)
    assert "the node said: a??[31mb" in refused("bench", "odd", code=1)


def test_a_document_without_a_stdout_is_refused_in_one_line() -> None:
    done = subprocess.run(
        f"{sys.executable} -m cli.main config replay --json >&-",
        shell=True,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 2
    assert re.fullmatch(rf"{ONE_LINE}\n", done.stderr)
    assert "stdout is closed" in done.stderr
