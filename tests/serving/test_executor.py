"""The actor's own logic, without Ray: one run, its state, its end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.errors import ExecutionError, ServingError
from serving.executor import ExecutionActor
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
