"""The first champion of a target is its baseline, unless somebody decides while it is being registered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.seams import ManualClock
from models.alias_requests import decided_version
from models.courses import Course, search_part
from models.ledger import REQUEST, Decision, append, deciding, read_ledger
from models.registration import alias_version, register_version
from models.snapshot import Snapshot
from models.target_learning import baseline_snapshot, example_window
from models.target_versions import register_baseline
from models.tracking_store import TrackingStore
from tests.models.target_tables import number_table
from tests.registry_fixtures import NOW_NS

TABLE = replace(number_table(900, first_judged=600), name="usdc_gap_1")
NAME = "usdc-gap-1"
CLOCK = ManualClock(NOW_NS)


def baseline(name: str) -> Snapshot:
    return baseline_snapshot(TABLE, Course(search_part(TABLE, 6000), name), nominal=0.9)


def register(store: TrackingStore, snapshot: Snapshot) -> str | None:
    client = store.client()
    run = client.create_run(store.experiment(client, "training"))
    window = example_window(TABLE, snapshot)
    return register_baseline(store, snapshot, window, alias="champion", run_id=run.info.run_id, clock=CLOCK)


def test_who_decides_while_a_baseline_is_registered_is_not_overruled(
    store: TrackingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interleaved(*args: Any, **fields: Any) -> str:
        """Register, and let another process do all of it and a promotion before the alias is given."""
        version = register_version(*args, **fields)
        monkeypatch.undo()
        other = register(store, baseline("half"))
        with deciding(store):
            store.client().set_registered_model_alias(NAME, "champion", version)
            decided = Decision(REQUEST, "ada", NAME, "champion", other, version, version, None, "proven", {})
            append(store, decided, CLOCK)
        return version

    monkeypatch.setattr("models.target_versions.register_version", interleaved)
    assert register(store, baseline("zero")) is None
    assert decided_version(store, NAME) == alias_version(store.client(), NAME, "champion") == "1"
    assert [(entry["kind"], entry["to"]) for entry in read_ledger(store)] == [
        ("study", "2"),
        ("request", "1"),
    ]


def test_a_baseline_serves_first_and_says_why(store: TrackingStore) -> None:
    assert register(store, baseline("half")) == decided_version(store, NAME) == "1"
    assert register(store, baseline("zero")) is None
    (entry,) = read_ledger(store)
    why = "half is the best baseline on the learning rows"
    assert entry["why"] == f"promoted: nothing served yet, and {why}"
    assert store.client().get_model_version(NAME, "1").tags["why"] == why
