"""Skill decides who serves, and the ledger remembers it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from core.errors import ModelError
from core.reasons import Reason
from models.champion import load_champion, load_version
from models.promotion import PromotionOutcome, read_ledger
from models.tracking import TrackingStore
from tests.registry_fixtures import LOSES, WINS

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
