"""A journal is looked at as it is, and not one byte of it changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.database import open_database
from core.errors import ExecutionError, InputError
from core.seams import ManualClock
from execution.journal import Journal
from execution.journal_schema import journal_copy
from tests.execution.conftest import Case


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("name", ["run", "run?b#c", "run%20 ä"])
def test_a_copy_holds_what_the_file_does_and_the_file_stays_as_it_is(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    engine = open_database(f"sqlite:///{tmp_path / 'made.db'}")
    Journal(engine, ManualClock()).record_decision(Case().decision())
    engine.dispose()
    (tmp_path / "made.db").rename(folder / "journal.db")
    before = contents(folder)
    with journal_copy(folder / "journal.db") as copied:
        assert Journal(copied, ManualClock()).decisions() == (Case().decision(),)
    assert contents(folder) == before
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_run_that_goes_on_is_read_up_to_its_last_row(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'journal.db'}")
    journal = Journal(engine, ManualClock())
    for number in (1, 2):
        journal.record_decision(Case().decision(number))
        with journal_copy(tmp_path / "journal.db") as copied:
            assert len(Journal(copied, ManualClock()).decisions()) == number
    engine.dispose()


def test_an_older_journal_is_read_without_being_brought_up_to_date(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    engine = open_database(f"sqlite:///{file}")
    Journal(engine, ManualClock()).record_decision(Case().decision())
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE settlements DROP COLUMN rival_gas")
        connection.exec_driver_sql("DROP TABLE bid_draws")
    engine.dispose()
    before = file.read_bytes()
    with journal_copy(file) as copied:
        assert Journal(copied, ManualClock()).settlements() == ()
    assert file.read_bytes() == before


def test_what_is_no_journal_is_refused_and_not_made_one(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    (tmp_path / "text.db").write_text("no database, but long enough to hold a header" * 10)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE weather (day)")
    before = contents(tmp_path)
    for name in ("empty.db", "text.db", "other.db", "missing.db"):
        kind = InputError if name in ("empty.db", "other.db") else ExecutionError
        with pytest.raises(kind, match=name), journal_copy(tmp_path / name):
            pass
    assert contents(tmp_path) == before
