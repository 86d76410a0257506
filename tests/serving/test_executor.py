"""The actor's own logic, without Ray: one run, its state, its end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, RayError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from core.errors import ExecutionError, ServingError
from core.reasons import Reason
from serving.app import ServingApp
from serving.executor import ExecutionActor, ray_reason
from tests.loop_double import LoopDouble


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return tmp_path / "release"


@pytest.fixture
async def actor(release: Path) -> ExecutionActor:
    return ExecutionActor(release, LoopDouble)


def let_go(release: Path, how: str = "") -> None:
    release.write_text(how)


async def test_state_goes_from_idle_over_running_to_done(actor: ExecutionActor, release: Path) -> None:
    assert (await actor.status())["state"] == "idle"
    await actor.start()
    assert await actor.status() == {"ready": True, "state": "running", "block": 41}
    let_go(release)
    assert await actor.result() == "done"
    assert (await actor.status())["state"] == "done"


async def test_result_before_start_says_what_to_do(actor: ExecutionActor) -> None:
    with pytest.raises(ServingError, match=r"call start\(\)"):
        await actor.result()


async def test_starting_twice_runs_once(actor: ExecutionActor, release: Path) -> None:
    await actor.start()
    await actor.start()
    let_go(release)
    assert await actor.result() == "done"


async def test_a_caller_that_gives_up_does_not_stop_the_run(actor: ExecutionActor, release: Path) -> None:
    await actor.start()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(actor.result(), 0.01)
    assert (await actor.status())["state"] == "running"
    let_go(release)
    assert await actor.result() == "done"


async def test_stopping_ends_the_run_in_order(actor: ExecutionActor) -> None:
    await actor.start()
    await actor.stop()
    assert await actor.result() == "stopped"


async def test_a_failed_run_is_not_ready_and_keeps_its_error(actor: ExecutionActor, release: Path) -> None:
    let_go(release, "fail")
    await actor.start()
    with pytest.raises(ExecutionError, match="fund it"):
        await actor.result()
    assert await actor.status() == {"ready": False, "state": "failed", "block": 41}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), Reason.BUSY),
        (ActorDiedError(), None),
        (RayError("gone"), None),
        (DeploymentUnavailableError("Predictor"), None),
        (BackPressureError(1, 1), None),
    ],
)
def test_a_predictor_that_cannot_answer_is_one_line(error: Exception, reason: Reason | None) -> None:
    def result(timeout_s: float) -> Any:
        raise error

    predictor: Any = SimpleNamespace(
        status=SimpleNamespace(remote=lambda: SimpleNamespace(result=result)),
    )
    with pytest.raises(ServingError) as caught:
        ServingApp("http://127.0.0.1:1", predictor, owns_ray=False).predictor_status()
    assert caught.value.fields.get("reason") == reason
    assert "\n" not in caught.value.message


def test_of_what_ray_says_the_reason_is_kept() -> None:
    said = "The actor died.\n\tactor_id: 01\nIts process was killed. Some common causes are many."
    assert ray_reason(RuntimeError(said)) == "Its process was killed"
    assert ray_reason(RuntimeError()) == "RuntimeError"
