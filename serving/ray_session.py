"""The local Ray session: started without changing how the caller's process ends, and ended."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ray
import ray._private.utils as ray_utils
from ray import serve

from serving.environment import quiet_libraries
from serving.executor import NAMESPACE

OBJECT_STORE_BYTES = 128 * 1024 * 1024


def start_ray(num_cpus: int) -> None:
    """Start a local Ray session that keeps to itself.

    A signal that comes meanwhile is answered when it has started, and can be ended.
    """
    quiet_libraries(os.environ)
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    with signals_deferred():
        ray.init(
            address="local",
            namespace=NAMESPACE,
            num_cpus=num_cpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=OBJECT_STORE_BYTES,
        )


def end_session(*, owns_ray: bool) -> None:
    """End what serves, and Ray with it if we started it."""
    if owns_ray:
        # no replica holds state, so ending the session ends them all, quicker and without complaints
        ray.shutdown()
    else:
        serve.shutdown()  # type: ignore[no-untyped-call]


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Hold signals back for a block that starts Ray; the caller's handlers get them at its end.

    A Ray that is interrupted while it starts leaves processes behind that nobody knows of. And its own
    handler of SIGTERM would end this process at once, with whatever else there is to clean up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    held: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    before = {
        number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)
    }
    for number in before:
        signal.signal(number, lambda received, _: held.append(received))
    rays_own = ray_utils.set_sigterm_handler
    ray_utils.set_sigterm_handler = lambda _: None
    try:
        yield
    finally:
        ray_utils.set_sigterm_handler = rays_own
        for number, handler in before.items():
            signal.signal(number, handler)
        # Ray's C++ part takes SIGTERM for a crash for an instant, and would abort us seconds later
        signal.alarm(0)
    for received in held:
        os.kill(os.getpid(), received)
