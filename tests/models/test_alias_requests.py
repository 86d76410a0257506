"""Aliases moved in a real registry are decided by the gate, and every decision can be read and taken back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from core.errors import InputError, ModelError
from core.reasons import Reason, Refusal
from core.seams import ManualClock
from models.alias_requests import Registrar, decided_version, open_requests
from models.champion import Champion, find_champion, load_version
from models.gate import Gate
from models.ledger import LEDGER, judging, read_ledger
from models.registration import alias_version
from models.registry_view import explain, find_by_run, find_version, list_versions
from models.shadow_replay import Trial
from models.standing import find_standing
from models.tracking_store import TrackingStore
from tests.models.gate_stage import trial
from tests.registry_fixtures import NOW_NS, SCHEMA, log_and_promote

NAME = "base-fee-h2"
FORMULA_BEST = {"lstm": 0.7, "persistence": 0.6, "exact_formula": 0.5}
"""Version 1 is the loser, served by persistence in this stage; version 2 is the formula, and champion."""


def blocks(*, formula_wins: bool) -> Trial:
    """Return a trial in which the formula knows the next fee, or points the wrong way."""
    walk = trial()
    rows = []
    for row in walk.rows:
        now, following, _ = row.values
        rows.append((now, following if formula_wins else 2 * now - following))
    return Trial(
        [
            type(row)(row.block_number, row.event_time, 0, SCHEMA.names, values)
            for row, values in zip(walk.rows, rows, strict=True)
        ],
        walk.truths,
        walk.source,
        walk.data_hash,
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, migrated_home: Path) -> Path:
    home = tmp_path_factory.mktemp("requests") / "mlruns"
    shutil.copytree(migrated_home, home)
    log_and_promote(TrackingStore(home), FORMULA_BEST)
    return home


@pytest.fixture
def stage(template: Path, tmp_path: Path) -> Any:
    """Return a store of the test's own; the artifacts of its versions stay in the template."""
    shutil.copytree(template, tmp_path / "mlruns", ignore=shutil.ignore_patterns("artifacts"))
    store = TrackingStore(tmp_path / "mlruns")
    registrar = Registrar(store, NAME, ManualClock(NOW_NS))
    client: MlflowClient = store.client()
    return SimpleNamespace(
        store=store,
        registrar=registrar,
        client=client,
        move=lambda version, alias="champion": client.set_registered_model_alias(NAME, alias, version),
        serves=lambda alias="champion": alias_version(client, NAME, alias),
    )


def test_a_request_that_is_not_proven_better_is_moved_back_with_a_tag_that_says_why(stage: Any) -> None:
    stage.move("1")
    (request,) = open_requests(stage.store, NAME)
    assert (request.alias, request.asked, request.before) == ("champion", "1", "2")
    assert decided_version(stage.store, NAME) == "2"
    (decision,) = stage.registrar.settle_requests(Gate(blocks(formula_wins=True)), who="ada")
    assert decision.reason is Reason.SKILL_NOT_POSITIVE
    assert stage.serves() == "2"
    tags = stage.client.get_model_version(NAME, "1").tags
    assert tags["gate_reason"] == "skill_not_positive"
    assert tags["gate"].startswith("champion refused: skill -")
    entry = read_ledger(stage.store)[-1]
    assert (entry["who"], entry["from"], entry["asked"], entry["to"]) == ("ada", "2", "1", "2")
    assert entry["evidence"]["data_hash"] == "ab" * 32
    assert open_requests(stage.store, NAME) == ()
    assert stage.registrar.settle_requests(Gate(blocks(formula_wins=True)), who="ada") == ()
    told = explain(stage.store, find_version(stage.store, NAME, "1"))
    assert told.serves_as == ()
    assert told.verdict.startswith("was refused: skill_not_positive")


def test_a_request_that_is_proven_better_stays_and_can_be_taken_back(stage: Any) -> None:
    stage.move("1")
    stage.registrar.settle_requests(Gate(blocks(formula_wins=True)), who="ada")
    stage.move("1")
    (decision,) = stage.registrar.settle_requests(Gate(blocks(formula_wins=False)), who="ada")
    assert (decision.reason, decision.after, decision.evidence["attempt"]) == (None, "1", 2)
    assert stage.serves() == decided_version(stage.store, NAME) == "1"
    assert stage.client.get_model_version(NAME, "1").tags["gate_reason"] == ""
    assert explain(stage.store, find_version(stage.store, NAME, "2")).verdict.startswith(
        "was replaced by version 1"
    )
    back = stage.registrar.rollback("champion", who="bob")
    assert (back.before, back.after, stage.serves()) == ("1", "2", "2")
    assert read_ledger(stage.store)[-1]["kind"] == "rollback"
    with pytest.raises(InputError, match="knows no version that was champion"):
        stage.registrar.rollback("champion", who="bob")


