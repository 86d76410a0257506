"""The local node: anvil's native binary as a child process that cannot outlive us.

Everything that would make two runs differ is pinned: hardfork, chain id, genesis time, twelve
seconds a block, transactions in the order they came, no block unless asked for, no ready-made accounts.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, Self

import httpx

from chain.devnet.artifacts import CONTRACTS
from chain.devnet.rules import BLOCK_TIME, CHAIN_ID, GAS_LIMIT, GENESIS_TIME, HARDFORK
from core.errors import DevnetError
from core.processes import that_dies_with_us

__all__ = ["BINARY", "BLOCK_TIME", "CHAIN_ID", "START_TIMEOUT", "Anvil"]

BINARY = CONTRACTS / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
START_TIMEOUT = 15.0
"""Seconds a node may take until it answers."""

_LISTENING = re.compile(rb"Listening on 127\.0\.0\.1:(\d+)")


class Anvil:
    """A node on a port of its own.

    Parameters
    ----------
    port
        0 takes a free one. The port stays the same over :meth:`stop` and :meth:`launch`.
    state
        File of the chain. If it exists the node starts from it; :meth:`save` writes it.

    Notes
    -----
    The kernel ties the node to the *thread* that launched it, so launch it from a thread that lives as
    long as the node is needed.
    """

    def __init__(self, port: int = 0, state: Path | None = None) -> None:
        self._port = port
        self._state = state
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @classmethod
    @asynccontextmanager
    async def start(cls, port: int = 0, state: Path | None = None) -> AsyncIterator[Self]:
        """Run a node for the length of a ``with`` block.

        Raises
        ------
        DevnetError
            If the node is not installed or does not come up.
        """
        anvil = cls(port, state)
        await anvil.launch()
        try:
            yield anvil
        finally:
            anvil.stop()

    @property
    def http_url(self) -> str:
        """JSON-RPC over HTTP."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def ws_url(self) -> str:
        """JSON-RPC over WebSocket, on the same port."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the running node."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether the node's process runs."""
        return self._process is not None and self._process.poll() is None

    async def launch(self) -> None:
        """Start the node, from the state file if there is one, and wait until it answers.

        Raises
        ------
        DevnetError
            If it runs already, is not installed, or does not come up.
        """
        if self.alive:
            raise DevnetError("the node runs already; stop it first", port=self._port)
        if sys.platform != "linux" or not BINARY.is_file():
            raise DevnetError("the local node needs Linux and its binary; run `make setup`", path=str(BINARY))
        self.stop()  # what a node that died by itself left behind
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the node; stop() closes it)
        self._process = subprocess.Popen(  # noqa: ASYNC220 (fork and exec take a millisecond)
            that_dies_with_us(self._command()),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._port = await self._listening(self._log)
            await self._pin_time()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill the node at once; what was not saved is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    async def save(self) -> None:
        """Write blocks, logs, receipts and the latest state to the state file.

        State at *earlier* blocks is not kept: after a restart a call at an old block fails, while old
        blocks and logs can still be read.

        Raises
        ------
        DevnetError
            If the node was made without a state file.
        """
        if self._state is None:
            raise DevnetError("this node has no state file; give Anvil(state=...) one")
        dump = await self._request("anvil_dumpState", False)
        self._state.write_bytes(gzip.decompress(bytes.fromhex(dump[2:])))

    def _command(self) -> list[str]:
        command = [str(BINARY), "--port", str(self._port), "--chain-id", str(CHAIN_ID)]
        command += ["--hardfork", HARDFORK, "--timestamp", str(GENESIS_TIME), "--gas-limit", str(GAS_LIMIT)]
        command += ["--order", "fifo", "--no-mining", "--accounts", "0"]
        if self._state is not None and self._state.exists():
            command += ["--load-state", str(self._state)]
        return command

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise DevnetError("the node does not run; launch it", port=self._port)
        return self._process

    async def _listening(self, log: IO[bytes]) -> int:
        process = self._running()
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            text = os.pread(log.fileno(), 1 << 20, 0)
            if match := _LISTENING.search(text):
                return int(match[1])
            if process.poll() is not None:
                last = text.decode(errors="replace").strip().splitlines()[-1:] or ["no output"]
                raise DevnetError(f"the node stopped at start: {last[0]}", port=self._port)
            await asyncio.sleep(0.005)
        raise DevnetError(f"the node did not come up in {START_TIMEOUT:.0f} s", port=self._port)

    async def _pin_time(self) -> None:
        """Go on twelve seconds after the last block: a loaded node would start again at genesis time."""
        await self._request("anvil_setLoggingEnabled", False)
        await self._request("anvil_setBlockTimestampInterval", BLOCK_TIME)
        head = await self._request("eth_getBlockByNumber", "latest", False)
        if int(head["number"], 16) > 0:
            await self._request("evm_setNextBlockTimestamp", int(head["timestamp"], 16) + BLOCK_TIME)

    async def _request(self, method: str, *params: Any) -> Any:
        async with httpx.AsyncClient(timeout=30.0) as client:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
            try:
                answer = (await client.post(self.http_url, json=body)).json()
            except httpx.HTTPError as error:
                raise DevnetError(f"the node does not answer {method}: {error}", method=method) from error
        if "error" in answer:
            raise DevnetError(f"the node refused {method}: {answer['error']['message']}", method=method)
        return answer["result"]
