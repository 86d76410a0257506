"""The local Ray session: started without changing how the caller's process ends, and ended."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray import serve

from serving.environment import quiet_libraries
from serving.executor import NAMESPACE

OBJECT_STORE_BYTES = 128 * 1024 * 1024


def start_ray(num_cpus: int) -> None:
    """Start a local Ray session that keeps to itself.

    Raises
    ------
    KeyboardInterrupt
        If the process is asked to end meanwhile.
    """
    quiet_libraries(os.environ)
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    with signal_handlers_kept():
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
def signal_handlers_kept() -> Iterator[None]:
    """Give the caller's handlers back after a block in which Ray sets its own.

    Ray's handler of SIGTERM ends the whole process at once. A caller that has more to clean up than
    Ray would never get to it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Ray leaves signals alone there, and so must we
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except SystemExit:
        # Ray's handler was hit while it was armed
        raise KeyboardInterrupt from None
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
