"""Step 5: let the execution actor follow the local chain, and watch it."""

from __future__ import annotations

import time
from typing import Any

import ray

from cli.screen import Screen
from core.errors import ServingError
from pipeline.live_config import LiveConfig, LiveResult
from serving.app import ServingApp
from serving.executor import wait_for_result

WATCH_SECONDS = 0.5
SECONDS_PER_BLOCK = 30.0
"""Patience with the actor: more than lock-step's own, so that its errors are seen first."""


def follow(screen: Screen, serving: ServingApp, config: LiveConfig) -> LiveResult:
    """Start the actor, show its progress, and return its result.

    Raises
    ------
    OmniArbError
        Whatever ended the run.
    """
    actor = serving.start_executor(config)
    deadline = time.monotonic() + SECONDS_PER_BLOCK * config.blocks
    with screen.step("Execute: follow live, trade, settle", config.blocks) as advance:
        while True:
            status: Any = ray.get(actor.status.remote(), timeout=30)
            advance(status["blocks_followed"])
            if status["state"] != "running":
                return wait_for_result(actor, timeout_s=30)
            if time.monotonic() > deadline:
                raise ServingError(f"the executor stands at block {status['head']}; look at devnet.log")
            time.sleep(WATCH_SECONDS)
