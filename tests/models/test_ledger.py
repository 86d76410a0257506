"""The ledger keeps every line it was given, whatever happens to the others."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ModelError
from core.reasons import Reason
from core.seams import ManualClock
from models.ledger import (
    LEDGER,
    REQUEST,
    ROLLBACK,
    Decision,
    append,
    damaged_lines,
    deciding,
    read_ledger,
    settled,
)
from models.tracking_store import TrackingStore

CLOCK = ManualClock(1_700_000_000_000_000_000)


def decision(before: str | None, asked: str, after: str | None, kind: str = REQUEST) -> Decision:
    reason = None if after == asked else Reason.NOT_PROVEN_BETTER
    return Decision(kind, "ada", "fees", "champion", before, asked, after, reason, "because", {"skill": 0.1})


@pytest.fixture
def home(tmp_path: Path) -> TrackingStore:
    return TrackingStore(tmp_path)


def test_a_line_says_who_when_from_to_and_why(home: TrackingStore) -> None:
    append(home, decision("1", "2", "1"), CLOCK)
    (entry,) = read_ledger(home)
    assert entry == {
        "when": "2023-11-14T22:13:20+00:00",
        "kind": "request",
        "who": "ada",
        "name": "fees",
        "alias": "champion",
        "from": "1",
        "asked": "2",
        "to": "1",
        "reason": "not_proven_better",
        "why": "because",
        "evidence": {"skill": 0.1},
    }


def test_numbers_that_json_does_not_know_are_null(home: TrackingStore) -> None:
    odd = Decision(
        "study", "ada", "fees", "champion", None, "1", "1", None, "", {"a": {"skill": float("-inf")}}
    )
    append(home, odd, CLOCK)
    assert read_ledger(home)[0]["evidence"] == {"a": {"skill": None}}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400), garbage=st.binary(max_size=30).filter(lambda text: b"\n" not in text))
def test_a_damaged_line_loses_no_other(home: TrackingStore, cut: int, garbage: bytes) -> None:
    path = home.home / LEDGER
    path.unlink(missing_ok=True)
    for number in range(1, 4):
        append(home, decision(str(number), str(number + 1), str(number + 1)), CLOCK)
    lines = path.read_bytes().splitlines(keepends=True)
    # the last line is torn, as a crash does it, and another is overwritten
    path.write_bytes(lines[0] + garbage + b"{\n" + lines[2][: min(cut, len(lines[2]) - 2)])
    append(home, decision("4", "5", "5"), CLOCK)
    kept = [entry["to"] for entry in read_ledger(home)]
    assert (kept[0], kept[-1]) == ("2", "5")
    assert 2 in damaged_lines(home)
    assert settled(home, "fees", "champion") == kept


def test_lines_that_are_json_but_no_entry_are_damaged(home: TrackingStore) -> None:
    (home.home / LEDGER).write_text('[]\n{"when": 1}\n' + json.dumps("text") + "\n")
    assert read_ledger(home) == []
    assert damaged_lines(home) == [1, 2, 3]


def test_two_rollbacks_go_back_two_steps(home: TrackingStore) -> None:
    for before, asked in ((None, "1"), ("1", "2"), ("2", "5")):
        append(home, decision(before, asked, asked), CLOCK)
    append(home, decision("5", "6", "5"), CLOCK)
    assert settled(home, "fees", "champion") == ["1", "2", "5"]
    append(home, decision("5", "2", "2", ROLLBACK), CLOCK)
    append(home, decision("2", "1", "1", ROLLBACK), CLOCK)
    assert settled(home, "fees", "champion") == ["1"]
    assert settled(home, "fees", "challenger") == []


def test_one_process_decides_at_a_time_and_nobody_waits(home: TrackingStore) -> None:
    with deciding(home), pytest.raises(ModelError, match="another process") as caught, deciding(home):
        pass
    assert caught.value.fields["reason"] is Reason.BUSY
    with deciding(home):
        pass


def test_who_is_patient_waits_for_the_other(home: TrackingStore) -> None:
    taken, order = threading.Event(), []

    def first() -> None:
        with deciding(home):
            taken.set()
            time.sleep(0.2)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert taken.wait(10)
    with deciding(home, 20):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