def test_versions_that_ask_on_the_same_data_count_as_attempts_of_each_other(stage: Any) -> None:
    registrar, champion = stage.registrar, {"who": "ada", "alias": "champion"}
    first = registrar.request(Gate(blocks(formula_wins=True)), "1", **champion)
    assert first.evidence["attempt"] == 1
    entry = dict(read_ledger(stage.store)[-1])
    told: dict[str, Any] = {"asked": "9", "name": NAME, "alias": "champion", "from": "2"}
    others = [
        told,
        told | {"evidence": {"data_hash": "cd"}},
        told | {"alias": "shadow"},
        told | {"from": "8"},
    ]
    with (stage.store.home / LEDGER).open("a") as ledger:
        ledger.writelines(json.dumps(entry | other) + "\n" for other in others)
    # its own, and that of version 9 on the same data; not on other data, another place, another champion
    again = registrar.request(Gate(blocks(formula_wins=True)), "1", **champion)
    assert again.evidence["attempt"] == 3
    elsewhere = Gate(replace(blocks(formula_wins=True), data_hash="ef"))
    assert registrar.request(elsewhere, "1", **champion).evidence["attempt"] == 3


def test_a_direct_request_moves_nothing_before_it_is_decided(stage: Any) -> None:
    refused = stage.registrar.request(Gate(blocks(formula_wins=True)), "1", "champion", who="ada")
    assert (refused.reason, stage.serves()) == (Reason.SKILL_NOT_POSITIVE, "2")
    taken = stage.registrar.request(Gate(blocks(formula_wins=False)), "1", "champion", who="ada")
    assert (taken.reason, stage.serves()) == (None, "1")
    with pytest.raises(InputError, match="champion already"):
        stage.registrar.request(Gate(blocks(formula_wins=False)), "1", "champion", who="ada")
    with pytest.raises(InputError, match="no version 9; it has 1, 2"):
        stage.registrar.request(Gate(blocks(formula_wins=False)), "9", "champion", who="ada")


def test_a_challenger_only_has_to_work_here(stage: Any) -> None:
    stage.move("1", "challenger")
    (decision,) = stage.registrar.settle_requests(Gate(blocks(formula_wins=True)), who="ada")
    assert (decision.reason, decision.evidence, stage.serves("challenger")) == (None, {}, "1")
    # rows without its features
    stage.move("2", "shadow")
    walk = trial()
    rows = [type(row)(row.block_number, 0, 0, ("hint",), row.values[2:]) for row in walk.rows]
    (decision,) = stage.registrar.settle_requests(Gate(Trial(rows, walk.truths, "x", "y")), who="ada")
    assert (decision.reason, stage.serves("shadow")) == (Reason.SCHEMA_DIFFERS, None)


def test_an_alias_that_was_taken_away_asks_for_nothing_and_rollback_brings_it_back(stage: Any) -> None:
    stage.client.delete_registered_model_alias(NAME, "champion")
    assert open_requests(stage.store, NAME) == ()
    assert decided_version(stage.store, NAME) == "2"
    assert stage.registrar.rollback("champion", who="ada").after == stage.serves() == "2"


def test_a_version_whose_snapshot_is_damaged_is_refused_and_passed_over(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_store: TrackingStore, name: str, version: str) -> None:
        raise ModelError(f"version {version} of {name} does not load")

    gate = Gate(blocks(formula_wins=False))
    stage.registrar.request(gate, "1", "champion", who="ada")
    monkeypatch.setattr("models.alias_requests.load_version", damaged)
    monkeypatch.setattr("models.rollback.load_version", damaged)
    with pytest.raises(ModelError, match="none of the earlier versions 2"):
        stage.registrar.rollback("champion", who="ada")
    assert stage.serves() == "1"
    refused = stage.registrar.request(gate, "2", "champion", who="ada")
    assert (refused.reason, stage.serves()) == (Reason.MODEL_UNUSABLE, "1")


