"""The local chain as a child process: started, asked on one line, and never left behind."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from core.errors import DevnetError
from core.processes import that_dies_with_us
from pipeline.devnet.description import DevnetDescription

START_SECONDS = 60.0
STOP_SECONDS = 10.0
PROGRESS = ("block ", "mined ")
"""How lines begin that the local chain prints while all is well."""


class DevnetChild:
    """``omniarb devnet`` in a process of its own.

    Parameters
    ----------
    arguments
        Arguments of the command.
    environ
        Its environment; carries the keystore password.
    log
        File for what it prints on stderr.
    """

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        self._arguments = list(arguments)
        self._environ = dict(environ)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> DevnetDescription:
        """Start, wait for the line that describes the chain, and return it.

        Raises
        ------
        DevnetError
            If it ends or stays silent; the message names its log.
        """
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                that_dies_with_us([sys.executable, "-m", "cli.main", "devnet", *self._arguments]),
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self._environ,
                # Ctrl-C goes to us alone; we stop the child in order
                start_new_session=True,
            )
        try:
            assert self._process.stdout is not None
            return DevnetDescription.from_json(self._first_line(self._process.stdout).decode())
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Do nothing while it runs.

        Raises
        ------
        DevnetError
            If it has ended; the message names its log.
        """
        if self._process is None or self._process.poll() is not None:
            raise self._failed("ended while it was needed")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def _first_line(self, stream: IO[bytes]) -> bytes:
        deadline = time.monotonic() + START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while time.monotonic() < deadline:
                if selector.select(timeout=0.5):
                    line = stream.readline()
                    if line:
                        return line
                    raise self._failed("ended before it was ready")
        raise self._failed(f"said nothing for {START_SECONDS:g} s")

    def _failed(self, what: str) -> DevnetError:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        # a chain that was killed ends with a line of progress, which explains nothing
        tail = [line for line in lines[-1:] if not line.startswith(PROGRESS)]
        said = f": {tail[0]}" if tail else ""
        return DevnetError(f"the local chain {what}{said} (log: {self._log})", log=str(self._log))
