"""Work beside the event path: jobs in a thread of their own, one after another, that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

BACKLOG = 1_000
"""Jobs that may wait; each one holds a block."""

log = structlog.get_logger(__name__)


class SideWork:
    """A thread that does jobs in the order in which they are handed over.

    A job that fails, or takes so long that :data:`BACKLOG` others wait, ends the work and not whoever
    handed it over: that is logged, ``failed`` says why, and later jobs are passed over.

    Parameters
    ----------
    name
        Of the work, for the log.

    Examples
    --------
    >>> done: list[int] = []
    >>> work = SideWork("example")
    >>> for number in (1, 2):
    ...     work.do(lambda number=number: done.append(number))
    >>> work.close()
    >>> done
    [1, 2]
    """

    def __init__(self, name: str) -> None:
        self.failed: str | None = None
        self._name = name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"omniarb-{name}")
        self._last: Future[None] | None = None
        self._handed_over = 0
        self._done = 0
        self._behind = False

    def do(self, job: Callable[[], object]) -> None:
        """Hand over a job; return at once."""
        if self.failed is None and self._handed_over - self._done >= BACKLOG:
            self._fail(f"it fell {BACKLOG} jobs behind")
        if self.failed is not None:
            return
        self._handed_over += 1
        self._last = self._thread.submit(self._run, job)

    async def settle(self, seconds: float) -> None:
        """Wait until everything handed over is done, or the time is over.

        Work that was not done in time is not waited for again until it has caught up.
        """
        if self._last is None or self._last.done():
            self._behind = False
        elif not self._behind:
            done, _ = await asyncio.wait({asyncio.wrap_future(self._last)}, timeout=seconds)
            self._behind = not done

    def close(self) -> None:
        """Wait until everything is done, and end the thread."""
        self._thread.shutdown()

    def _run(self, job: Callable[[], object]) -> None:
        try:
            if self.failed is None:
                job()
        # whatever it is, trading goes on
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")
        finally:
            self._done += 1

    def _fail(self, why: str) -> None:
        self.failed = why
        log.error("work beside trading ended", work=self._name, why=why)
