"""Feature rows as tables of Arrow and pandas, and back, with the hash of each row beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd
import pyarrow as pa

from core.errors import InputError
from core.reasons import Reason
from features.feature import FeatureRow
from features.feature_set import FeatureSet

HEAD = ("block_number", "event_time", "known_at_ns", "subject", "missing", "digest")
"""Columns before the features' own; ``missing`` lists the features whose value stands for an unknown one."""

SET_KEY = b"feature_set_digest"


def record_digest(row: FeatureRow) -> str:
    """Return the hash of everything in a row: its content hash, both times, and what is missing."""
    text = f"{row.digest}|{row.event_time}|{row.known_at_ns}|{','.join(row.missing)}"
    return hashlib.sha256(text.encode()).hexdigest()


def schema_of(features: FeatureSet) -> pa.Schema:
    """Return the Arrow schema of a set's tables; its metadata hold the set's hash."""
    head = zip(
        HEAD,
        (pa.int64(), pa.int64(), pa.int64(), pa.string(), pa.list_(pa.string()), pa.string()),
        strict=True,
    )
    columns = [*head, *((name, pa.float64()) for name in features.names)]
    return pa.schema(columns, metadata={SET_KEY: features.digest.encode()})


def to_table(rows: Iterable[FeatureRow], features: FeatureSet) -> pa.Table:
    """Return rows as an Arrow table.

    Raises
    ------
    InputError
        If a row is of another feature set.
    """
    rows = tuple(rows)
    for row in rows:
        check_names(row, features)
    heads: list[list[Any]] = [
        [row.block_number for row in rows],
        [row.event_time for row in rows],
        [row.known_at_ns for row in rows],
        [row.subject for row in rows],
        [list(row.missing) for row in rows],
        [record_digest(row) for row in rows],
    ]
    values = [[row.values[place] for row in rows] for place in range(len(features.names))]
    return pa.table([*heads, *values], schema=schema_of(features))


def to_frame(rows: Iterable[FeatureRow], features: FeatureSet) -> pd.DataFrame:
    """Return rows as a pandas frame, a column per feature after those of :data:`HEAD`."""
    return pd.DataFrame(to_table(rows, features).to_pandas())


def rows_of(table: pa.Table, features: FeatureSet) -> Iterator[tuple[FeatureRow, bool]]:
    """Yield the rows of a table, and whether each still has the hash it was written with."""
    names = features.names
    for record in table.to_pylist():
        row = FeatureRow(
            record["block_number"],
            record["event_time"],
            record["known_at_ns"],
            names,
            tuple(record[name] for name in names),
            tuple(record["missing"]),
            record["subject"],
        )
        whole = all(value is not None for value in row.values)
        yield row, whole and record_digest(row) == record["digest"]


def check_names(row: FeatureRow, features: FeatureSet) -> None:
    """Refuse a row of another feature set.

    Raises
    ------
    InputError
        With the reason ``feature_set_differs`` and the features that are too few and too many.
    """
    if row.names != features.names:
        raise InputError(
            f"the row of block {row.block_number} is not of the feature set {features.name}; "
            "use the set it was made with",
            reason=Reason.FEATURE_SET_DIFFERS,
            missing=sorted(set(features.names) - set(row.names)),
            unknown=sorted(set(row.names) - set(features.names)),
        )
