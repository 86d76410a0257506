"""A home that cannot be used says so in one line with what to do; it never hangs or shows a traceback."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from core.errors import InputError, ModelError
from core.seams import ManualClock
from models.champion import find_champion, load_version
from models.promotion import promote
from models.tracking import TrackingStore, log_study
from tests.registry_fixtures import NOW_NS, WINS, provenance, snapshot, study, window


def execute(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "mlflow.db")) as database, database:
        database.execute(statement)


def not_sqlite(home: Path, _: Path) -> None:
    home.mkdir()
    (home / "mlflow.db").write_text("hello world, not a database " * 100)


def a_few_bytes(home: Path, _: Path) -> None:
    home.mkdir()
    (home / "mlflow.db").write_text("hello")


def a_folder_in_its_place(home: Path, _: Path) -> None:
    (home / "mlflow.db").mkdir(parents=True)


def cut_in_half(home: Path, good: Path) -> None:
    shutil.copytree(good, home)
    content = (home / "mlflow.db").read_bytes()
    (home / "mlflow.db").write_bytes(content[: len(content) // 2])


def newer_schema(home: Path, good: Path) -> None:
    shutil.copytree(good, home)
    execute(home, "UPDATE alembic_version SET version_num = 'fromthefuture'")


def a_file_for_a_home(home: Path, _: Path) -> None:
    home.write_text("not a folder")


def a_file_above_the_home(home: Path, _: Path) -> None:
    home.parent.rmdir()
    home.parent.write_text("not a folder")


BAD = [
    (not_sqlite, "not a tracking database"),
    (a_few_bytes, "not a tracking database"),
    (a_folder_in_its_place, "Is a directory"),
    (cut_in_half, "malformed"),
    (newer_schema, "another version of MLflow"),
    (a_file_for_a_home, "File exists"),
    (a_file_above_the_home, "Not a directory"),
]


@pytest.mark.parametrize(("spoil", "words"), BAD)
def test_a_home_that_cannot_be_used_is_named_at_once_in_one_line(
    tmp_path: Path, migrated_home: Path, spoil: Callable[[Path, Path], None], words: str
) -> None:
    home = tmp_path / "above" / "mlruns"
    home.parent.mkdir()
    spoil(home, migrated_home)
    started = time.monotonic()
    with pytest.raises(InputError, match=words) as refused:
        TrackingStore(home).client()
    assert time.monotonic() - started < 10
    assert str(home) in refused.value.message
    assert "storage.mlflow_home" in refused.value.message
    assert "\n" not in refused.value.message


def test_a_home_that_cannot_be_written_is_refused_before_a_database_is_made() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs /proc, where nobody can make a file")
    for home in (Path("/proc/self"), Path("/proc/omniarb/mlruns")):
        started = time.monotonic()
        with pytest.raises(InputError, match=r"storage\.mlflow_home"):
            TrackingStore(home).client()
        assert time.monotonic() - started < 10


def test_an_empty_database_file_is_a_new_one(tmp_path: Path, migrated_home: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    assert TrackingStore(tmp_path).client().get_experiment_by_name("omniarb") is None


@pytest.mark.parametrize("spoil", [not_sqlite, newer_schema])
def test_the_champion_of_a_database_that_cannot_be_used_is_no_traceback(
    tmp_path: Path, migrated_home: Path, spoil: Callable[[Path, Path], None]
) -> None:
    store = TrackingStore(tmp_path / "mlruns")
    spoil(store.home, migrated_home)
    with pytest.raises(InputError, match=r"storage\.mlflow_home"):
        find_champion(store, "base-fee-h2")
    with pytest.raises(InputError, match=r"storage\.mlflow_home"):
        load_version(store, "base-fee-h2", "1")


def test_a_registry_that_lost_a_table_is_no_traceback(tmp_path: Path, registered: TrackingStore) -> None:
    store = TrackingStore(tmp_path / "mlruns")
    shutil.copytree(registered.home, store.home)
    assert find_champion(store, "base-fee-h2") == "1"
    execute(store.home, "DROP TABLE registered_model_aliases")
    with pytest.raises(InputError, match=r"cannot be used \(.*no such table"):
        find_champion(store, "base-fee-h2")


def test_a_version_that_is_not_there_is_no_traceback(store: TrackingStore) -> None:
    with pytest.raises(InputError, match=r"no version 7 of base-fee-h2; .* or was deleted in MLflow"):
        load_version(store, "base-fee-h2", "7")


def test_records_that_cannot_be_written_are_named(store: TrackingStore) -> None:
    execute(store.home, "CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(ModelError, match="could not write below") as refused:
        log_study(store, study(WINS), provenance(), clock=ManualClock(NOW_NS))
    assert "\n" not in refused.value.message


def test_artifacts_that_cannot_be_written_are_named(store: TrackingStore) -> None:
    (store.home / "artifacts").write_text("not a folder")
    with pytest.raises(ModelError, match="could not write below"):
        log_study(store, study(WINS), provenance(), clock=ManualClock(NOW_NS))


def test_a_ledger_that_cannot_be_written_is_named(store: TrackingStore) -> None:
    logged = log_study(store, study(WINS), provenance(), clock=ManualClock(NOW_NS))
    (store.home / "promotions.jsonl").mkdir()
    with pytest.raises(ModelError, match="could not write below"):
        promote(store, study(WINS), logged, snapshot, example=window(), clock=ManualClock(NOW_NS))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MLflow wait for a lock a tenth of a second and not twenty."""
    from mlflow.store.db import utils

    class Sql:
        def text(self, statement: str) -> sqlalchemy.TextClause:
            return sqlalchemy.text(statement.replace("busy_timeout = 20000", "busy_timeout = 100"))

    monkeypatch.setattr(utils, "sql", Sql())


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
@pytest.mark.usefixtures("impatient")
def test_a_database_that_another_one_keeps_locked_is_one_line_that_says_what_to_do(
    store: TrackingStore, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    client = store.client()
    with closing(sqlite3.connect(store.home / "mlflow.db", isolation_level=None)) as writer:
        writer.execute(f"BEGIN {how}")
        with pytest.raises(InputError, match="locked by another program") as refused, store.writing():
            client.create_run("0")
        assert "\n" not in refused.value.message
        assert "wait until it has finished" in refused.value.message
        if how == "EXCLUSIVE":
            with pytest.raises(InputError, match="wait until it has finished"), store.reading():
                client.search_experiments()
    assert "Traceback" not in capfd.readouterr().err
    with store.writing():
        client.create_run("0")
