"""The tracking store as the command line meets it: what is wrong with its files is one clear line."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic.util.exc import CommandError
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

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
        _check_database(home)
        with usable_store(home):
            store.client().search_experiments(max_results=1)


@contextmanager
def usable_store(home: Path) -> Iterator[None]:
    """Turn what MLflow and its database raise into one line that names the file.

    Raises
    ------
    InputError
        If the database is corrupt, of another version, or cannot be written.
    """
    try:
        yield
    except SQLAlchemyError as error:
        # its own text holds the statement and a link as well; the driver's is the reason alone
        raise _unusable(home, getattr(error, "orig", None) or error) from error
    except (MlflowException, CommandError) as error:
        raise _unusable(home, error) from error


def _check_database(home: Path, patience_s: float = 5.0) -> None:
    """Ask the database file itself: MLflow would try for minutes to open one that it cannot write."""
    uri = f"{(home / 'mlflow.db').resolve().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, patience_s, uri=True)) as database:
            database.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        # somebody else writes just now, so it can be written
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
            raise _unusable(home, error) from error


def _unusable(home: Path, error: BaseException) -> InputError:
    said = str(error).strip().partition("\n")[0].rstrip(".")
    return InputError(
        f"the tracking database {home / 'mlflow.db'} cannot be used: {said}; "
        "move it away, or set storage.mlflow_home to another folder",
        path=str(home),
    )
