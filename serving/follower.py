"""Follow the champion alias: load in the background, swap by one assignment, never lose a good model.

Nothing here knows Ray. One thread does the loading, so the event loop that answers
requests never waits for it; a version that does not load, or fails on its own example, is
remembered with the reason and the model that serves goes on serving.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog

from core.errors import ModelError
from core.reasons import Reason, Refusal
from core.seams import Clock
from models.champion import Champion

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves, and since when (wall-clock nanoseconds)."""

    champion: Champion
    since_ns: int


class ChampionFollower:
    """Keep the model behind an alias in memory.

    Parameters
    ----------
    find
        Returns the version the alias points to; raises ``ModelError``.
    load
        Returns a version, loaded and tried; raises ``ModelError``.
    clock
        Time of swaps.
    poll_s
        Seconds between two looks at the alias.
    """

    def __init__(
        self, find: Callable[[], str], load: Callable[[str], Champion], clock: Clock, poll_s: float
    ) -> None:
        self._find = find
        self._load = load
        self._clock = clock
        self._poll_s = poll_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="champion")
        self._task: asyncio.Task[None] | None = None
        self._serving: Serving | None = None
        self._bad_version: str | None = None
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
        """Look at the alias once and swap if it moved to a version that works."""
        loop = asyncio.get_running_loop()
        version: str | None = None
        try:
            version = await loop.run_in_executor(self._thread, self._find)
            if self._serving is not None and version == self._serving.champion.version:
                self._bad_version = self._refusal = None
                return
            # a version's files never change, so one that failed is not tried again
            if version == self._bad_version:
                return
            champion = await loop.run_in_executor(self._thread, self._load, version)
        except Exception as error:  # whatever the registry or a stranger's model does, we keep serving
            self._refusal = _refusal(error)
            if self._refusal.reason is Reason.MODEL_UNUSABLE:
                self._bad_version = version
            log.warning("champion_not_taken", version=version, reason=str(self._refusal))
            return
        self._serving = Serving(champion, self._clock.now_ns())
        self._bad_version = self._refusal = None
        self._swaps += 1
        log.info("champion_swapped", name=champion.name, version=champion.version)

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
        """Return version, model, swaps so far and why the alias is not followed, if it is not."""
        state: dict[str, Any] = {
            "ready": self._serving is not None,
            "swaps": self._swaps,
            "refusal": None,
            "model_version": None,
        }
        if self._refusal is not None:
            state["refusal"] = {
                "code": self._refusal.reason.value,
                "message": self._refusal.detail,
                "version": self._bad_version,
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

    async def _follow(self) -> None:
        while True:
            await self.poll()
            await asyncio.sleep(self._poll_s)


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, ModelError) and error.fields.get("reason") is Reason.NO_CHAMPION:
        return Refusal(Reason.NO_CHAMPION, error.message)
    if isinstance(error, ModelError):
        return Refusal(Reason.MODEL_UNUSABLE, error.message)
    first_line = str(error).partition("\n")[0]
    return Refusal(Reason.REGISTRY_UNREACHABLE, f"{type(error).__name__}: {first_line}")
