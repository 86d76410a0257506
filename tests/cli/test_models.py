"""``omniarb models``: what is shown, what is decided, and one line for whatever cannot be used."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import cli.models_promote
from models.registration import alias_version
from models.tracking_store import TrackingStore
from tests.cli.stage import omniarb, plain, refused
from tests.models.test_alias_requests import NAME, blocks, template
from tests.registry_fixtures import migrated_home

__all__ = ["migrated_home", "template"]


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    """Version 1 is persistence, version 2 the formula and champion; artifacts stay in the template."""
    home = tmp_path / "mlruns"
    shutil.copytree(template, home, ignore=shutil.ignore_patterns("artifacts"))
    return home


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put blocks where a recording would be replayed, which takes seconds and data."""

    def put(*, formula_wins: bool) -> None:
        monkeypatch.setattr(cli.models_promote, "record_trial", lambda *_: blocks(formula_wins=formula_wins))

    return put


def document(*arguments: str) -> Any:
    result = omniarb(*arguments, "--json")
    assert result.stderr == ""
    return json.loads(result.stdout)


def test_versions_are_listed_newest_first(home: Path) -> None:
    listed = document("models", "list")
    assert [version["version"] for version in listed["versions"]] == ["2", "1"]
    assert (listed["open_requests"], listed["damaged_ledger_lines"]) == ([], [])
    shown = omniarb("models", "list")
    assert shown.exit_code == 0
    for word in ("exact_formula", "champion", "lstm", "-0.4000"):
        assert word in plain(shown.stdout)


def test_a_version_is_shown_and_explained(home: Path) -> None:
    shown = document("models", "show", "2")
    assert (shown["model"], shown["aliases"]) == ("exact_formula", ["champion"])
    assert shown["snapshot"] in plain(omniarb("models", "show", "2").stdout).replace(" ", "")
    for what in ("2", shown["run_id"]):
        told = document("models", "explain", what)
        assert told["serves_as"] == ["champion"]
        assert told["trained_on"]["data_set"] == "devnet-7"
    said = plain(omniarb("models", "explain", "1").stdout)
    assert "version 1 of base-fee-h2 has never been asked for: not promoted: skill -0.4000" in said


def test_promotion_goes_through_the_gate_and_rollback_is_one_command(home: Path, recorded: Any) -> None:
    client = TrackingStore(home).client()
    recorded(formula_wins=True)
    result = omniarb("models", "promote", "1")
    assert result.exit_code == 1
    assert "version 1 of base-fee-h2 is not champion, version 2 stays: skill_not_positive" in plain(
        result.stdout
    )
    assert alias_version(client, NAME, "champion") == "2"
    recorded(formula_wins=False)
    (decision,) = document("models", "promote", "1")["decisions"]
    assert (decision["after"], decision["reason"]) == ("1", None)
    assert alias_version(client, NAME, "champion") == "1"
    assert "is champion: skill +" in plain(omniarb("models", "explain", "1").stdout)
    result = omniarb("models", "rollback")
    assert result.exit_code == 0
    assert "version 2 of base-fee-h2 is champion (before: 1): rolled back" in plain(result.stdout)
    assert alias_version(client, NAME, "champion") == "2"
    said = refused("models", "rollback", "--json")
    assert "no version that was champion of base-fee-h2 before version 2, the first; promote another" in said


def test_an_alias_moved_in_the_page_is_decided_without_naming_a_version(home: Path, recorded: Any) -> None:
    client = TrackingStore(home).client()
    client.set_registered_model_alias(NAME, "champion", "1")
    assert "champion was moved to version 1" in plain(omniarb("models", "list").stdout)
    recorded(formula_wins=True)
    assert omniarb("models", "promote").exit_code == 1
    assert alias_version(client, NAME, "champion") == "2"
    result = omniarb("models", "promote")
    assert result.exit_code == 0
    assert "nothing to decide" in plain(result.stdout)


@pytest.mark.parametrize(
    "command", [("list",), ("show", "1"), ("explain", "1"), ("promote", "1"), ("rollback",)]
)
def test_without_a_registry_one_line_says_how_to_make_one(command: tuple[str, ...]) -> None:
    assert "omniarb train" in refused("models", *command, "--json")


@pytest.mark.parametrize("command", [("list",), ("show", "1"), ("rollback",), ("register", "00ff")])
@pytest.mark.parametrize("below", ["", "deeper/mlruns"])
def test_a_place_that_can_hold_no_registry_is_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], below: str
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("OMNIARB_STORAGE__MLFLOW_HOME", str(tmp_path / "a file" / below))
    said = refused("models", *command, "--json")
    assert "a file is no folder that can be written to; set storage.mlflow_home" in said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("show", "9"), "no version 9; it has 1, 2"),
        (("promote", "nine"), "no version nine"),
        (("explain", "00ff00ff00ff"), "no version of base-fee-h2 from a run 00ff"),
        (("explain", ""), "no version of base-fee-h2 from a run"),
        (("list", "--name", "it's"), "no registered model it's"),
        (("promote", "1", "--alias", "king"), "no alias king; there are champion, challenger, shadow"),
        (("promote", "1", "--tape", "nowhere"), "nowhere"),
    ],
)
def test_what_is_not_there_is_named(home: Path, command: tuple[str, ...], said: str) -> None:
    document("models", "list")
    assert said in refused("models", *command, "--json")


def test_a_damaged_ledger_is_told_and_loses_nothing_else(home: Path) -> None:
    ledger = home / "promotions.jsonl"
    ledger.write_bytes(b'{"when": torn\n' + ledger.read_bytes())
    assert document("models", "list")["damaged_ledger_lines"] == [1]
    assert "line(s) 1 of" in plain(omniarb("models", "list").stdout)
    assert document("models", "explain", "2")["serves_as"] == ["champion"]


def test_a_version_whose_snapshot_is_damaged_is_refused(home: Path, recorded: Any, template: Path) -> None:
    recorded(formula_wins=False)
    kept = {path: path.read_bytes() for path in template.glob("artifacts/**/snapshot.zip")}
    for path, content in kept.items():
        path.write_bytes(content[:100])
    try:
        result = omniarb("models", "promote", "1", "--json")
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["decisions"][0]["reason"] == "model_unusable"


@pytest.mark.slow
def test_a_locked_database_is_one_line(home: Path) -> None:
    with closing(sqlite3.connect(home / "mlflow.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        result = omniarb("models", "list", "--json")
    assert result.exit_code == 2
    assert "database is locked" in result.stderr
    assert result.stderr.count("\n") == 1
