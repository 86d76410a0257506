"""SQLite as it is opened here, and addresses that open nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from core.database import open_database
from core.errors import ConfigError


def test_a_file_is_made_with_its_folder_and_pragmas(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/new/journal.db")
    with engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def test_every_connection_gets_the_pragmas(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/journal.db")
    with engine.connect() as one, engine.connect() as other:
        assert [c.execute(text("PRAGMA foreign_keys")).scalar() for c in (one, other)] == [1, 1]
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("journal.db", "no database URL"),
        ("nosuch://x/y", "no database URL"),
        ("sqlite:////dev/null/x.db", "folder"),
    ],
)
def test_an_address_that_opens_nothing_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        open_database(url)
