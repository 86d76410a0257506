"""``omniarb evaluate``: one command from recorded data to the table, and a reason where there is none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from models.targets.registry import TARGETS
from models.tracking_store import tracking_uri
from tests.cli.stage import files, omniarb, plain, refused
from tests.registry_fixtures import migrated_home

__all__ = ["migrated_home"]

NUMBER, PROBABILITY = "gap_left_block_end", "survival_swaps_3"
"""The smallest targets of each kind."""


@pytest.fixture
def history(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMNIARB_DATA", str(data_root))
    return data_root


@pytest.mark.usefixtures("history")
def test_one_command_prints_the_table_writes_the_page_and_leaves_the_runs(migrated_home: Path) -> None:
    shutil.copytree(migrated_home, "mlruns")
    result = omniarb("evaluate", "--target", NUMBER, "--short", "--json", "--write", "page.md")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    (target,) = document["targets"]
    assert target["target"] == NUMBER
    names = [one["name"] for one in target["forecasters"]]
    assert {"quantile_lstm", "boosting", "river_tree", "mix"} <= set(names)
    assert names.index("mix") < names.index(target["hardest"]["mae"])
    hardest = next(one for one in target["forecasters"] if one["name"] == target["hardest"]["mae"])
    assert hardest["skill"]["mae"]["value"] == 0
    for one in target["forecasters"]:
        skill = one["skill"]["mae"]
        assert skill["lower"] <= skill["value"] <= skill["upper"]
        assert one["mae"] >= hardest["mae"] * (1 - skill["value"]) - 1e-9
    _check_page(Path("page.md").read_text(), target)
    _check_runs(Path("mlruns"), target)


def _check_page(page: str, target: dict[str, object]) -> None:
    assert f"## {NUMBER}" in page
    assert TARGETS[NUMBER] in page
    assert f"| {target['best']} |" in page
    assert "seed 7; some 2,000 rows of each target" in page


def _check_runs(home: Path, target: dict[str, object]) -> None:
    client = MlflowClient(tracking_uri(home))
    experiment = client.get_experiment_by_name("evaluation")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"evaluate", NUMBER}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    child = runs[NUMBER]
    assert child.data.tags["mlflow.parentRunId"] == runs["evaluate"].info.run_id
    assert child.data.tags["best"] == target["best"]
    assert child.data.metrics["leader_changes"] == target["leader_changes"] >= 0  # type: ignore[operator]
    assert len(child.data.tags["data_hash"]) == 64
    assert child.data.params["hardest_baseline"] == target["hardest"]["mae"]  # type: ignore[index]
    regret = client.get_metric_history(child.info.run_id, "regret.mix")
    assert [point.step for point in regret] == sorted({point.step for point in regret})
    plots = {file.path for file in client.list_artifacts(child.info.run_id, "plots")}
    assert plots == {"plots/calibration.png", "plots/regret.png"}
    assert [file.path for file in client.list_artifacts(runs["evaluate"].info.run_id)] == ["evaluation.json"]


@pytest.mark.usefixtures("history")
def test_a_person_reads_rows_skill_and_verdict_and_nothing_is_left_without_tracking() -> None:
    result = omniarb("evaluate", "--target", PROBABILITY, "--short", "--no-track")
    assert result.exit_code == 0, result.output
    text = plain(result.output)
    assert f"1/1 {PROBABILITY}: {TARGETS[PROBABILITY]}" in text
    assert "river_logistic" in text
    assert "hardest" in text
    assert "rows judged after" in text
    assert "of 1 targets" in text
    assert files(Path.cwd()) == {}


@pytest.mark.usefixtures("history")
def test_bid_policies_stand_in_the_document_and_on_the_page_with_intervals() -> None:
    result = omniarb("evaluate", "--target", "bids", "--no-track", "--json", "--write", "page.md")
    assert result.exit_code == 0, result.output
    document, page = json.loads(result.stdout), Path("page.md").read_text()
    assert document["targets"] == []
    assert {row["auctions"] for row in document["bids"]} == {"blocks", "arbitrage", "builders"}
    assert "A learned bid beats every fixed share on" in page
    for row in document["bids"]:
        assert row["gain"]["lower"] <= row["gain"]["value"] <= row["gain"]["upper"]
        cell = f"| {row['policy']} | {row['win_rate']:.3f} | {row['kept']['value']:.3f} ["
        assert cell in page
        if "reason" in row["kept_from_log"]:
            assert f"`{row['kept_from_log']['reason']}`" in page


def test_without_recorded_history_the_reason_is_one_line() -> None:
    assert "OMNIARB_DATA" in refused("evaluate")


def test_an_empty_data_root_is_refused_with_the_file_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("empty").mkdir()
    monkeypatch.setenv("OMNIARB_DATA", str(Path("empty").resolve()))
    assert ".parquet" in refused("evaluate", "--no-track")


@pytest.mark.usefixtures("history")
def test_a_target_that_is_not_there_is_refused_with_those_that_are() -> None:
    line = refused("evaluate", "--target", "weather")
    assert "weather" in line
    assert "base_fee_2" in line


@pytest.mark.usefixtures("history")
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_judged() -> None:
    assert "nowhere" in refused("evaluate", "--target", NUMBER, "--write", "nowhere/page.md")
