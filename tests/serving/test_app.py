"""Real MLflow and real Ray Serve: an alias asks, the gate decides, and no request fails meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import ray
from mlflow.tracking import MlflowClient

from core.errors import ExecutionError, InputError, ModelError, ServingError
from core.reasons import Reason
from models.tracking import TrackingStore
from serving.app import ServingApp, ServingConfig, start_serving
from serving.environment import TOKEN_VARIABLE as TOKEN
from serving.executor import executor_status, wait_for_result
from tests.loop_double import LoopDouble
from tests.models.test_alias_requests import NAME
from tests.registry_fixtures import (
    SCHEMA,
    WINDOW,
)
from tests.serving.processes import listening_beyond_loopback, ray_processes
from tests.serving.registry_stage import (
    Traffic,
    ask,
    gatekeeper,
    last_decision,
    make_registry,
    point_at,
    settle,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> TrackingStore:
    return make_registry(tmp_path_factory.mktemp("serving") / "mlruns")


@pytest.fixture(scope="module")
def handlers() -> dict[signal.Signals, Any]:
    """What is done on signals before anything is started."""
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}


@pytest.fixture(scope="module")
def app(home: TrackingStore, handlers: dict[signal.Signals, Any]) -> Iterator[ServingApp]:
    with start_serving(ServingConfig(home.home, poll_s=0.1)) as running:
        assert ray_processes()
        yield running
    wait_until(lambda: not ray_processes())


@pytest.fixture
def place(app: ServingApp) -> Iterator[ServingApp]:
    """The application, with no executor left in it for the next test, whatever this one does."""
    yield app
    app.stop_executor()


@pytest.fixture
def client(app: ServingApp) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.url, timeout=20) as made:
        yield made


def serve(store: TrackingStore, client: httpx.Client, version: str) -> None:
    """Have a version decided and served, with nothing left to say about it."""
    settle(store, version)
    wait_until(lambda: ask(client).json()["model_version"] == version)
    wait_until(lambda: client.get("/healthz").json()["refusal"] is None)


def test_a_moved_alias_waits_for_the_gate_and_changes_nothing_that_serves(
    app: ServingApp, home: TrackingStore, client: httpx.Client
) -> None:
    serve(home, client, "2")
    point_at(home, "1")
    wait_until(lambda: client.get("/healthz").json()["refusal"] is not None)
    response = client.get("/healthz")
    assert (response.status_code, response.json()["model_version"]) == (200, "2")
    refusal = response.json()["refusal"]
    assert (refusal["code"], refusal["version"]) == ("awaiting_gate", "1")
    assert ask(client).json()["model_version"] == "2"


def test_who_is_proven_better_is_swapped_in_with_no_failed_request(
    app: ServingApp, home: TrackingStore, client: httpx.Client
) -> None:
    serve(home, client, "2")
    with gatekeeper(home, formula_wins=False), Traffic(app.url) as traffic:
        wait_until(lambda: len(traffic.answers) > 20)
        point_at(home, "1")
        wait_until(lambda: "1" in traffic.versions())
        seen = len(traffic.answers)
        wait_until(lambda: len(traffic.answers) > seen + 20)
    assert {status for status, _ in traffic.answers} == {200}
    versions = traffic.versions()
    assert versions == sorted(versions, reverse=True), "2 up to the swap, 1 from there"
    assert set(versions) == {"2", "1"}
    wait_until(lambda: last_decision(client)["who"] == "gatekeeper")
    assert (last_decision(client)["version"], last_decision(client)["accepted"]) == ("1", True)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1", "skill_not_positive"),
        ("3", "model_unusable"),
        ("4", "schema_differs"),
        ("5", "target_differs"),
    ],
    ids=["worse", "damaged snapshot", "wrong feature set", "wrong target"],
)
def test_who_is_not_fit_never_displaces_the_one_that_serves(
    app: ServingApp, home: TrackingStore, client: httpx.Client, version: str, reason: str
) -> None:
    serve(home, client, "2")
    registry = MlflowClient(home.uri, home.uri)
    with gatekeeper(home, formula_wins=True), Traffic(app.url) as traffic:
        point_at(home, version)
        wait_until(lambda: last_decision(client)["version"] == version)
        wait_until(lambda: str(registry.get_model_version_by_alias(NAME, "champion").version) == "2")
        seen = len(traffic.answers)
        wait_until(lambda: len(traffic.answers) > seen + 20)
    assert set(traffic.answers) == {(200, "2")}
    tags = registry.get_model_version(NAME, version).tags
    assert tags["gate_reason"] == reason
    assert tags["gate"].startswith("champion refused: ")
    decision = last_decision(client)
    assert (decision["accepted"], decision["reason"], decision["who"]) == (False, reason, "gatekeeper")
    wait_until(lambda: client.get("/healthz").json()["refusal"] is None)


def test_a_damaged_version_that_was_decided_never_displaces_the_one_that_serves(
    app: ServingApp, home: TrackingStore, client: httpx.Client
) -> None:
    serve(home, client, "2")
    with Traffic(app.url) as traffic:
        settle(home, "3")
        wait_until(lambda: client.get("/healthz").json()["refusal"] is not None)
        seen = len(traffic.answers)
        wait_until(lambda: len(traffic.answers) > seen + 20)
    assert set(traffic.answers) == {(200, "2")}
    refusal = client.get("/healthz").json()["refusal"]
    assert (refusal["code"], refusal["version"]) == ("model_unusable", "3")
    serve(home, client, "2")


def test_removing_the_alias_keeps_the_model(home: TrackingStore, client: httpx.Client) -> None:
    serve(home, client, "1")
    MlflowClient(home.uri, home.uri).delete_registered_model_alias(NAME, "champion")
    wait_until(lambda: (client.get("/healthz").json()["refusal"] or {}).get("code") == "no_champion")
    assert ask(client).json()["model_version"] == "1"
    serve(home, client, "2")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "reason"),
    [
        ("GET", "/nothing/here", None, 404, "NOT_FOUND", None),
        ("GET", "/api/v1/opportunities", None, 503, "SERVING_ERROR", "no_executor"),
        ("POST", "/api/v1/forecast", {"features": ["x"]}, 422, "BAD_INPUT", None),
        (
            "POST",
            "/api/v1/forecast",
            {"features": ["x"], "rows": [[1.0]], "issued_block": 1},
            422,
            "BAD_INPUT",
            "feature_missing",
        ),
        (
            "POST",
            "/api/v1/forecast",
            {
                "features": list(SCHEMA.names),
                "rows": [[1.0, 1.0]] * WINDOW,
                "blocks": [9, 8, 7, 6],
                "issued_block": 9,
            },
            422,
            "BAD_INPUT",
            "time_went_back",
        ),
        (
            "POST",
            "/api/v1/forecast",
            {"features": list(SCHEMA.names), "rows": [[1.0]] * WINDOW, "issued_block": 9},
            422,
            "BAD_INPUT",
            "feature_missing",
        ),
        (
            "POST",
            "/api/v1/forecast",
            {"features": list(SCHEMA.names), "rows": [[1.0, None]] * WINDOW, "issued_block": 9},
            422,
            "BAD_INPUT",
            "feature_not_finite",
        ),
        (
            "POST",
            "/api/v1/forecast",
            {"features": list(SCHEMA.names), "rows": [[1.0, 1.0]], "issued_block": 1},
            422,
            "BAD_INPUT",
            "warming_up",
        ),
    ],
)
def test_errors_cross_processes_as_one_line_of_json(
    client: httpx.Client, method: str, path: str, body: Any, status: int, code: str, reason: str | None
) -> None:
    response = client.request(method, path, json=body)
    assert "\n" not in response.text
    error = json.loads(response.text)
    assert (response.status_code, error["code"], error["reason"]) == (status, code, reason)


def test_status_and_documentation_are_there(client: httpx.Client) -> None:
    status = client.get("/api/v1/status").json()
    assert status["predictor"]["name"] == NAME
    assert status["executor"]["refusal"]["reason"] == "no_executor"
    assert client.get("/docs").status_code == 200
    assert "/api/v1/forecast" in client.get("/openapi.json").json()["paths"]


def test_the_executor_runs_beside_serve_and_publishes_through_it(
    place: ServingApp, client: httpx.Client, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    actor = place.start_executor(release, LoopDouble)
    status = client.get("/api/v1/status").json()["executor"]
    assert (status["state"], status["block"]) == ("running", 41)
    assert client.get("/api/v1/opportunities").json() == {"opportunities": [{"cycle_id": "c"}]}
    with pytest.raises(ServingError) as caught:
        wait_for_result(actor, 0.2)
    assert caught.value.fields["reason"] is Reason.BUSY
    with pytest.raises(ServingError, match="running already"):
        place.start_executor(release, LoopDouble)
    release.write_text("fail")
    with pytest.raises(ExecutionError, match="fund it") as failed:
        wait_for_result(actor, 20)
    assert failed.value.fields == {"balance": 0}
    assert client.get("/api/v1/status").json()["executor"]["state"] == "failed"
    place.stop_executor()
    wait_until(lambda: client.get("/api/v1/opportunities").status_code == 503)


def test_signals_are_still_handled_by_whoever_started_it(
    app: ServingApp, handlers: dict[signal.Signals, Any]
) -> None:
    assert {number: signal.getsignal(number) for number in handlers} == handlers


def test_what_listens_on_every_address_answers_only_to_our_token(app: ServingApp) -> None:
    ports = listening_beyond_loopback()
    # Ray Serve's replicas; when there are none any more, the limit in the README has gone too
    assert len(ports) == 3
    for port in ports:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            ask_replica = channel.unary_unary("/ray.serve.ASGIService/HandleRequest")
            for token, known in (("", False), ("Bearer x", False), (f"Bearer {os.environ[TOKEN]}", True)):
                with pytest.raises(grpc.RpcError) as refusal:
                    ask_replica(b"", metadata=(("authorization", token),), timeout=10)
                assert (refusal.value.code() is not grpc.StatusCode.UNAUTHENTICATED) == known


def test_an_executor_that_is_killed_is_one_line(place: ServingApp, tmp_path: Path) -> None:
    actor = place.start_executor(tmp_path / "release", LoopDouble)
    assert executor_status(actor, 10)["state"] == "running"
    with pytest.raises(ServingError, match="did not answer within") as late:
        executor_status(actor, 1e-6)
    assert late.value.fields["reason"] is Reason.BUSY
    ray.kill(actor)
    for ask_actor in (executor_status, wait_for_result):
        with pytest.raises(ServingError, match="the executor's process ended") as caught:
            ask_actor(actor, 10)
        assert caught.value.fields["reason"] is Reason.NO_EXECUTOR
        assert "\n" not in caught.value.message


def broken_loop(_: Path) -> LoopDouble:
    raise ExecutionError("the wallet is empty; fund it")


def test_an_executor_that_does_not_start_is_one_line_and_leaves_the_place_free(
    place: ServingApp, tmp_path: Path
) -> None:
    with pytest.raises(ServingError, match="fund it") as caught:
        place.start_executor(tmp_path / "release", broken_loop)
    assert "\n" not in caught.value.message
    actor = place.start_executor(tmp_path / "release", LoopDouble)
    assert executor_status(actor, 10)["state"] == "running"


def test_a_port_that_is_taken_is_told_before_anything_is_started(home: TrackingStore) -> None:
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} of 127.0.0.1 is taken"):
            start_serving(ServingConfig(home.home, port=port))
    assert time.monotonic() - started < 5


def test_without_a_champion_nothing_is_started(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(ModelError) as caught:
        start_serving(ServingConfig(tmp_path / "mlruns"))
    assert caught.value.fields["reason"] is Reason.NO_CHAMPION
    assert time.monotonic() - started < 5
