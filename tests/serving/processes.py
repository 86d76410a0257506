"""What runs below the test, and where it listens."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

LISTENING = "0A"
"""State of a socket, as the kernel writes it."""


def ours() -> dict[str, str]:
    """Return command lines of the living processes below this one, by id."""
    parents, lines = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[folder.name] = parent
                lines[folder.name] = (folder / "cmdline").read_text().replace("\0", " ")
    us, grew = {str(os.getpid())}, True
    while grew:
        found = {process for process, parent in parents.items() if parent in us} - us
        us, grew = us | found, bool(found)
    return {process: lines[process] for process in us if process != str(os.getpid())}


def ray_processes() -> list[str]:
    return [line for line in ours().values() if "ray" in line]


def marked(mark: str) -> dict[int, str]:
    """Return command lines of the living processes whose environment holds a text, by id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            inherited = mark.encode() in (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if inherited and command:
                found[int(folder.name)] = command
    return found


def listening_beyond_loopback() -> list[int]:
    """Return ports below this process that every address of the machine leads to."""
    sockets = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, place, _, state, *_, inode = line.split()[:10]
            if state == LISTENING and set(place.partition(":")[0]) == {"0"}:
                sockets[f"socket:[{inode}]"] = int(place.partition(":")[2], 16)
    ports = []
    for process in ours():
        with contextlib.suppress(OSError):
            links = [os.readlink(link) for link in Path(f"/proc/{process}/fd").iterdir()]
            ports += [sockets[link] for link in links if link in sockets]
    return ports
