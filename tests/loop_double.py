"""A loop for the execution actor that does nothing but wait; importable by Ray's workers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from core.errors import ExecutionError


class LoopDouble:
    """Runs until the file ``release`` exists; ends with an error if that file says ``fail``."""

    def __init__(self, release: Path) -> None:
        self._release = release
        self._stopped = False

    async def run(self) -> str:
        # a file is what a test in another process can set
        while not self._release.exists() and not self._stopped:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        if not self._stopped and self._release.read_text() == "fail":
            raise ExecutionError("the wallet is empty; fund it", balance=0)
        return "stopped" if self._stopped else "done"

    def status(self) -> dict[str, Any]:
        return {"block": 41}

    def opportunities(self) -> list[dict[str, Any]]:
        return [{"cycle_id": "c"}]

    def stop(self) -> None:
        self._stopped = True