def test_a_registry_that_cannot_be_read_decides_nothing_against_who_serves(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(store: TrackingStore, name: str, version: str) -> Champion:
        if version == "2":
            raise InputError("the database is locked")
        return load_version(store, name, version)

    monkeypatch.setattr("models.alias_requests.load_version", locked)
    stage.move("1")
    with pytest.raises(InputError, match="is locked"):
        stage.registrar.settle_requests(Gate(blocks(formula_wins=False)), who="ada")
    assert [request.asked for request in open_requests(stage.store, NAME)] == ["1"]
    assert decided_version(stage.store, NAME) == "2"


def test_a_version_that_was_deleted_defends_nothing(stage: Any) -> None:
    stage.move("1")
    stage.client.delete_model_version(NAME, "2")
    (decision,) = stage.registrar.settle_requests(Gate(blocks(formula_wins=True)), who="ada")
    assert (decision.reason, decision.evidence["incumbent"]) == (Reason.SKILL_NOT_POSITIVE, "exact_formula")
    assert (stage.serves(), open_requests(stage.store, NAME)) == (None, ())


def test_nothing_is_decided_while_another_process_judges(stage: Any) -> None:
    stage.move("1")
    with judging(stage.store), pytest.raises(ModelError, match="another process"):
        stage.registrar.settle_requests(Gate(blocks(formula_wins=False)), who="ada")
    assert len(open_requests(stage.store, NAME)) == 1


def test_an_alias_that_moves_while_the_gate_works_is_not_overwritten(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(blocks(formula_wins=False))
    judge = Gate.judge

    def slow(self: Gate, *arguments: Any) -> Any:
        stage.client.delete_registered_model_alias(NAME, "champion")
        return judge(self, *arguments)

    monkeypatch.setattr(Gate, "judge", slow)
    with pytest.raises(ModelError, match="points to nothing by now"):
        stage.registrar.request(gate, "1", "champion", who="ada")
    assert stage.serves() is None


def test_a_rollback_goes_ahead_of_a_trial_which_then_decides_nothing(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(blocks(formula_wins=False))
    stage.registrar.request(gate, "1", "champion", who="ada")
    judge, back = Gate.judge, []

    def slow(self: Gate, *arguments: Any) -> Any:
        back.append(stage.registrar.rollback("champion", who="bob"))
        return judge(self, *arguments)

    stage.move("1", "shadow")
    stage.move("2")
    stage.registrar.settle_requests(Gate(blocks(formula_wins=True)), who="ada")
    assert stage.serves() == "2"
    stage.move("1")
    monkeypatch.setattr(Gate, "judge", slow)
    with pytest.raises(ModelError, match="something else was decided about champion; ask again") as caught:
        stage.registrar.settle_requests(gate, who="ada")
    assert caught.value.fields["reason"] is Reason.BUSY
    (decision,) = back
    assert (decision.after, stage.serves(), decided_version(stage.store, NAME)) == ("2", "2", "2")
    assert [entry["kind"] for entry in read_ledger(stage.store)][-1] == "rollback"
    assert open_requests(stage.store, NAME) == ()


def test_where_no_gate_can_be_made_every_request_is_refused_for_that(stage: Any) -> None:
    stage.move("1")
    (decision,) = stage.registrar.settle_requests(Refusal(Reason.GATE_FAILED, "no rows"), who="ada")
    assert (decision.reason, decision.why, stage.serves()) == (Reason.GATE_FAILED, "no rows", "2")


def test_files_out_of_reach_are_no_fault_of_a_version(
    stage: Any, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.move("1", "shadow")
    (template / "artifacts").rename(template / "away")
    try:
        with pytest.raises(InputError, match="files of version 1 of base-fee-h2 cannot be read") as caught:
            load_version(stage.store, NAME, "1")
        assert caught.value.fields["reason"] is Reason.REGISTRY_UNREACHABLE
        (refused,) = stage.registrar.settle_requests(Gate(blocks(formula_wins=False)), who="ada")
        assert (refused.reason, stage.serves("shadow")) == (Reason.REGISTRY_UNREACHABLE, None)
    finally:
        (template / "away").rename(template / "artifacts")
    assert load_version(stage.store, NAME, "1").version == "1"
    # what serves is not unseated because its files are away
    monkeypatch.setattr(
        "models.champion.load_model", lambda *_, **__: (template / "no such file").read_bytes()
    )
    with pytest.raises(InputError, match="FileNotFoundError"):
        load_version(stage.store, NAME, "2")


def test_where_the_champion_was_deleted_the_one_before_serves(stage: Any) -> None:
    stage.registrar.request(Gate(blocks(formula_wins=False)), "1", "champion", who="ada")
    stage.client.delete_model_version(NAME, "1")
    standing = find_standing(stage.store, NAME, "champion")
    assert (standing.holder, standing.gone, standing.asked) == ("2", "1", None)
    assert standing.refusal is not None
    assert "version 2, which had it before, serves; `omniarb models rollback`" in standing.refusal.detail
    assert explain(stage.store, find_version(stage.store, NAME, "2")).serves_as == ("champion",)
    assert stage.registrar.rollback("champion", who="ada").after == stage.serves() == "2"
    assert find_standing(stage.store, NAME, "champion").refusal is None


def test_where_nothing_is_left_the_best_baseline_may_serve(stage: Any) -> None:
    stage.client.delete_model_version(NAME, "2")
    lost = find_standing(stage.store, NAME, "champion")
    assert (lost.holder, lost.gone) == (None, "2")
    with pytest.raises(ModelError, match="was deleted in MLflow; no earlier one is left"):
        find_champion(stage.store, NAME)
    # a version that was deleted is no reason to serve another one untested
    stage.move("1")
    assert decided_version(stage.store, NAME) is None
    (decision,) = stage.registrar.settle_requests(Gate(blocks(formula_wins=False)), who="ada")
    assert (decision.reason, stage.serves(), decided_version(stage.store, NAME)) == (None, "1", "1")
    assert decision.why.endswith("and persistence is the best baseline")


def test_a_first_version_that_was_refused_does_not_serve_even_if_it_asks_again(stage: Any) -> None:
    (stage.store.home / LEDGER).unlink()
    stage.move("1")
    assert decided_version(stage.store, NAME) == "1", "nothing was ever decided here"
    (decision,) = stage.registrar.settle_requests(Gate(blocks(formula_wins=True)), who="ada")
    assert (decision.reason, stage.serves()) == (Reason.SKILL_NOT_POSITIVE, None)
    assert decided_version(stage.store, NAME) is None
    stage.move("1")
    standing = find_standing(stage.store, NAME, "champion")
    assert (standing.holder, standing.waits) == (None, True)
    with pytest.raises(
        ModelError, match="version 1 waits for the gate; none that was accepted before is there"
    ):
        find_champion(stage.store, NAME)


def test_the_registry_is_shown_as_it_is(stage: Any) -> None:
    newest, oldest = list_versions(stage.store, NAME)
    assert (newest.version, newest.model, newest.aliases) == ("2", "exact_formula", ("champion",))
    assert (oldest.model, oldest.reason, oldest.aliases) == ("lstm", "skill_not_positive", ())
    assert oldest.skill == pytest.approx(-0.4)
    assert find_by_run(stage.store, NAME, newest.run_id[:12]) == newest
    told = explain(stage.store, newest)
    assert told.serves_as == ("champion",)
    assert told.trained_on["data_set"] == "devnet-7"
    assert told.trained_on["seed"] == "7"
    for wrong in (
        lambda: find_by_run(stage.store, NAME, "00ff" * 8),
        lambda: list_versions(stage.store, "odd"),
    ):
        with pytest.raises(InputError):
            wrong()
    stage.client.set_model_version_tag(NAME, "2", "skill", "very good")
    assert find_version(stage.store, NAME, "2").skill != 0
    (stage.store.home / LEDGER).unlink()
    assert decided_version(stage.store, NAME) == "2"
    assert [request.before for request in open_requests(stage.store, NAME)] == [None]
    assert "asks to be champion" in explain(stage.store, find_version(stage.store, NAME, "2")).verdict


def test_without_a_registry_nothing_is_made(tmp_path: Path) -> None:
    store = TrackingStore(tmp_path / "mlruns")
    assert open_requests(store, NAME) == ()
    assert decided_version(store, NAME) is None
    with pytest.raises(InputError, match="no registry"):
        Registrar(store, NAME, ManualClock()).rollback("champion", who="ada")
    assert list(tmp_path.iterdir()) == []
