"""A target is trained, registered behind its baseline, gated on rows kept back, promoted and taken back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

import cli.models_trial
import models.online_lstm
from models.courses import search_part
from models.registration import alias_version
from models.registry_view import find_version
from models.target_learning import learn_target
from models.targets.table import TargetTable
from models.tracking_store import TrackingStore
from models.trial_settings import usual_setting
from models.trials import Trial
from pipeline.evolution.tracking import WINNER, RunLog
from tests.cli.stage import omniarb, plain, refused
from tests.models.target_tables import number_table, probability_table
from tests.registry_fixtures import migrated_home

__all__ = ["migrated_home"]

GAS, SURVIVAL = "gas_used_1", "survival_block_end"
TABLES = {
    GAS: replace(number_table(1400, first_judged=600), name=GAS),
    SURVIVAL: replace(probability_table(700, first_judged=400), name=SURVIVAL),
}


def built(_root: Path, names: list[str], **_: Any) -> Iterator[TargetTable]:
    """Yield small targets whose truth is known where recordings would be read."""
    return (TABLES[name] for name in names)


@pytest.fixture
def home(migrated_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrackingStore:
    shutil.copytree(migrated_home, tmp_path / "mlruns")
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "README.md").touch()
    monkeypatch.setenv("OMNIARB_DATA", str(tmp_path / "history"))
    monkeypatch.setattr(cli.models_trial, "build_targets", built)
    return TrackingStore(tmp_path / "mlruns")


def document(*arguments: str) -> Any:
    result = omniarb(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_target_goes_from_training_to_champion_and_back(home: TrackingStore) -> None:
    trained = document("train", "--target", GAS, "--model", "boosting")
    assert (trained["name"], trained["version"], trained["first"]) == ("gas-used-1", "2", "1")
    assert (trained["champion"], trained["baseline"], trained["kept_back"]) == ("1", "half", 800)
    view = find_version(home, "gas-used-1", "2")
    assert (view.model, view.aliases, view.state_block) == ("boosting", ("challenger",), 6000)
    result = omniarb("models", "promote", "2", "--name", "gas-used-1")
    assert result.exit_code == 0, result.output
    assert "version 2 of gas-used-1 is champion (before: 1): skill +" in plain(result.stdout)
    # any client of MLflow loads it by its alias and asks with the tensor that its signature names
    client = MlflowClient(home.uri, home.uri)
    version = client.get_model_version_by_alias("gas-used-1", "champion")
    served = mlflow.pyfunc.load_model(client.get_model_version_download_uri("gas-used-1", version.version))
    (tensor,) = served.metadata.signature.inputs.inputs
    value, lower, upper = served.predict(np.full([abs(size) for size in tensor.shape], 0.5))[0]
    assert lower < value < upper
    assert served.metadata.metadata["corrects"] == "half"
    assert "version 1 of gas-used-1 is champion" in plain(
        omniarb("models", "rollback", "--name", "gas-used-1").stdout
    )
    again = omniarb("train", "--target", GAS, "--model", "boosting")
    assert "a run asks for forecasts of base fees only" in plain(again.stdout)
    assert "boosting is version 2 of gas-used-1, challenger: has the alias already" in plain(again.stdout)


def test_a_mix_is_trained_gated_served_and_says_why_the_champion_is_no_expert_of_it(
    home: TrackingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the other experts carry this target
    monkeypatch.setattr(models.online_lstm, "EPOCHS", (1, 1))
    trained = document("train", "--target", GAS, "--model", "mix")
    assert (trained["model"], trained["version"], trained["champion"]) == ("mix", "2", "1")
    result = omniarb("models", "promote", "2", "--name", "gas-used-1")
    assert result.exit_code == 0, result.output
    served = mlflow.pyfunc.load_model(home.client().get_model_version_download_uri("gas-used-1", "2"))
    (tensor,) = served.metadata.signature.inputs.inputs
    value, lower, upper = served.predict(np.full([abs(size) for size in tensor.shape], 0.5))[0]
    assert lower < value < upper
    again = plain(omniarb("train", "--target", GAS, "--model", "mix").stdout)
    assert "version 2 of gas-used-1, is no expert of the mix: it has learned from rows that" in again


def test_of_a_probability_the_best_model_on_learning_rows_is_registered(home: TrackingStore) -> None:
    trained = document("train", "--target", SURVIVAL)
    skills = {score["name"]: score["skill"] for score in trained["scores"]}
    assert set(skills) == {"river_logistic", "boosting", "river_tree", "logit_lstm", "mix"}
    assert trained["model"] == max(skills, key=lambda name: skills[name])
    view = find_version(home, "survival-block-end", "2")
    assert 0 < view.brier < 0.25
    shown = plain(omniarb("models", "show", "2", "--name", "survival-block-end").stdout)
    assert "Brier score" in shown
    assert "coverage - " in shown


def test_a_model_that_is_no_better_leaves_the_baseline_champion(
    home: TrackingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(5)
    noise = replace(TABLES[GAS], label=random.normal(0, 1, 1400))
    monkeypatch.setitem(TABLES, GAS, replace(noise, baselines={"zero": np.zeros(1400)}))
    assert document("train", "--target", GAS, "--model", "river_tree")["champion"] == "1"
    result = omniarb("models", "promote", "2", "--name", "gas-used-1")
    assert result.exit_code == 1
    assert "version 2 of gas-used-1 is not champion, version 1 stays" in plain(result.stdout)
    assert alias_version(home.client(), "gas-used-1", "champion") == "1"


def test_the_winner_of_a_search_is_registered_from_its_run_or_the_search_s(home: TrackingStore) -> None:
    table = TABLES[GAS]
    found = Trial(search_part(table, 6000), usual_setting(GAS, "boosting"), 7).run()
    log = RunLog(home, {}, {"code_version": "x"})
    numbers = {"skill": 0.2, "loss": 0.4}
    parameters = {"hardest_baseline": "half", "judged": 300}
    winner = log.kept(WINNER, learn_target(table, found, 7, nominal=0.9), parameters, numbers, 300, {})
    registered = document("models", "register", log.parent)
    assert (registered["name"], registered["version"], registered["run"]) == ("gas-used-1", "2", winner)
    assert document("models", "register", winner)["version"] == "2"
    assert document("models", "explain", "2", "--name", "gas-used-1")["view"]["skill"] == 0.2
    assert omniarb("models", "promote", "2", "--name", "gas-used-1").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "--target", GAS, "--model", "oracle"), "no model 'oracle' forecasts gas_used_1"),
        (("train", "--target", GAS, "--model", "river_logistic"), "a number; there are quantile_lstm"),
        (("train", "--target", "moon", "--model", "boosting"), "there is no target 'moon'"),
        (("train", "--model", "boosting"), "name with --target"),
        (("train", "--target", GAS, "--hold-back", "9"), "leave out --tape, --day and --hold-back"),
        (("models", "register", "it's"), "there is no run it's"),
        (("models", "promote", "2", "--name", "gas-used-1", "--day", "x"), "leave out --tape and --day"),
    ],
)
def test_what_cannot_be_done_is_one_line(home: TrackingStore, arguments: tuple[str, ...], said: str) -> None:
    home.client()
    assert said in refused(*arguments, "--json")


def test_without_history_or_runs_one_line_says_what_to_do(tmp_path: Path) -> None:
    assert "set OMNIARB_DATA" in refused("train", "--target", GAS, "--json")
    assert "omniarb evolve" in refused("models", "register", "0f", "--json")
