"""What the offline store gives back is what was put in, to the bit, in every reader."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from core.errors import InputError
from core.reasons import Reason
from features.feature import Feature, FeatureRow
from features.feature_set import FeatureSet
from features.registry import BLOCK, MARKET
from features.store import FeatureStore, Stored
from market.context import NO_CONTEXT, BlockContext
from tests.features.watched import watch

DAY = 86_400


@pytest.fixture(scope="module")
def rows() -> tuple[FeatureRow, ...]:
    contexts = [NO_CONTEXT, BlockContext(None, 10**17, "a")] * 3
    made = watch([([(0, 0, 0.02, True)], context, None) for context in contexts]).rows
    # two days
    return tuple(
        replace(row, event_time=row.event_time + DAY * (place > 3)) for place, row in enumerate(made)
    )


@pytest.fixture
def store(tmp_path: Path, rows: tuple[FeatureRow, ...]) -> FeatureStore:
    store = FeatureStore(tmp_path, MARKET)
    store.append(rows, "live-1")
    return store


def test_rows_come_back_as_they_were(store: FeatureStore, rows: tuple[FeatureRow, ...]) -> None:
    assert store.read() == store.read(run="live-1")
    assert store.read().rows == rows
    assert store.read(day="1970-01-02").rows == rows[4:]
    assert [str(path.relative_to(store.folder)) for path in store.files()] == [
        "day=1970-01-01/run=live-1/101-104.parquet",
        "day=1970-01-02/run=live-1/105-106.parquet",
    ]


def test_the_same_rows_written_again_are_there_once(
    store: FeatureStore, rows: tuple[FeatureRow, ...]
) -> None:
    store.append(rows, "live-1")
    assert store.read().rows == rows


def test_pandas_polars_and_duckdb_read_the_same_numbers(
    store: FeatureStore, rows: tuple[FeatureRow, ...]
) -> None:
    polars, duckdb = pytest.importorskip("polars"), pytest.importorskip("duckdb")
    expected = [(row.block_number, row["depth_log"], row["gas_used_ratio"]) for row in rows]
    names = ["block_number", "depth_log", "gas_used_ratio"]
    frame = pd.read_parquet(store.folder).sort_values("block_number")
    assert list(frame[names].itertuples(index=False, name=None)) == expected
    assert set(frame["run"]) == {"live-1"}
    scan = polars.scan_parquet(store.folder, hive_partitioning=True).sort("block_number")
    assert scan.select(names).collect().rows() == expected
    query = f"select {', '.join(names)} from read_parquet('{store.folder}/**/*.parquet') order by 1"
    with duckdb.connect() as connection:
        assert connection.sql(query).fetchall() == expected


def test_a_changed_number_is_found_by_its_hash(store: FeatureStore, rows: tuple[FeatureRow, ...]) -> None:
    path = next(store.files())
    table = pq.read_table(path, partitioning=None)
    place = table.schema.get_field_index("depth_log")
    column = table.column(place).to_pylist()
    column[1] += 1e-9
    pq.write_table(table.set_column(place, table.schema.field(place), [column]), path)
    found = store.read()
    assert found.rows == (rows[0], *rows[2:])
    ((where, refusal),) = found.refusals
    assert where == path
    assert str(refusal) == "row_damaged: the row of block 102 does not have its hash"


def test_a_torn_file_is_passed_over_with_the_reason(
    store: FeatureStore, rows: tuple[FeatureRow, ...]
) -> None:
    path = next(store.files())
    path.write_bytes(path.read_bytes()[:1000])
    found = store.read()
    assert found.rows == rows[4:]
    assert [refusal.reason for _, refusal in found.refusals] == [Reason.ROW_DAMAGED]


def test_rows_of_definitions_that_have_changed_since_are_not_read(store: FeatureStore) -> None:
    first = MARKET.features[0]
    other = FeatureSet(MARKET.name, MARKET.doc, (replace(first, window=9), *MARKET.features[1:]))
    found = FeatureStore(store.folder.parent, other).read()
    assert found.rows == ()
    assert {refusal.reason for _, refusal in found.refusals} == {Reason.FEATURE_SET_DIFFERS}


def test_rows_of_another_set_are_not_written(tmp_path: Path, rows: tuple[FeatureRow, ...]) -> None:
    with pytest.raises(InputError) as caught:
        FeatureStore(tmp_path, BLOCK).append(rows, "run")
    assert caught.value.fields["reason"] is Reason.FEATURE_SET_DIFFERS
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("run", ["", "../up", "a/b", "a b", "."])
def test_a_run_that_is_no_folders_name_is_refused(
    tmp_path: Path, rows: tuple[FeatureRow, ...], run: str
) -> None:
    with pytest.raises(InputError, match="rename it"):
        FeatureStore(tmp_path, MARKET).append(rows, run)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    store: FeatureStore, rows: tuple[FeatureRow, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("features.store.os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        store.append(rows, "live-1")
    assert store.read().rows == rows
    assert [path.suffix for path in store.folder.rglob("*") if path.is_file()] == [".parquet"] * 2


def test_sets_with_other_definitions_have_other_hashes() -> None:
    one = Feature("a", "s", "A.")
    digests = {
        FeatureSet("x", "", (made,)).digest for made in (one, replace(one, null=1.0), replace(one, unit="m"))
    }
    assert len(digests) == 3


@pytest.mark.parametrize("to_number", [99, 100, 101, 103, 104, 105, 106, 107])
def test_rows_of_replaced_blocks_are_taken_out_and_the_new_ones_stand_in_their_place(
    store: FeatureStore, rows: tuple[FeatureRow, ...], to_number: int
) -> None:
    store.append(rows, "live-2")
    store.rollback(to_number, "live-1")
    kept = tuple(row for row in rows if row.block_number <= to_number)
    assert store.read(run="live-1") == Stored(kept, ())
    assert store.read(run="live-2").rows == rows
    again = [replace(row, known_at_ns=1) for row in rows if row.block_number > to_number]
    store.append(again, "live-1")
    assert store.read(run="live-1").rows == (*kept, *again)
    assert {path.suffix for path in store.folder.rglob("*") if path.is_file()} == {".parquet"}


def test_a_torn_file_stays_to_be_looked_at(store: FeatureStore, rows: tuple[FeatureRow, ...]) -> None:
    torn = next(store.files())
    torn.write_bytes(torn.read_bytes()[:1000])
    store.rollback(100, "live-1")
    assert list(store.files()) == [torn]
