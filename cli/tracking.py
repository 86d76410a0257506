"""Look at the tracking store before a run begins: what it would refuse after a minute is refused now."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from core.errors import InputError
from models.tracking import TrackingStore


def check_store(home: Path) -> None:
    """Make sure that the store can be used, without making one where there is none.

    Raises
    ------
    InputError
        If its folder or its database cannot be read and written.
    """
    place = home
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise InputError(
            f"{place} is no folder that can be written to; set storage.mlflow_home to another place",
            path=str(home),
        )
    store = TrackingStore(home)
    if store.exists:
        with store.reading():
            store.client().search_experiments(max_results=1)
        check_writable(home / "mlflow.db")


def check_writable(database: Path, patience_s: float = 5.0) -> None:
    """Ask the file whether it could be written, and write nothing.

    Raises
    ------
    InputError
        If it cannot.
    """
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", patience_s, uri=True)) as connection:
            connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        # somebody else writes just now, so it can be written
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
            raise InputError(
                f"the tracking database {database} cannot be written ({error}); give it back to its owner, "
                "or set storage.mlflow_home to another folder",
                path=str(database),
            ) from error
