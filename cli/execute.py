"""Step 5: let the execution actor follow the local chain, and watch both."""

from __future__ import annotations

import time
from collections.abc import Callable

from cli.screen import Screen
from core.errors import ServingError
from pipeline.live_config import LiveConfig, LiveResult
from serving.app import ServingApp
from serving.executor import executor_status, wait_for_result

WATCH_SECONDS = 0.5
ANSWER_SECONDS = 30.0
"""How long the actor may take to say what it is doing, or to hand its result over."""
SECONDS_PER_BLOCK = 30.0
"""Patience with the actor: more than lock-step's own, so that its errors are seen first."""


def follow(
    screen: Screen,
    serving: ServingApp,
    config: LiveConfig,
    check_chain: Callable[[], None],
    interval: float = 0.0,
) -> LiveResult:
    """Start the actor, show its progress, and return its result.

    Parameters
    ----------
    screen
        Shows how many blocks have been followed.
    serving
        The application that the actor runs beside.
    config
        What the actor follows.
    check_chain
        Raises if the chain has ended; asked at every look, because the actor would wait for its return.
    interval
        Seconds between blocks where the chain mines on a clock.

    Raises
    ------
    OmniArbError
        Whatever ended the run.
    """
    actor = serving.start_executor(config)
    deadline = time.monotonic() + patience(config.blocks, interval)
    with screen.step("Execute: follow live, trade, settle", config.blocks) as advance:
        while True:
            check_chain()
            status = executor_status(actor, ANSWER_SECONDS)
            advance(status["blocks_followed"])
            if status["state"] != "running":
                result: LiveResult = wait_for_result(actor, ANSWER_SECONDS)
                return result
            if time.monotonic() > deadline:
                raise ServingError(f"the executor stands at block {status['head']}; look at devnet.log")
            time.sleep(WATCH_SECONDS)


def patience(blocks: int, interval: float) -> float:
    """Return how many seconds a run may take before it counts as stuck.

    Examples
    --------
    >>> patience(10, 0.0), patience(10, 12.0)
    (300.0, 420.0)
    """
    return (SECONDS_PER_BLOCK + interval) * blocks
