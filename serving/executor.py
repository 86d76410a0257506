"""The execution actor: the live loop in a process of its own, beside Serve and not behind it.

Events never travel through Serve or HTTP; the actor holds the loop, and everybody else
asks it by name what it is doing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from core.errors import OmniArbError, ServingError
from core.reasons import Reason

if TYPE_CHECKING:
    from pipeline.live import LiveConfig, LiveResult

ACTOR_NAME = "omniarb-executor"
NAMESPACE = "omniarb"
ASK_TIMEOUT_S = 2.0


class ExecutionActor:
    """Runs one :class:`pipeline.live.LiveLoop`.

    Parameters
    ----------
    config
        What to follow and how.
    """

    def __init__(self, config: LiveConfig) -> None:
        # the pipeline is imported in the actor's process, not in whoever starts it
        from pipeline.live import LiveLoop

        self._loop = LiveLoop(config)
        self._task: asyncio.Task[LiveResult] | None = None

    async def start(self) -> None:
        """Begin to follow blocks; a second call changes nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._loop.run())

    async def result(self) -> LiveResult:
        """Wait for the end of the run and return its result, or raise what ended it.

        Raises
        ------
        ServingError
            If the run was never started.
        """
        if self._task is None:
            raise ServingError("the executor has not been started; call start() first")
        # shielded: a caller that stops waiting must not stop the run
        return await asyncio.shield(self._task)

    async def status(self) -> dict[str, Any]:
        """Return the loop's status and ``state``: idle, running, done or failed."""
        return {"ready": self._state() != "failed", "state": self._state(), **self._loop.status()}

    async def opportunities(self) -> list[dict[str, Any]]:
        """Return the opportunities of the latest block, best first."""
        return self._loop.opportunities()

    async def stop(self) -> None:
        """Ask the loop to end after the block it is in."""
        self._loop.stop()

    def _state(self) -> str:
        if self._task is None:
            return "idle"
        if not self._task.done():
            return "running"
        return "failed" if self._task.cancelled() or self._task.exception() else "done"


def create_executor(config: LiveConfig, *, num_cpus: float = 0.25) -> ActorHandle[Any]:
    """Create the named actor in the running Ray session; it ends with the session.

    Parameters
    ----------
    config
        Passed to the live loop.
    num_cpus
        Share of a processor that Ray accounts for it.
    """
    options: dict[str, Any] = {
        "name": ACTOR_NAME,
        "namespace": NAMESPACE,
        "num_cpus": num_cpus,
        "max_restarts": 0,
    }
    # no restart: a loop that died holds a journal to be read before anything is sent again
    handle: ActorHandle[Any] = ray.remote(ExecutionActor).options(**options).remote(config)
    return handle


async def ask_executor(method: str, timeout_s: float = ASK_TIMEOUT_S) -> Any:
    """Call a method of the named actor from an event loop.

    Raises
    ------
    ServingError
        With reason ``NO_EXECUTOR`` if there is none or it died, ``BUSY`` if it does
        not answer in time.
    """
    try:
        actor = ray.get_actor(ACTOR_NAME, namespace=NAMESPACE)
        return await asyncio.wait_for(
            asyncio.wrap_future(getattr(actor, method).remote().future()), timeout_s
        )
    except TimeoutError as error:
        raise ServingError(
            f"the executor did not answer within {timeout_s:g} s; ask again", reason=Reason.BUSY
        ) from error
    except (ValueError, RayActorError) as error:
        raise _no_executor() from error


def wait_for_result(actor: ActorHandle[Any], timeout_s: float) -> LiveResult:
    """Block until the run ends.

    Raises
    ------
    ServingError
        If it has not ended after ``timeout_s`` seconds, or the actor died.
    OmniArbError
        Whatever ended the run.
    """
    try:
        result: LiveResult = ray.get(actor.result.remote(), timeout=timeout_s)
    except GetTimeoutError as error:
        raise ServingError(
            f"the executor is still running after {timeout_s:g} s; wait longer or stop it",
            reason=Reason.BUSY,
        ) from error
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, OmniArbError):
            raise cause from None
        raise ServingError(f"the executor failed: {type(cause).__name__}: {cause}") from error
    except RayError as error:
        raise _no_executor() from error
    return result


def _no_executor() -> ServingError:
    return ServingError("no executor is running; start one with `omniarb run`", reason=Reason.NO_EXECUTOR)
