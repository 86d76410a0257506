"""A logged study can be read back, from anywhere, with everything needed to run it again."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from core.seams import ManualClock
from models.evaluation import Series
from models.tracking import (
    POINTS_AT_MOST,
    TrackingStore,
    code_version,
    log_study,
    reliability_curve,
    skill_so_far,
    tracking_uri,
)
from tests.registry_fixtures import NOW_NS, WINS, provenance, study


def test_address_is_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    from_home = tracking_uri(Path("mlruns"))
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert tracking_uri(Path("../mlruns")) == from_home == f"sqlite:///{tmp_path}/mlruns/mlflow.db"


def test_study_gives_one_parent_and_one_child_per_model(store: TrackingStore) -> None:
    logged = log_study(store, study(WINS), provenance(), clock=ManualClock(NOW_NS))
    client = MlflowClient(store.uri)
    assert set(logged.runs) == set(WINS)
    for name, run_id in logged.runs.items():
        run = client.get_run(run_id)
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == logged.parent
        assert run.data.tags["kind"] == ("baseline" if name in ("persistence", "exact_formula") else "model")
        assert run.data.metrics["final_mae"] == pytest.approx(WINS[name])
        assert run.data.params["seed"] == "7"
        assert run.data.params["horizon_blocks"] == "2"
        assert run.data.params["best_baseline"] == "persistence"
        assert run.data.tags["data_hash"] == provenance().data_hash
        assert run.inputs.dataset_inputs[0].dataset.name == "devnet-7"
        plots = {file.path for file in client.list_artifacts(run_id, "plots")}
        assert plots == {"plots/calibration.png", "plots/prediction_vs_truth.png"}
    parent = client.get_run(logged.parent)
    assert parent.data.tags["best_model"] == "lstm"
    assert parent.data.metrics["final_skill"] == pytest.approx(0.2)
    assert [file.path for file in client.list_artifacts(logged.parent, "plots")] == [
        "plots/cumulative_skill.png"
    ]


def test_metrics_over_blocks_are_thinned(store: TrackingStore) -> None:
    logged = log_study(store, study(WINS, count=5003), provenance(), clock=ManualClock(NOW_NS))
    history = MlflowClient(store.uri).get_metric_history(logged.runs["lstm"], "mae")
    assert POINTS_AT_MOST // 2 < len(history) <= POINTS_AT_MOST + 1
    assert [point.step for point in history] == sorted({point.step for point in history})
    assert history[0].step >= 100, "steps are block numbers"


def test_logging_is_quick_and_leaves_no_folder_mlflow_would_mistake_for_its_old_store(
    store: TrackingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    started = time.monotonic()
    log_study(store, study(WINS, count=5000), provenance())
    assert time.monotonic() - started < 15
    assert list(elsewhere.iterdir()) == []
    assert not [path for path in store.home.iterdir() if re.fullmatch(r"\d+", path.name)]
    assert (store.home / "artifacts" / "omniarb").is_dir()


def test_two_stores_do_not_mix(store: TrackingStore, migrated_home: Path) -> None:
    log_study(store, study(WINS), provenance(), clock=ManualClock(NOW_NS))
    assert MlflowClient(tracking_uri(migrated_home)).get_experiment_by_name("omniarb") is None


def test_skill_so_far_ends_at_the_final_skill() -> None:
    blocks, skills = skill_so_far(study(WINS))
    assert blocks[-1] == 1099
    assert skills["lstm"][-1] == pytest.approx(0.2)
    assert skills["snarimax"][-1] == pytest.approx(-0.2)
    assert "persistence" not in skills


def test_reliability_of_honest_intervals_lies_on_the_diagonal() -> None:
    count = 20_000
    noise = np.random.default_rng(1).normal(0, 1, count)
    guess = np.full(count, 20.0)
    # 1.6449 standard deviations hold 90 % of a normal distribution
    series = Series(np.arange(count), guess + noise, guess, guess - 1.6449, guess + 1.6449)
    nominal, empirical = reliability_curve(series, 0.9)
    assert np.allclose(nominal, empirical, atol=0.015)


def test_reliability_without_any_width_is_empty() -> None:
    one = np.array([1.0])
    assert reliability_curve(Series(np.array([1]), one, one, one, one), 0.9) == ([], [])


def test_code_version_names_the_commit_or_says_unknown(tmp_path: Path) -> None:
    assert code_version(tmp_path) == "unknown"
    environment = {
        **os.environ,
        **{f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }

    def git(*command: str) -> str:
        done = subprocess.run(
            ["git", *command], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "one")
    assert code_version(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "a").write_text("2")
    assert code_version(tmp_path) == git("rev-parse", "HEAD") + "-dirty"
