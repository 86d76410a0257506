"""Open a database: SQLite with settings that survive a crash, or a server."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from core.errors import ConfigError

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a journal row must be on disk before its bundle leaves
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
)


def open_database(url: str | URL) -> Engine:
    """Open a database; for an SQLite file, make its folder and set its pragmas.

    Parameters
    ----------
    url
        SQLAlchemy URL, ``sqlite:///runs/journal.db`` or ``postgresql+psycopg://user@host/name``.

    Raises
    ------
    ConfigError
        If the URL cannot be read, its driver is missing, or its folder cannot be made.

    Examples
    --------
    >>> engine = open_database("sqlite://")
    >>> with engine.connect() as connection:
    ...     connection.exec_driver_sql("PRAGMA foreign_keys").scalar()
    1
    >>> engine.dispose()
    """
    try:
        parsed = make_url(url)
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(f"storage.database_url is no database URL: {error}") from None
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the driver {error.name!r} of storage.database_url is not installed; install extra 'postgres'"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        _make_folder(parsed)
        event.listen(engine, "connect", _set_pragmas)
    return engine


def _make_folder(url: URL) -> None:
    if not url.database or url.database == ":memory:":
        return
    folder = Path(url.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make folder {folder} of storage.database_url: {error.strerror}") from None


def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)
