"""``omniarb config``: what is in force, and every mistake in a file told once, in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.stage import ROOT, omniarb, refused


def test_an_unknown_configuration_is_answered_with_the_known_ones() -> None:
    assert "did you mean 'replay'" in refused("config", "repaly")
    line = refused("config", "nothing-like-it")
    assert all(name in line for name in ("development", "production", "replay"))
    assert "did you mean 'replay'" in refused("run", "--config", "repaly")


def test_all_problems_of_a_configuration_are_told_at_once() -> None:
    document = json.loads((ROOT / "configs" / "replay.json").read_text())
    document["risk"]["min_profit_wei"] = -1
    document["serving"]["port"] = 99_999
    document["tokens"][0]["address"] = "0x12"
    document["colour"] = "blue"
    Path("mine.json").write_text(json.dumps(document))
    for command in (("config", "mine.json"), ("run", "--config", "mine.json")):
        line = refused(*command)
        assert "4 problems" in line
        assert line.count("BAD_CONFIG") == 1
        for place in ("risk.min_profit_wei", "serving.port", "tokens.0.address", "colour"):
            assert line.count(f"{place}: found") == 1


def test_a_key_in_clear_is_refused_and_not_repeated() -> None:
    key = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
    document = json.loads((ROOT / "configs" / "replay.json").read_text())
    document["web3"]["private_key"] = key
    Path("mine.json").write_text(json.dumps(document))
    line = refused("config", "mine.json", "--json")
    assert "web3.private_key" in line
    assert key not in line


def test_a_file_that_is_no_configuration_is_named() -> None:
    Path("broken.json").write_text('{"mode": ')
    assert "line 1" in refused("config", "broken.json")
    Path("list.json").write_text("[]")
    assert "list.json" in refused("config", "list.json")
    assert "missing.json" in refused("config", "missing.json")


def test_a_configuration_is_shown_as_json_or_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIARB_RISK__MIN_PROFIT_WEI", "5")
    document = json.loads(omniarb("config", "replay", "--json").stdout)
    assert document["risk"]["min_profit_wei"] == 5
    assert document["mode"] == "replay"
    assert document["storage"]["runs_dir"] == str(Path.cwd() / "runs")
    shown = omniarb("config", "replay")
    assert shown.exit_code == 0
    assert "risk.min_profit_wei" in shown.output
    assert not shown.output.lstrip().startswith("{")


def test_a_file_that_is_nested_without_end_is_one_line() -> None:
    Path("deep.json").write_text("[" * 200_000)
    assert "is nested too deep" in refused("config", "deep.json")
