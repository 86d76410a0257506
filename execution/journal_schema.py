"""The journal's tables in a database: made where they are missing, and looked at without writing a byte."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateColumn

from core.errors import ExecutionError, InputError
from execution.journal_rows import BUNDLES, DECISIONS, METADATA, SETTLEMENTS

_OLDEST = frozenset(table.name for table in (DECISIONS, BUNDLES, SETTLEMENTS))
"""Tables of every journal, however old."""


def prepare_tables(engine: Engine) -> None:
    """Make tables and columns that a database lacks; what is there stays as it is.

    A journal of an earlier version lacks columns that later ones added. They are empty for its past.

    Raises
    ------
    SQLAlchemyError
        If the database fails.
    """
    there = inspect(engine)
    old = [table for table in METADATA.sorted_tables if there.has_table(table.name)]
    known = {table.name: {column["name"] for column in there.get_columns(table.name)} for table in old}
    METADATA.create_all(engine)
    with engine.begin() as connection:
        for table in old:
            for column in table.columns:
                if column.name not in known[table.name]:
                    written = CreateColumn(column).compile(dialect=engine.dialect)
                    connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {written}")


@contextmanager
def journal_copy(file: Path) -> Iterator[Engine]:
    """Yield a journal file's copy in memory, as it is at this moment; the file is only read.

    Parameters
    ----------
    file
        An SQLite journal, of a run that is over or goes on.

    Raises
    ------
    ExecutionError
        If the file cannot be read.
    InputError
        If it is no execution journal.
    """
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    with closing(memory):
        _fill(memory, file)
        engine = create_engine("sqlite://", creator=lambda: memory, poolclass=StaticPool)
        try:
            yield engine
        finally:
            engine.dispose()


def _fill(memory: sqlite3.Connection, file: Path) -> None:
    # without a log of changes beside it nobody writes, and nothing need be made there to read it
    changing = file.with_name(f"{file.name}-wal").exists()
    address = f"file:{quote(str(file.resolve()))}?mode=ro{'' if changing else '&immutable=1'}"
    try:
        with closing(sqlite3.connect(address, uri=True)) as stored:
            stored.backup(memory)
        tables = {name for (name,) in memory.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise ExecutionError(
            f"the execution journal {file} cannot be read: {error}", path=str(file)
        ) from error
    if not tables >= _OLDEST:
        raise InputError(f"{file} is no execution journal; name a run that traded", path=str(file))
