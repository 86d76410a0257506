"""The execution actor: the live loop in a process of its own, beside Serve and not behind it.

Events never travel through Serve or HTTP; the actor holds the loop, and everybody else
asks it by name what it is doing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import ray
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from core.errors import OmniArbError, ServingError
from core.logs import set_up_logs
from core.reasons import Reason

if TYPE_CHECKING:
    from pipeline.live_config import LiveConfig

ACTOR_NAME = "omniarb-executor"
NAMESPACE = "omniarb"
ASK_TIMEOUT_S = 2.0


class Loop(Protocol):
    """What the actor runs; :class:`pipeline.live.LiveLoop` is the one that trades."""

    async def run(self) -> Any:
        """Follow blocks until there is nothing more to do; return the result."""
        ...

    def status(self) -> dict[str, Any]:
        """Return what it is doing, JSON-like."""
        ...

    def opportunities(self) -> list[dict[str, Any]]:
        """Return the opportunities of the latest block, best first, JSON-like."""
        ...

    def stop(self) -> None:
        """End after the block it is in."""
        ...


def live_loop(config: LiveConfig) -> Loop:
    """Return the loop that trades; called in the actor's process, where the pipeline is imported."""
    set_up_logs()
    from pipeline.live import LiveLoop
    from pipeline.outlook import Outlook
    from serving.outlook import served_forecasts

    loop: Loop = LiveLoop(config, Outlook(served_forecasts(), config.window))
    return loop


class ExecutionActor:
    """Runs one loop.

    Parameters
    ----------
    config
        Handed to ``make_loop``.
    make_loop
        Makes the loop, in the actor's process.
    """

    def __init__(self, config: Any, make_loop: Callable[[Any], Loop]) -> None:
        self._loop = make_loop(config)
        self._task: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        """Begin to follow blocks; a second call changes nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._loop.run())

    async def result(self) -> Any:
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


def create_executor(
    config: Any, make_loop: Callable[[Any], Loop] = live_loop, *, num_cpus: float = 0.25
) -> ActorHandle[Any]:
    """Create the named actor in the running Ray session; it ends with the session.

    Parameters
    ----------
    config
        Passed to the loop.
    make_loop
        Makes the loop, in the actor's process.
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
    remote: Any = ray.remote(ExecutionActor)
    handle: ActorHandle[Any] = remote.options(**options).remote(config, make_loop)
    return handle


def wait_until_gone(timeout_s: float) -> None:
    """Return when no actor has the executor's name any more, or the time is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            ray.get_actor(ACTOR_NAME, namespace=NAMESPACE)
        except ValueError:
            return
        time.sleep(0.02)


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


def begin(actor: ActorHandle[Any], timeout_s: float) -> None:
    """Start the actor's loop, and return when it runs.

    Raises
    ------
    ServingError
        If the actor does not come up in time, or its process ends.
    OmniArbError
        Whatever the actor raised.
    """
    _answer(actor.start.remote(), timeout_s, f"the executor did not start within {timeout_s:g} s; run again")


def executor_status(actor: ActorHandle[Any], timeout_s: float) -> dict[str, Any]:
    """Return what the actor is doing (see :meth:`ExecutionActor.status`).

    Raises
    ------
    ServingError
        If it does not answer in time, or its process has ended.
    """
    late = f"the executor did not answer within {timeout_s:g} s; stop it and run again"
    status: dict[str, Any] = _answer(actor.status.remote(), timeout_s, late)
    return status


def wait_for_result(actor: ActorHandle[Any], timeout_s: float) -> Any:
    """Block until the run ends and return its result.

    Raises
    ------
    ServingError
        If it has not ended after ``timeout_s`` seconds, or the actor died.
    OmniArbError
        Whatever ended the run.
    """
    late = f"the executor is still running after {timeout_s:g} s; wait longer or stop it"
    return _answer(actor.result.remote(), timeout_s, late)


def _answer(reference: ObjectRef[Any], timeout_s: float, late: str) -> Any:
    """Wait for an answer of the actor; everything Ray may raise becomes one line."""
    try:
        return ray.get(reference, timeout=timeout_s)
    except GetTimeoutError as error:
        raise ServingError(late, reason=Reason.BUSY) from error
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, OmniArbError):
            raise cause from None
        raise ServingError(f"the executor failed: {type(cause).__name__}: {cause}") from error
    except RayError as error:
        raise ServingError(
            f"the executor's process ended ({ray_reason(error)}); its journal is on disk, run again",
            reason=Reason.NO_EXECUTOR,
        ) from error


def ray_reason(error: BaseException) -> str:
    r"""Return the first sentence of an error's last line, which is where Ray says why.

    Examples
    --------
    >>> ray_reason(RuntimeError("an actor died\n\tname: x\nIt was killed. Common causes are many."))
    'It was killed'
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip().partition(". ")[0].rstrip(".")


def _no_executor() -> ServingError:
    return ServingError("no executor is running; start one with `omniarb run`", reason=Reason.NO_EXECUTOR)
