"""Signals that ask a command to stop: each takes the way of Ctrl-C, and none cuts the clean-up short."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType, TracebackType
from typing import NoReturn

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a polite kill, and a terminal that was closed."""

Handler = Callable[[int, FrameType | None], object]


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that stop us; one that our parent had us ignore (``nohup``) stays ignored."""
    return tuple(number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN)


def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Handle a signal as Ctrl-C is handled."""
    raise KeyboardInterrupt


@contextmanager
def like_ctrl_c() -> Iterator[None]:
    """Let every signal that asks us to stop take the same orderly way out."""
    with _handled_by(interrupt):
        yield


class CleanUp(ExitStack):
    """An exit stack that runs to its end: a signal that comes meanwhile is answered afterwards.

    An impatient second Ctrl-C would otherwise interrupt the very code that ends our children.

    Examples
    --------
    >>> with CleanUp() as stack:
    ...     _ = stack.callback(print, "closed")
    closed
    """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Close everything, then raise ``KeyboardInterrupt`` if nothing else is on its way out."""
        asked: list[int] = []
        with _handled_by(lambda number, _: asked.append(number)):
            swallowed = bool(super().__exit__(kind, error, trace))
        if asked and kind is None:
            raise KeyboardInterrupt
        return swallowed


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in stop_signals()}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
