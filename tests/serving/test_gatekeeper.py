"""Moved aliases are decided by themselves, and nothing that goes wrong decides anything."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import ModelError
from core.reasons import Reason, Refusal
from core.seams import ManualClock
from models.alias_requests import Registrar, open_requests
from models.gate import Gate
from models.ledger import Decision, deciding, judging, read_ledger
from models.registration import alias_version
from models.tracking_store import TrackingStore
from serving.gatekeeper import WHO, Gatekeeper, Rest, Watched
from tests.models.test_alias_requests import NAME, blocks, template
from tests.registry_fixtures import NOW_NS, migrated_home
from tests.serving.registry_stage import wait_until

__all__ = ["migrated_home", "template"]


@pytest.fixture
def stage(template: Path, tmp_path: Path) -> Any:
    """Version 1 is persistence, version 2 the formula and champion; artifacts stay in the template."""
    shutil.copytree(template, tmp_path / "mlruns", ignore=shutil.ignore_patterns("artifacts"))
    store = TrackingStore(tmp_path / "mlruns")
    client = store.client()
    return SimpleNamespace(
        store=store,
        registrar=Registrar(store, NAME, ManualClock(NOW_NS)),
        move=lambda version, alias="champion": client.set_registered_model_alias(NAME, alias, version),
        serves=lambda: alias_version(client, NAME, "champion"),
        tags=lambda version: client.get_model_version(NAME, version).tags,
    )


def formula_wins(_rest: Rest) -> Gate:
    return Gate(blocks(formula_wins=True))


def formula_loses(_rest: Rest) -> Gate:
    return Gate(blocks(formula_wins=False))


def test_a_moved_alias_is_decided_and_told_without_anybody_asking(stage: Any) -> None:
    told: list[Decision] = []
    with Gatekeeper(stage.registrar, formula_loses, tell=told.append, poll_s=0.02):
        stage.move("1")
        wait_until(lambda: bool(told))
    (decision,) = told
    assert (decision.who, decision.after, decision.reason, stage.serves()) == (WHO, "1", None, "1")


def test_a_version_that_is_not_better_is_moved_back_with_the_reason_on_it(stage: Any) -> None:
    keeper = Gatekeeper(stage.registrar, formula_wins)
    assert keeper.look() == ()
    stage.move("1")
    stage.move("1", "challenger")
    first, second = keeper.look()
    assert (first.alias, first.reason) == ("champion", Reason.SKILL_NOT_POSITIVE)
    assert (second.alias, second.reason) == ("challenger", None)
    assert stage.serves() == "2"
    assert stage.tags("1")["gate"].startswith("challenger accepted")
    assert keeper.look() == ()


def test_no_gate_is_made_before_somebody_asks_and_one_serves_for_all(stage: Any) -> None:
    made: list[int] = []

    def make(rest: Rest) -> Gate:
        made.append(1)
        return formula_wins(rest)

    keeper = Gatekeeper(stage.registrar, make)
    keeper.look()
    assert made == []
    for _ in range(2):
        stage.move("1")
        assert len(keeper.look()) == 1
    assert made == [1]


def test_other_models_are_watched_in_turn_and_refused_where_there_is_no_gate(stage: Any) -> None:
    main = Registrar(stage.store, "another-model", ManualClock(NOW_NS))

    def nothing(_rest: Rest) -> Refusal:
        return Refusal(Reason.GATE_FAILED, "there is no recorded history")

    keeper = Gatekeeper(
        main, formula_loses, others=[Watched(main, nothing), Watched(stage.registrar, nothing)]
    )
    stage.move("1")
    assert keeper.look() == ()
    (decision,) = keeper.look()
    assert (decision.reason, stage.serves()) == (Reason.GATE_FAILED, "2")
    assert stage.tags("1")["gate"] == "champion refused: there is no recorded history"


def test_a_gate_that_fails_is_a_refusal_in_the_ledger(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(Gate, "judge", fails)
    stage.move("1")
    (decision,) = Gatekeeper(stage.registrar, formula_wins).look()
    assert (decision.reason, stage.serves()) == (Reason.GATE_FAILED, "2")
    assert read_ledger(stage.store)[-1]["reason"] == stage.tags("1")["gate_reason"] == "gate_failed"
    assert "ZeroDivisionError: by design" in decision.why


def test_whatever_keeps_it_from_deciding_is_logged_once_and_tried_again(
    stage: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    trouble: Exception = ModelError("no block to judge on")
    answers = iter((trouble, trouble, None))

    def make(rest: Rest) -> Gate:
        answer = next(answers)
        if answer is not None:
            raise answer
        return formula_wins(rest)

    keeper = Gatekeeper(stage.registrar, make)
    stage.move("1")
    assert (keeper.look(), keeper.look(), stage.serves()) == ((), (), "1")
    assert len(open_requests(stage.store, NAME)) == 1
    printed = capsys.readouterr()
    assert (printed.out + printed.err).count("no block to judge on") == 1
    assert len(keeper.look()) == 1


def test_another_one_who_decides_is_waited_for(stage: Any, capsys: pytest.CaptureFixture[str]) -> None:
    keeper = Gatekeeper(stage.registrar, formula_wins)
    stage.move("1")
    with judging(stage.store):
        assert keeper.look() == ()
    printed = capsys.readouterr()
    assert "nothing_decided" not in printed.out + printed.err
    assert len(keeper.look()) == 1


def test_stopping_gives_up_what_is_under_way_and_leaves_the_request_open(stage: Any) -> None:
    begun = threading.Event()

    def endless(rest: Rest) -> Gate:
        def skew(_rows: object) -> None:
            begun.set()
            while True:
                rest()
                time.sleep(0.005)

        trial = blocks(formula_wins=False)
        return Gate(type(trial)(trial.rows, trial.truths, trial.source, trial.data_hash, skew=skew))

    keeper = Gatekeeper(stage.registrar, endless, poll_s=0.01)
    with keeper:
        stage.move("1")
        assert begun.wait(20)
        with pytest.raises(ModelError, match="another process"), judging(stage.store):
            pass
        with deciding(stage.store):
            pass  # a trial keeps nobody from moving an alias
    assert not keeper._thread.is_alive()
    assert [request.asked for request in open_requests(stage.store, NAME)] == ["1"]
    with judging(stage.store):
        pass
