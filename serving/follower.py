"""Follow the champion by decision: load in the background, swap by one assignment, lose no good model.

An alias that was moved and not decided yet changes nothing but the status, which says what waits.
Nothing here knows Ray. One thread does the loading, so the event loop that answers
requests never waits for it. A version that does not load, or fails on its own example, is
remembered with the reason and the model that serves goes on serving. A registry or files that
cannot be read are tried again at the next look.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog

from core.errors import ModelError, OmniArbError
from core.reasons import Reason, Refusal
from core.seams import Clock
from models.champion import Champion
from models.standing import Standing

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves, and since when (wall-clock nanoseconds)."""

    champion: Champion
    since_ns: int


class ChampionFollower:
    """Keep the model that has an alias in memory.

    Parameters
    ----------
    find
        Returns where the alias stands.
    load
        Returns a version, loaded and tried; raises ``ModelError``.
    clock
        Time of swaps.
    poll_s
        Seconds between two looks at the alias.
    """

    def __init__(
        self, find: Callable[[], Standing], load: Callable[[str], Champion], clock: Clock, poll_s: float
    ) -> None:
        self._find = find
        self._load = load
        self._clock = clock
        self._poll_s = poll_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="champion")
        self._task: asyncio.Task[None] | None = None
        self._serving: Serving | None = None
        self._standing = Standing(None, None)
        self._unusable: tuple[str, Refusal] | None = None
        self._refusal: Refusal | None = Refusal(Reason.NO_CHAMPION, "the first model is still loading")
        self._swaps = 0

    def start(self) -> None:
        """Begin to follow; call it from the running event loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """Stop following; what serves stays."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def poll(self) -> None:
        """Look at the alias once, and swap if another version has it that works."""
        loop = asyncio.get_running_loop()
        version: str | None = None
        try:
            self._standing = await loop.run_in_executor(self._thread, self._find)
            version = self._standing.holder
            if version is None and self._standing.ruled and self._standing.gone is None:
                self._drop()
            # a version's files never change, so one that failed is not tried again
            if self._unusable is not None and self._unusable[0] == version:
                self._refusal = self._unusable[1]
                return
            if version is not None and not self._serves(version):
                self._swap(await loop.run_in_executor(self._thread, self._load, version))
        except Exception as error:  # whatever the registry or a stranger's model does, we keep serving
            refusal = _refusal(error)
            if version is not None and refusal.reason is Reason.MODEL_UNUSABLE:
                self._unusable = version, refusal
            if refusal != self._refusal:
                log.warning("champion_not_taken", version=version, reason=str(refusal))
            self._refusal = refusal
            return
        self._unusable, self._refusal = None, self._standing.refusal

    def _serves(self, version: str) -> bool:
        return self._serving is not None and self._serving.champion.version == version

    def _swap(self, champion: Champion) -> None:
        self._serving = Serving(champion, self._clock.now_ns())
        self._swaps += 1
        log.info("champion_swapped", name=champion.name, version=champion.version)

    def _drop(self) -> None:
        """Serve nothing: what was taken because it had the alias was refused by the gate."""
        if self._serving is not None:
            log.warning("champion_dropped", version=self._serving.champion.version)
            self._serving = None

    @property
    def champion(self) -> Champion:
        """What serves now.

        Raises
        ------
        ModelError
            If nothing has been loaded yet; ``fields['reason']`` is ``NO_CHAMPION``.
        """
        if self._serving is None:
            detail = self._refusal.detail if self._refusal else "no model is loaded"
            raise ModelError(detail, reason=Reason.NO_CHAMPION)
        return self._serving.champion

    def status(self) -> dict[str, Any]:
        """Return version, model, swaps so far, the last decision, and why the alias is not followed."""
        state: dict[str, Any] = {
            "ready": self._serving is not None,
            "swaps": self._swaps,
            "refusal": None,
            "decision": _told(self._standing.latest),
            "model_version": None,
        }
        if self._refusal is not None:
            state["refusal"] = {
                "code": self._refusal.reason.value,
                "message": self._refusal.detail,
                "version": self._refused_version(),
            }
        if self._serving is not None:
            champion = self._serving.champion
            state |= {
                "name": champion.name,
                "model": champion.forecaster.name,
                "model_version": champion.version,
                "state_block": champion.snapshot.state_block,
                "window": champion.snapshot.window,
                "features": list(champion.snapshot.schema.names),
                "since_ns": self._serving.since_ns,
            }
        return state

    def _refused_version(self) -> str | None:
        """Return the version that the refusal is about."""
        if self._refusal is not None and self._refusal.reason is Reason.AWAITING_GATE:
            return self._standing.asked
        return self._unusable[0] if self._unusable is not None else None

    async def _follow(self) -> None:
        while True:
            await self.poll()
            await asyncio.sleep(self._poll_s)


def _told(entry: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a ledger entry as the status tells it."""
    if entry is None:
        return None
    return {
        "version": entry.get("asked"),
        "alias": entry["alias"],
        "accepted": entry.get("asked", entry["to"]) == entry["to"],
        "reason": entry.get("reason"),
        "why": entry.get("why"),
        "who": entry.get("who"),
        "when": entry["when"],
    }


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, ModelError):
        return Refusal(Reason.MODEL_UNUSABLE, error.message)
    if isinstance(error, OmniArbError):
        return Refusal(Reason.REGISTRY_UNREACHABLE, error.message)
    first_line = str(error).partition("\n")[0]
    return Refusal(Reason.REGISTRY_UNREACHABLE, f"{type(error).__name__}: {first_line}")
