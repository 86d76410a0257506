"""The database of pools that a command works on: the file it names, or the configured one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url

from core.database import open_database
from core.errors import InputError
from core.seams import SystemClock
from core.settings import Settings
from pipeline.pool_store import PoolStore


def open_pools(settings: Settings, database: Path | None, *, must_exist: bool = False) -> PoolStore:
    """Open the store of pools; whoever opens it closes it.

    Parameters
    ----------
    settings
        Their ``storage.database_url`` is meant where no file is named.
    database
        SQLite file.
    must_exist
        Whether a file that is not there is an error, as for a command that only reads.

    Raises
    ------
    InputError
        If it cannot be opened, or is not there.
    """
    if database is None:
        parsed = make_url(settings.storage.database_url)
    else:  # a name may hold characters that mean something in a URL
        parsed = URL.create("sqlite", database=str(database.absolute()))
    file = parsed.database if parsed.get_backend_name() == "sqlite" else None
    if must_exist and file and file != ":memory:" and not Path(file).is_file():
        raise InputError(
            f"there are no pools in {file}: the file is not there; run `omniarb pools discover`, or name "
            "another file with --db",
            store=file,
        )
    return PoolStore(open_database(parsed), SystemClock())
