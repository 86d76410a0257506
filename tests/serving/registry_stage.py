"""A registry with versions of every kind, who asks for its alias, who decides, and traffic."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from mlflow.tracking import MlflowClient

from core.seams import ManualClock
from features.schema import FeatureSchema
from models.alias_requests import Registrar
from models.forecaster import Window
from models.gate import Gate
from models.ledger import ROLLBACK, Decision, append
from models.registration import Registration
from models.snapshot import Snapshot
from models.tracking import TrackingStore, log_study
from serving.gatekeeper import Gatekeeper
from tests.models.test_alias_requests import FORMULA_BEST, NAME, blocks
from tests.registry_fixtures import (
    NOW_NS,
    SCHEMA,
    WINS,
    log_and_promote,
    provenance,
    snapshot,
    study,
    window,
)


def make_registry(home: Path) -> TrackingStore:
    """Return a store with five versions.

    1 is persistence, 2 the exact formula, 3 is damaged, 4 reads a feature that is not computed here, and
    5 forecasts something else.
    """
    store = TrackingStore(home)
    assert log_and_promote(store, FORMULA_BEST).version == "2"
    before = set(store.home.glob("artifacts/**/snapshot.zip"))
    assert log_and_promote(store, WINS).version == "3"
    (damaged,) = set(store.home.glob("artifacts/**/snapshot.zip")) - before
    damaged.write_bytes(damaged.read_bytes()[:64])
    wider = FeatureSchema((*SCHEMA.names, "moon_phase"))
    rows = tuple(replace(row, names=wider.names, values=(*row.values, 0.5)) for row in window())
    _register(store, replace(snapshot(), schema=wider), rows)
    _register(store, replace(snapshot(), target="gas_used"), window())
    settle(store, "2")
    return store


def _register(store: TrackingStore, odd: Snapshot, example: Window) -> None:
    with store.writing():
        result = study(WINS)
        logged = log_study(store, result, provenance())
        Registration(store.client(), result, logged, NAME, example)("lstm", odd, "made for a test")


def point_at(store: TrackingStore, version: str) -> None:
    """Ask, as a person does in MLflow's page."""
    MlflowClient(store.uri, store.uri).set_registered_model_alias(NAME, "champion", version)


def settle(store: TrackingStore, version: str) -> None:
    """Have it decided that a version is champion."""
    point_at(store, version)
    decision = Decision(ROLLBACK, "a test", NAME, "champion", None, version, version, None, "for a test", {})
    append(store, decision, ManualClock(NOW_NS))


def gatekeeper(store: TrackingStore, *, formula_wins: bool) -> Gatekeeper:
    """Return a gatekeeper whose blocks are kind to the formula, or to persistence."""
    registrar = Registrar(store, NAME, ManualClock(NOW_NS))
    return Gatekeeper(registrar, lambda _rest: Gate(blocks(formula_wins=formula_wins)), poll_s=0.1)


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def ask(client: httpx.Client) -> httpx.Response:
    rows = [list(row.values) for row in window()]
    return client.post(
        "/api/v1/forecast", json={"features": list(SCHEMA.names), "rows": rows, "issued_block": 9}
    )


class Traffic:
    """Requests without a pause, from another thread, until told to stop."""

    def __init__(self, url: str) -> None:
        self.answers: list[tuple[int, str]] = []
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=20) as client:
            while not self._stop.is_set():
                response = ask(client)
                self.answers.append((response.status_code, response.json().get("model_version")))

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def versions(self) -> list[str]:
        return [version for _, version in self.answers]


def last_decision(client: httpx.Client) -> dict[str, Any]:
    decision: dict[str, Any] = client.get("/api/v1/status").json()["predictor"]["decision"]
    return decision
