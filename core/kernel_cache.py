"""Where compiled kernels are kept between processes, so that only the first one waits for the compiler.

Numba notices when the file of a cached function has changed, but not when a function that it calls from
another file has. So the folder is named after all sources that kernels are made of: any change of them
begins an empty one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
_ROOMS = ("core", "features", "market", "models", "scoring")
_KEPT = 4
_LEAST_FREE = 64 * 1024 * 1024
_END_OF_PICKLE = b"."


def use_kernel_cache(environ: MutableMapping[str, str], root: Path, home: Path) -> Path | None:
    """Let this process and its children keep their kernels on disk; to be called before Numba is imported.

    Parameters
    ----------
    environ
        The process environment; a folder that is named there stays.
    root
        Folder that holds the rooms.
    home
        Folder of the user's caches; folders of a few earlier versions are kept, older ones removed.

    Returns
    -------
    Path or None
        The folder, or ``None`` if it cannot be written or its disk is full: kernels are compiled in every
        process then.
    """
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    folder = home / "omniarb" / "kernels" / _digest(root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        _remove_old(folder.parent)
        _remove_damaged(folder)
        if shutil.disk_usage(folder).free < _LEAST_FREE:
            return None
    except OSError:
        return None
    environ[VARIABLE] = str(folder)
    return folder


def cache_home(environ: MutableMapping[str, str]) -> Path:
    """Return the folder of the user's caches, as the XDG base directory specification has it.

    Examples
    --------
    >>> cache_home({"XDG_CACHE_HOME": "/var/cache/me"}).as_posix()
    '/var/cache/me'
    """
    named = environ.get("XDG_CACHE_HOME", "")
    return Path(named) if Path(named).is_absolute() else Path("~/.cache").expanduser()


def _digest(root: Path) -> str:
    digest = hashlib.blake2b(sys.version.encode(), digest_size=8)
    for room in _ROOMS:
        for file in sorted((root / room).rglob("*.py")):
            digest.update(file.relative_to(root).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _remove_old(folder: Path) -> None:
    """Remove folders of versions that were not used for longest, but for a few."""
    with suppress(FileNotFoundError):
        # another process may be removing the same ones
        newest = sorted(folder.iterdir(), key=lambda kept: kept.stat().st_mtime, reverse=True)
        for old in newest[_KEPT:]:
            shutil.rmtree(old, ignore_errors=True)


def _remove_damaged(folder: Path) -> None:
    """Remove kernels if a file of theirs was cut off: Numba would fail at each of them, in every process."""
    for file in folder.rglob("*.nb[ic]"):
        if file.read_bytes()[-1:] != _END_OF_PICKLE:
            shutil.rmtree(folder)
            folder.mkdir()
            return


if __name__ == "__main__":
    # for a Makefile, which hands it to a process that imports Numba first
    kept = use_kernel_cache(os.environ, Path(__file__).resolve().parent.parent, cache_home(os.environ))
    sys.stdout.write(str(kept or ""))
