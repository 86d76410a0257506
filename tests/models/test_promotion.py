"""Skill decides who serves, and the ledger remembers it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from core.errors import ModelError
from core.reasons import Reason
from models.baselines import Persistence
from models.champion import find_champion, load_champion, load_version
from models.forecaster import Window
from models.ledger import deciding
from models.promotion import PromotionOutcome, alias_version, check_answer, promote, read_ledger
from models.standing import find_standing
from models.tracking import TrackingStore, log_study
from tests.registry_fixtures import LOSES, WINS, provenance, snapshot, study, window

Register = Callable[..., PromotionOutcome]


def test_a_model_with_positive_skill_becomes_champion(store: TrackingStore, register: Register) -> None:
    outcome = register(WINS)
    assert (outcome.model, outcome.version, outcome.reason) == ("lstm", "1", None)
    assert outcome.skill == pytest.approx(0.2)
    version = MlflowClient(store.uri, store.uri).get_model_version_by_alias("base-fee-h2", "champion")
    assert str(version.version) == "1"
    assert version.tags["why"].startswith("promoted: skill +0.2000 against persistence")
    assert version.tags["code_version"] == "unknown"


def test_without_skill_the_best_baseline_serves_and_says_why(
    store: TrackingStore, register: Register
) -> None:
    outcome = register(LOSES)
    assert outcome.reason is Reason.SKILL_NOT_POSITIVE
    assert (outcome.model, outcome.skill) == ("persistence", 0.0)
    assert (outcome.candidate, outcome.candidate_skill) == ("lstm", pytest.approx(-0.4))
    client = MlflowClient(store.uri, store.uri)
    refused = client.get_model_version("base-fee-h2", "1")
    assert refused.tags["model"] == "lstm"
    assert refused.tags["reason"] == "skill_not_positive"
    serves = client.get_model_version_by_alias("base-fee-h2", "champion")
    assert str(serves.version) == outcome.version == "2"
    assert "lstm, does not" in serves.tags["why"]


def test_equal_skill_is_not_enough(register: Register) -> None:
    assert register(WINS | {"lstm": 0.5}).reason is Reason.SKILL_NOT_POSITIVE


def test_every_move_of_the_alias_stays_in_the_ledger(store: TrackingStore, register: Register) -> None:
    assert read_ledger(store) == []
    register(WINS)
    register(LOSES)
    first, second = read_ledger(store)
    assert (first["from"], first["to"]) == (None, "1")
    assert (second["from"], second["to"]) == ("1", "3")
    assert first["when"] == "2023-11-14T22:13:20+00:00"
    assert second["evidence"]["outcome"]["reason"] == "skill_not_positive"
    assert second["evidence"]["scores"]["lstm"]["skill"] == pytest.approx(-0.4)


def test_a_study_waits_for_a_gate_that_is_deciding_and_then_decides_itself(
    store: TrackingStore, register: Register
) -> None:
    name, client = "base-fee-h2", MlflowClient(store.uri, store.uri)
    register(WINS)
    with ThreadPoolExecutor(1) as pool:
        with deciding(store):
            promoted = pool.submit(register, LOSES)
            deadline = time.monotonic() + 60
            while len(client.search_model_versions(f"name='{name}'")) < 3:
                assert time.monotonic() < deadline, "the study registers before it decides"
                time.sleep(0.05)
            assert alias_version(client, name, "champion") == "1"
            assert not promoted.done()
            # what was moved by hand meanwhile was never decided
            client.delete_registered_model_alias(name, "champion")
        assert promoted.result(60).version == "3"
    entry = read_ledger(store)[-1]
    assert (entry["from"], entry["to"], find_standing(store, name, "champion").latest) == ("1", "3", entry)
    client.set_registered_model_alias(name, "champion", "2")
    assert find_standing(store, name, "champion").waits
    assert find_champion(store, name) == load_champion(store, name).version == "3"


def test_a_home_without_database_has_no_champion_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="omniarb run") as caught:
        load_champion(TrackingStore(tmp_path / "mlruns"), "base-fee-h2")
    assert caught.value.fields["reason"] is Reason.NO_CHAMPION
    assert not (tmp_path / "mlruns").exists()


def test_a_model_without_the_alias_has_no_champion(store: TrackingStore, register: Register) -> None:
    register(WINS)
    for name, alias in (("base-fee-h2", "challenger"), ("another-model", "champion")):
        with pytest.raises(ModelError, match=f"{name}@{alias}") as caught:
            load_champion(store, name, alias)
        assert caught.value.fields["reason"] is Reason.NO_CHAMPION


def test_a_version_with_a_damaged_snapshot_is_refused_by_name(
    store: TrackingStore, register: Register
) -> None:
    register(WINS)
    (damaged,) = store.home.glob("artifacts/**/snapshot.zip")
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(ModelError, match="version 1 of base-fee-h2 does not load"):
        load_version(store, "base-fee-h2", "1")


def test_a_model_that_cannot_answer_is_not_registered(store: TrackingStore) -> None:
    result = study(WINS)
    logged = log_study(store, result, provenance())
    with pytest.raises(ModelError, match="needs 4 rows, got 2"):
        promote(store, result, logged, snapshot, example=window()[:2])
    assert MlflowClient(store.uri, store.uri).search_registered_models() == []
    assert read_ledger(store) == []


class Constant(Persistence):
    """Says the same whatever it sees."""

    def __init__(self, value: float) -> None:
        self.value = value

    def predict_one(self, window: Window) -> float:
        return self.value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_answer_that_is_no_number_is_nonsense(value: float) -> None:
    check_answer(replace(snapshot(), forecaster=Constant(3.0)), window())
    with pytest.raises(ModelError, match="train it again"):
        check_answer(replace(snapshot(), forecaster=Constant(value)), window())


def test_a_version_that_fails_on_its_example_is_refused(
    store: TrackingStore, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(WINS)

    def fails(_: Persistence, given: Window) -> float:
        # loading asks about a window of ones first
        if given[-1].values[0] != 1.0:
            raise ZeroDivisionError("by design")
        return 1.0

    monkeypatch.setattr(Persistence, "predict_one", fails)
    with pytest.raises(ModelError, match="version 1 of base-fee-h2 fails on its own example"):
        load_version(store, "base-fee-h2", "1")


def test_the_same_model_with_the_same_outcome_keeps_its_version(register: Register) -> None:
    assert register(WINS).version == register(WINS).version == "1"
    assert register(LOSES).version == register(LOSES).version == "3"
