"""Who is champion by decision serves, a good model is never lost, and no request waits for a load."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from core.errors import InputError, ModelError
from core.reasons import Reason
from core.seams import ManualClock
from models.champion import Champion
from models.standing import Standing
from serving.follower import ChampionFollower
from tests.registry_fixtures import snapshot


def champion(version: str) -> Champion:
    return Champion("base-fee-h2", version, "persistence", 0.9, snapshot())


@dataclass
class Registry:
    """A registry in memory whose versions can be broken, slow or out of reach."""

    alias: str | None = "1"
    decided: str | None = None
    latest: dict[str, Any] | None = None
    broken: set[str] = field(default_factory=set)
    down: bool = False
    away: bool = False
    ruled: bool = False
    gone: str | None = None
    gate: threading.Event | None = None
    loading: threading.Event = field(default_factory=threading.Event)
    loads: list[str] = field(default_factory=list)

    def find(self) -> Standing:
        if self.down:
            raise ConnectionError("database is locked")
        return Standing(self.decided, self.alias, self.latest, self.ruled, self.gone)

    def load(self, version: str) -> Champion:
        self.loads.append(version)
        if self.gate is not None:
            self.loading.set()
            assert self.gate.wait(10)
        if self.away:
            raise InputError("the files cannot be read", reason=Reason.REGISTRY_UNREACHABLE)
        if version in self.broken:
            raise ModelError(f"version {version} fails on its own example")
        return champion(version)


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
async def follower(registry: Registry) -> AsyncIterator[ChampionFollower]:
    made = ChampionFollower(registry.find, registry.load, ManualClock(5), poll_s=0.01)
    yield made
    await made.stop()


async def test_before_the_first_load_the_answer_is_a_reason(follower: ChampionFollower) -> None:
    with pytest.raises(ModelError) as caught:
        _ = follower.champion
    assert caught.value.fields["reason"] is Reason.NO_CHAMPION
    assert follower.status()["ready"] is False


async def test_where_nothing_was_decided_moving_the_alias_swaps(
    follower: ChampionFollower, registry: Registry
) -> None:
    await follower.poll()
    assert follower.champion.version == "1"
    registry.alias = "2"
    await follower.poll()
    await follower.poll()
    assert follower.champion.version == "2"
    assert follower.status()["swaps"] == 2
    assert registry.loads == ["1", "2"], "a version that serves is not loaded again"


async def test_a_moved_alias_changes_nothing_before_it_is_decided(
    follower: ChampionFollower, registry: Registry
) -> None:
    registry.decided = "1"
    await follower.poll()
    assert follower.status()["refusal"] is None
    registry.alias = "2"
    await follower.poll()
    assert follower.champion.version == "1"
    refusal = follower.status()["refusal"]
    assert (refusal["code"], refusal["version"]) == ("awaiting_gate", "2")
    assert refusal["message"] == "version 2 waits for the gate; version 1 serves until it is decided"
    registry.decided = "2"
    await follower.poll()
    assert (follower.champion.version, follower.status()["refusal"]) == ("2", None)
    registry.alias = "1"
    await follower.poll()
    registry.alias = "2"
    await follower.poll()
    assert (follower.status()["refusal"], follower.status()["swaps"]) == (None, 2)
    assert registry.loads == ["1", "2"], "what only asks is not loaded here"


async def test_who_waits_for_the_gate_does_not_keep_the_decided_version_from_serving(
    follower: ChampionFollower, registry: Registry
) -> None:
    registry.decided, registry.alias = "1", "2"
    await follower.poll()
    status = follower.status()
    assert (status["ready"], status["model_version"]) == (True, "1")
    assert status["refusal"]["code"] == "awaiting_gate"


async def test_the_last_decision_is_told(follower: ChampionFollower, registry: Registry) -> None:
    told = {"version": "2", "alias": "champion", "reason": "not_proven_better", "why": "w", "who": "ada"}
    entry = {"when": "2024-01-05T00:00:00+00:00", "name": "base-fee-h2", "alias": "champion"}
    registry.latest = entry | {"from": "1", "to": "1", "asked": "2"} | told
    await follower.poll()
    assert follower.status()["decision"] == told | {"accepted": False, "when": entry["when"]}
    # one from before there were reasons
    registry.latest = entry | {"from": "1", "to": "2"}
    await follower.poll()
    assert follower.status()["decision"]["accepted"] is True
    # a study whose best model lost, so that the baseline serves
    registry.latest = entry | {"from": "1", "to": "3", "asked": "3", "reason": "skill_not_positive"}
    await follower.poll()
    assert follower.status()["decision"]["accepted"] is True


async def test_a_bad_version_is_tried_once_and_the_good_one_stays(
    follower: ChampionFollower, registry: Registry
) -> None:
    await follower.poll()
    registry.alias, registry.broken = "2", {"2"}
    for _ in range(3):
        await follower.poll()
    status = follower.status()
    assert follower.champion.version == status["model_version"] == "1"
    assert status["refusal"] == {
        "code": "model_unusable",
        "message": "version 2 fails on its own example",
        "version": "2",
    }
    assert registry.loads == ["1", "2"]
    registry.down = True
    await follower.poll()
    assert follower.status()["refusal"]["code"] == "registry_unreachable"
    registry.down = False
    await follower.poll()
    assert follower.status()["refusal"] == status["refusal"]
    registry.alias = "1"
    await follower.poll()
    assert follower.status()["refusal"] is None


async def test_files_out_of_reach_are_tried_again(follower: ChampionFollower, registry: Registry) -> None:
    registry.away = True
    await follower.poll()
    refusal = follower.status()["refusal"]
    assert (refusal["code"], refusal["message"]) == ("registry_unreachable", "the files cannot be read")
    registry.away = False
    await follower.poll()
    assert (follower.champion.version, follower.status()["refusal"]) == ("1", None)


async def test_a_first_version_that_the_gate_refused_is_dropped(
    follower: ChampionFollower, registry: Registry
) -> None:
    await follower.poll()
    assert follower.champion.version == "1"
    registry.alias, registry.ruled = None, True
    await follower.poll()
    status = follower.status()
    assert (status["ready"], status["model_version"]) == (False, None)
    assert status["refusal"]["code"] == "no_champion"
    with pytest.raises(ModelError, match="no version has the alias"):
        _ = follower.champion


async def test_a_champion_that_was_deleted_gives_way_to_the_one_before_or_serves_on(
    follower: ChampionFollower, registry: Registry
) -> None:
    registry.decided = registry.alias = "2"
    registry.ruled = True
    await follower.poll()
    registry.decided, registry.alias, registry.gone = "1", None, "2"
    await follower.poll()
    assert follower.champion.version == "1"
    assert "version 2 has the alias by decision and was deleted" in follower.status()["refusal"]["message"]
    registry.decided, registry.gone = None, "1"
    await follower.poll()
    assert follower.champion.version == "1", "nothing was decided against it"
    assert "no earlier one is left" in follower.status()["refusal"]["message"]


async def test_after_a_bad_version_a_good_one_is_taken(
    follower: ChampionFollower, registry: Registry
) -> None:
    registry.broken = {"1"}
    await follower.poll()
    assert follower.status()["ready"] is False
    registry.alias = "2"
    await follower.poll()
    assert follower.champion.version == "2"


@pytest.mark.parametrize(
    ("change", "code"), [({"down": True}, "registry_unreachable"), ({"alias": None}, "no_champion")]
)
async def test_losing_the_registry_or_the_alias_loses_no_model(
    follower: ChampionFollower, registry: Registry, change: dict[str, object], code: str
) -> None:
    registry.decided = "1"
    await follower.poll()
    for name, value in change.items():
        setattr(registry, name, value)
    await follower.poll()
    assert follower.champion.version == "1"
    assert follower.status()["refusal"]["code"] == code
    registry.down, registry.decided, registry.alias = False, "2", "2"
    await follower.poll()
    assert follower.champion.version == "2"


async def test_the_event_loop_runs_on_while_a_model_loads(
    follower: ChampionFollower, registry: Registry
) -> None:
    await follower.poll()
    registry.alias, registry.gate = "2", threading.Event()
    polling = asyncio.create_task(follower.poll())
    await asyncio.to_thread(registry.loading.wait, 10)
    assert follower.champion.version == "1", "the old model answers until the new one is ready"
    registry.gate.set()
    await polling
    assert follower.champion.version == "2"


async def test_once_started_it_follows_by_itself(follower: ChampionFollower, registry: Registry) -> None:
    registry.gate = threading.Event()
    registry.gate.set()
    follower.start()
    follower.start()
    assert await asyncio.to_thread(registry.loading.wait, 10)
    await follower.stop()
    assert registry.loads == ["1"]
