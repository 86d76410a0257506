"""``omniarb bench``: rows, pages, exit codes, and the commit and history that figures belong to."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import cli.bench
from benchmarks import loop
from benchmarks.harness import Row, at_least, commit
from models.tracking import code_version
from tests.cli.stage import ROOT, omniarb, refused


@pytest.fixture
def fast_benchmark(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    rows = [at_least("blocks", 900.0, "blocks/s", 500, "one by one"), Row("memory", 12.5, "MB")]

    def measured(progress: Any) -> list[Row]:
        progress("counting")
        return rows

    monkeypatch.setattr(cli.bench, "BENCHMARKS", {"fast": measured})
    return rows


def test_an_unknown_benchmark_is_answered_with_the_known_ones() -> None:
    line = refused("bench", "lop")
    assert "'lop'" in line
    assert "all, " in line
    assert "loop" in line


def test_a_benchmark_prints_rows_and_writes_its_page(fast_benchmark: list[Row]) -> None:
    result = omniarb("bench", "fast", "--json", "--write", "page.md")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["name"], document["ok"]) == ("fast", True)
    assert [row["what"] for row in document["rows"]] == ["blocks", "memory"]
    assert "counting" in result.stderr
    assert "900" in Path("page.md").read_text()
    shown = omniarb("bench", "all")
    assert shown.exit_code == 0
    assert "one by one" in shown.stdout


def test_a_figure_that_falls_short_is_exit_code_one(fast_benchmark: list[Row]) -> None:
    fast_benchmark[0] = at_least("blocks", 400.0, "blocks/s", 500)
    result = omniarb("bench", "fast", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False


@pytest.mark.parametrize("page", ["no/such/folder/page.md", "folder"])
def test_a_page_that_cannot_be_written_is_told_before_an_hour_of_measuring(
    fast_benchmark: list[Row], page: str
) -> None:
    Path("folder").mkdir()
    assert page in refused("bench", "fast", "--write", page)


def test_an_old_page_stays_when_a_benchmark_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(progress: Any) -> list[Row]:
        raise OSError("the machine has gone")

    monkeypatch.setattr(cli.bench, "BENCHMARKS", {"broken": broken})
    Path("old.md").write_text("figures")
    for page in ("old.md", "new.md"):
        assert "the machine has gone" in refused("bench", "broken", "--write", page)


def test_figures_belong_to_the_commit_of_the_code_wherever_they_are_measured(tmp_path: Path) -> None:
    # the test works in tmp_path: a repository of somebody else's
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    assert commit() == code_version(ROOT)


def test_a_timed_run_gets_the_history_of_the_configuration_and_no_other_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = loop._environment(tmp_path / "history")
    assert {name: value for name, value in given.items() if name.startswith("OMNIARB_")} == {
        "OMNIARB_DATA": str(tmp_path / "history")
    }
    assert not any(name.startswith("OMNIARB_") for name in loop._environment(None))
    assert given["PATH"]
