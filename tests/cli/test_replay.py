"""``omniarb replay``: one recording counted, and everything that is no recording refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import core.data_root
from core.config_loader import load_settings
from core.data_root import find_data_root
from market.tape import TapeReader
from tests.cli.stage import TAPE_BLOCKS, omniarb, plain, record, refused


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape as a person records it."""
    folder = tmp_path_factory.mktemp("recorded") / "tape"
    record(folder)
    return folder


@pytest.mark.parametrize("variable", ["OMNIARB_DATA", "OMNIARB_STORAGE__DATA_ROOT"])
def test_a_data_root_that_is_not_there_is_named_and_no_run_is_begun(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "/nowhere/at/all")
    for command in ("replay", "run"):
        line = refused(command)
        assert "/nowhere/at/all" in line
        assert "OMNIARB_DATA" in line


def test_a_data_root_without_data_is_named_and_no_run_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("empty").mkdir()
    monkeypatch.setenv("OMNIARB_DATA", str(Path("empty").resolve()))
    for command in ("replay", "run"):
        assert "empty" in refused(command)


def test_the_setting_is_what_counts_and_the_short_name_only_fills_it(tmp_path: Path) -> None:
    for name in ("named", "short"):
        (tmp_path / name).mkdir()
    short = {"OMNIARB_DATA": str(tmp_path / "short")}
    both = short | {"OMNIARB_STORAGE__DATA_ROOT": str(tmp_path / "named")}
    assert find_data_root(load_settings("replay", short)) == tmp_path / "short"
    assert find_data_root(load_settings("replay", both)) == tmp_path / "named"


def test_data_of_the_project_is_found_from_every_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings("replay", {})
    assert find_data_root(settings) is None
    core.data_root.DEFAULT_DATA_ROOT.mkdir()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert find_data_root(settings) == core.data_root.DEFAULT_DATA_ROOT


def test_no_history_and_no_tape_is_answered_with_what_to_do() -> None:
    line = refused("replay")
    assert "OMNIARB_DATA" in line
    assert "omniarb devnet --record" in line


def test_a_tape_that_is_no_tape_is_named() -> None:
    assert "nowhere" in refused("replay", "--tape", "nowhere")
    Path("folder").mkdir()
    assert "folder is not a tape" in refused("replay", "--tape", "folder")
    Path("file").write_text("hello")
    assert "file" in refused("replay", "--tape", "file", "--json")


def test_a_recorded_tape_is_replayed_as_pure_json(recorded: Path) -> None:
    result = omniarb("replay", "--tape", recorded, "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    counts = json.loads(result.stdout)
    assert counts.keys() == {
        "source",
        "blocks",
        "logs",
        "swaps",
        "invariant_checked",
        "invariant_ok",
        "not_checkable",
        "opportunities",
        "refusals",
        "digest",
    }
    assert counts["blocks"] == TAPE_BLOCKS
    assert counts["invariant_ok"] == counts["invariant_checked"] == counts["swaps"] > 0
    assert result.stdout == json.dumps(counts, indent=2) + "\n"


def test_a_replay_for_a_person_says_the_same(recorded: Path) -> None:
    counts = json.loads(omniarb("replay", "--tape", recorded, "--json").stdout)
    refusals = counts.pop("refusals")
    shown = omniarb("replay", "--tape", recorded)
    assert shown.exit_code == 0
    for value in counts.values():
        assert str(value) in plain(shown.stdout)
    for reason, count in refusals.items():
        assert f"refused: {reason} {count}" in plain(shown.stdout)


def test_the_same_seed_records_the_same_history(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again" / "tape"
    folder.parent.mkdir()
    record(folder)
    first, second = (
        json.loads(omniarb("replay", "--tape", tape, "--json").stdout) for tape in (recorded, folder)
    )
    assert first == second
    assert TapeReader(folder).recorded().pools == TapeReader(recorded).recorded().pools


def test_a_falsified_tape_is_refused_in_one_line(recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    shutil.copytree(recorded, folder)
    (logs,) = folder.glob("logs/*/*.parquet")
    logs.write_bytes(logs.read_bytes()[:-1])
    assert str(logs.relative_to(folder)) in refused("replay", "--tape", folder, "--json")
