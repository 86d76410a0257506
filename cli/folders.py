"""A folder for each run, under a name that no other run has."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from core.errors import InputError


def new_folder(runs: Path, started: datetime, seed: int) -> Path:
    """Make and return ``<time>-seed<seed>``; a second run in the same second has ``-2`` at the end.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    name, number = f"{started:%Y%m%d-%H%M%S}-seed{seed}", 1
    while True:
        folder = runs / (name if number == 1 else f"{name}-{number}")
        try:
            # making it is the test whether it is ours: two runs may look at the same moment
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise InputError(f"cannot make the run's folder {folder}: {error.strerror}") from None
        else:
            return folder


def drop_if_empty(folder: Path) -> None:
    """Leave no trace of a run that ended before it wrote anything."""
    with suppress(OSError):
        folder.rmdir()
