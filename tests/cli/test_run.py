"""``omniarb run``: what is refused before a minute of work, and how settings reach the executor."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.folders import drop_if_empty, new_folder
from cli.run import RunOptions, _live_config
from cli.tracking import check_writable
from core.config_loader import load_settings
from core.errors import InputError
from serving.ports import listening_port
from tests.cli.stage import ROOT, refused

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_production_is_not_for_the_local_chain() -> None:
    document = json.loads((ROOT / "configs" / "replay.json").read_text()) | {"mode": "production"}
    for section, name in (("web3", "wallet"), ("flashbots", "identity")):
        document.setdefault(section, {})[name] = {"keystore": "x.json"}
    Path("mine.json").write_text(json.dumps(document))
    assert "use replay or development" in refused("run", "--config", "mine.json")


def test_a_folder_for_runs_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("hello")
    monkeypatch.setenv("OMNIARB_STORAGE__RUNS_DIR", str(Path("file").resolve()))
    assert "file" in refused("run")


def test_a_port_that_is_taken_is_named_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, taken_port: int
) -> None:
    monkeypatch.setenv("OMNIARB_SERVING__PORT", str(taken_port))
    line = refused("run")
    assert str(taken_port) in line
    assert "serving.port" in line


@pytest.mark.parametrize("host", ["203.0.113.1", "nowhere.invalid", "a..b"])
def test_a_host_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(InputError, match=r"serving\.host") as caught:
        listening_port(host, 0)
    assert host in caught.value.message


def test_a_free_port_is_taken_as_it_is_asked_for(taken_port: int) -> None:
    free = listening_port("127.0.0.1", 0)
    assert free != taken_port
    assert listening_port("127.0.0.1", free) == free


def corrupt(home: Path) -> None:
    home.mkdir()
    (home / "mlflow.db").write_bytes(b"garbage" * 1_000)


def unreadable(home: Path) -> None:
    (home / "mlflow.db").mkdir(parents=True)


def no_folder(home: Path) -> None:
    home.write_text("hello")


@pytest.mark.parametrize("spoil", [corrupt, unreadable, no_folder])
def test_a_tracking_store_that_cannot_be_used_is_named_before_the_work(tmp_path: Path, spoil: Any) -> None:
    spoil(tmp_path / "mlruns")
    line = refused("run")
    assert str(tmp_path / "mlruns") in line
    assert "storage.mlflow_home" in line


def test_a_tracking_database_is_asked_whether_it_could_be_written(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    with pytest.raises(InputError, match="cannot be written"):
        check_writable(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE precious(x)")
        before = database.read_bytes()
        check_writable(database)
        # while somebody writes it is as good as any
        connection.execute("BEGIN IMMEDIATE")
        check_writable(database, patience_s=0.01)
    assert database.read_bytes() == before


def test_runs_of_the_same_second_and_seed_have_folders_of_their_own(tmp_path: Path) -> None:
    names = [new_folder(tmp_path / "runs", NOW, 7).name for _ in range(3)]
    assert names == ["20260102-030405-seed7", "20260102-030405-seed7-2", "20260102-030405-seed7-3"]
    assert new_folder(tmp_path / "runs", NOW, 8).name == "20260102-030405-seed8"


def test_only_an_empty_folder_is_dropped(tmp_path: Path) -> None:
    empty, full = (new_folder(tmp_path / "runs", NOW, 7) for _ in range(2))
    (full / "devnet.log").write_text("block 1")
    for folder in (empty, full, tmp_path / "nowhere"):
        drop_if_empty(folder)
    assert list((tmp_path / "runs").iterdir()) == [full]


def test_limits_and_patience_with_relays_are_those_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OMNIARB_FLASHBOTS__TIMEOUT_SECONDS", "3.5")
    monkeypatch.setenv("OMNIARB_RISK__MIN_PROFIT_WEI", "5")
    monkeypatch.setenv("OMNIARB_RISK__MAX_REVERTS_IN_A_ROW", "9")
    names = ("http_url", "ws_url", "relay_url", "executor", "wrapped_native", "vault", "block_time")
    devnet: Any = SimpleNamespace(**dict.fromkeys(names, "x"), tokens=(), specs=(), chain_id=1)
    options = RunOptions("replay", 7, 2, False, 0.0, True)
    config = _live_config(load_settings("replay", os.environ), options, tmp_path, devnet)
    assert config.relay_timeout_s == 3.5
    assert (config.limits.min_profit_wei, config.limits.max_reverts_in_a_row) == (5, 9)
