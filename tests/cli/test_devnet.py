"""``omniarb devnet`` as a process: it goes when asked, and when its node goes."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from pipeline.live_config import KEYSTORE_PASSWORD_VARIABLE
from tests.cli.stage import ONE_LINE, children_of, devnet, refused, wait_until_gone


def test_a_tape_is_never_written_over() -> None:
    Path("tape").mkdir()
    (Path("tape") / "precious").write_text("data")
    assert "tape exists" in refused("devnet", "--record", "tape", "--blocks", "1")


def test_keystores_need_a_password() -> None:
    assert KEYSTORE_PASSWORD_VARIABLE in refused("devnet", "--keys", "keys", "--blocks", "1")


def test_a_place_that_cannot_be_written_to_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("hello")
    monkeypatch.setenv(KEYSTORE_PASSWORD_VARIABLE, "x")
    assert "file" in refused("devnet", "--keys", "file/keys", "--blocks", "1")
    assert "file" in refused("devnet", "--record", "file/tape", "--blocks", "1")


def test_the_local_chain_writes_keystores_and_goes_when_asked(tmp_path: Path) -> None:
    secret = {KEYSTORE_PASSWORD_VARIABLE: "a good password"}
    with devnet("--blocks", "2", "--keys", tmp_path / "keys", **secret) as (process, place):
        assert place.chain_id == 1
        pids = children_of(process.pid)
        assert pids
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in said
    wait_until_gone(pids)
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["flashbots.json", "wallet.json"]
    for path in (tmp_path / "keys").iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert "crypto" in json.loads(path.read_text())


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_recording_that_is_stopped_leaves_no_half_tape(tmp_path: Path, kind: signal.Signals) -> None:
    with devnet("--blocks", "100000", "--record", tmp_path / "tape") as (process, _):
        pids = children_of(process.pid)
        time.sleep(0.5)
        process.send_signal(kind)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    wait_until_gone(pids)
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "arguments",
    [("--record", "tape"), (), ("--wait-for", "somebody")],
    ids=["recording", "mining", "waiting"],
)
def test_a_node_that_dies_under_the_local_chain_is_told_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with devnet("--blocks", "100000", *arguments) as (process, _):
        (node,) = children_of(process.pid)
        time.sleep(0.2)
        os.kill(node, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    lines = [line for line in said.splitlines() if not line.startswith("block ")]
    assert len(lines) == 1, said
    assert re.fullmatch(ONE_LINE, lines[0])
    assert [path.name for path in tmp_path.iterdir()] == []
