"""Run ``omniarb`` in this process or in one of its own, and see what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typer.testing import CliRunner, Result

from cli.main import app
from pipeline.devnet.description import DevnetDescription

ROOT = Path(__file__).resolve().parents[2]
TAPE_BLOCKS = 8
ONE_LINE = r"error \[[A-Z_]+\]: .+"


def omniarb(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def files(folder: Path) -> dict[str, bytes]:
    """Return what lies in a folder; an empty folder for runs is nothing."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if path != folder / "runs" or path.is_file()
    }


def refused(*arguments: str | Path, code: int = 2) -> str:
    """Run a command that must be refused before it does anything; return its one line."""
    before = files(Path.cwd())
    result = omniarb(*arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert re.fullmatch(rf"{ONE_LINE}\n", result.stderr), result.stderr
    assert files(Path.cwd()) == before
    return str(result.stderr)


def plain(text: str) -> str:
    """Return what a person reads, without colours, boxes and line breaks."""
    return re.sub(r"[\s│╭╮╰╯─]+", " ", re.sub(r"\x1b\[[0-9;]*m", "", text))


def in_a_process(*arguments: str | Path, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        start_new_session=True,
    )


@contextmanager
def devnet(
    *arguments: str | Path, **environ: str
) -> Iterator[tuple[subprocess.Popen[str], DevnetDescription]]:
    """Run ``omniarb devnet`` until it is ready; nothing of it survives the block."""
    with in_a_process("devnet", *arguments, **environ) as process:
        try:
            assert process.stdout is not None
            yield process, DevnetDescription.from_json(process.stdout.readline())
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def record(folder: Path) -> None:
    """Record a tape as a person does."""
    arguments = ("--record", folder, "--blocks", str(TAPE_BLOCKS), "--seed", "4")
    with in_a_process("devnet", *arguments) as process:
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert said == f"recorded {TAPE_BLOCKS} blocks to {folder}\n"
    assert len(DevnetDescription.from_json(out).specs) == 10
    assert sorted(path.name for path in folder.parent.iterdir()) == ["tape"]


def children_of(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while not all(map(_gone, pids)):
        assert time.monotonic() < deadline, "a child is left behind"
        time.sleep(0.02)


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
