"""No damage to a tape goes unnoticed, and each is named with its place."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import TapeError
from market import tape as tape_module
from market.recorded import Recorded
from market.tape import TapeReader
from tests.small_tapes import POOLS, A, record, straight


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_is_found_before_a_block_is_given(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "tape"
    if not folder.exists():
        record(folder, straight(3))
    original = list(TapeReader(folder).recorded().blocks())
    part = folder / data.draw(st.sampled_from(["manifest.json", "blocks.parquet", "logs.parquet"]))
    content = part.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.booleans())
    part.write_bytes(content[:at] if cut else bytes(changed))
    try:
        recorded = TapeReader(folder).recorded()
        assert part.name == "manifest.json"
        assert list(recorded.blocks()) == original
        assert recorded.pools == POOLS
    except TapeError as refused:
        assert str(folder) in refused.fields["file"]  # noqa: PT017
    finally:
        part.write_bytes(content)


def rewrite(folder: Path, part: str, change: Callable[[list[dict[str, object]]], object]) -> Recorded:
    """Change rows of a part and make the hashes right again, as a broken recorder would."""
    table = pq.read_table(folder / part)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), folder / part)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"][part] = tape_module._sha256(folder / part)
    manifest.pop("digest")
    manifest["digest"] = tape_module._digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return TapeReader(folder).recorded()


@pytest.mark.parametrize(
    ("part", "row", "column", "value"),
    [
        ("blocks.parquet", 1, "hash", b"short"),
        ("blocks.parquet", 1, "parent_hash", bytes(31) + b"\x09"),
        ("blocks.parquet", 1, "timestamp", None),
        ("blocks.parquet", 1, "gas_used", -5),
        ("blocks.parquet", 1, "base_fee", "1.5"),
        ("blocks.parquet", 1, "winning_bid", "-1"),
        ("blocks.parquet", 1, "fee_recipient", "0x1"),
        ("blocks.parquet", 1, "logs", 1),
        ("blocks.parquet", 1, "candle_open", 5.0),
        ("blocks.parquet", 1, "block_number", 3),
        ("blocks.parquet", 1, "gas_limit", 0),
        ("logs.parquet", 3, "log_index", 0),
        ("logs.parquet", 3, "log_index", None),
        ("logs.parquet", 3, "topics", b"short"),
        ("logs.parquet", 3, "transaction_hash", b""),
        ("logs.parquet", 3, "address", A.upper()),
        ("logs.parquet", 3, "transaction_index", -1),
    ],
)
def test_a_corrupt_row_is_refused_with_file_row_and_position(
    tmp_path: Path, part: str, row: int, column: str, value: object
) -> None:
    record(tmp_path / "tape", straight(3))
    recorded = rewrite(tmp_path / "tape", part, lambda rows: rows[row].update({column: value}))
    given_before = []
    with pytest.raises(TapeError, match=f"row {row}") as refused:
        given_before.extend(recorded.blocks())
    assert refused.value.fields["file"].endswith(part)
    assert refused.value.fields["row"] == row
    assert refused.value.fields["block"] == (3 if column == "block_number" else 2)
    assert ("log_index" in refused.value.fields) == (part == "logs.parquet")


CANDLE = {
    "candle_symbol": "ETHUSDT",
    "candle_close_time": 24,
    **dict.fromkeys(("candle_open", "candle_high", "candle_low", "candle_close", "candle_volume"), 2.0),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candle_close": 0.0}, "a price or a volume that is none"),
        ({"candle_close": math.nan}, "a price or a volume that is none"),
        ({"candle_high": math.inf}, "a price or a volume that is none"),
        ({"candle_volume": -1.0}, "a price or a volume that is none"),
        ({"candle_close_time": 25}, "closed after the block"),
    ],
)
def test_a_candle_that_was_no_price_or_not_known_yet_is_corrupt(
    tmp_path: Path, change: dict[str, float], message: str
) -> None:
    record(tmp_path / "good", straight(3))
    good = rewrite(tmp_path / "good", "blocks.parquet", lambda rows: rows[1].update(CANDLE))
    assert [context.candle is None for _, context in good.blocks()] == [True, False, True]
    record(tmp_path / "bad", straight(3))
    bad = rewrite(tmp_path / "bad", "blocks.parquet", lambda rows: rows[1].update(CANDLE | change))
    with pytest.raises(TapeError, match=message) as refused:
        list(bad.blocks())
    assert (refused.value.fields["row"], refused.value.fields["block"]) == (1, 2)


def test_rows_that_are_missing_or_left_over_are_found(tmp_path: Path) -> None:
    for name, part, change, message in (
        ("fewer blocks", "blocks.parquet", lambda rows: rows.pop(), "belongs to no block"),
        ("fewer logs", "logs.parquet", lambda rows: rows.pop(), "1 are here"),
        ("swapped", "blocks.parquet", lambda rows: rows.reverse(), "corrupt"),
        ("stray log", "logs.parquet", lambda rows: rows[-1].update(block_number=99), "1 are here"),
    ):
        record(tmp_path / name, straight(3))
        recorded = rewrite(tmp_path / name, part, change)
        with pytest.raises(TapeError, match=message):
            list(recorded.blocks())
    record(tmp_path / "no logs", straight(3, logs_each=0))
    recorded = rewrite(tmp_path / "no logs", "blocks.parquet", lambda rows: rows.pop())
    with pytest.raises(TapeError, match="holds 2 blocks"):
        list(recorded.blocks())


def test_a_missing_part_another_version_and_other_columns_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    record(folder, straight(1))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": 2}))
    with pytest.raises(TapeError, match="version 2"):
        TapeReader(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    other = pq.read_table(folder / "logs.parquet").drop_columns(["data"])
    pq.write_table(other, folder / "logs.parquet")
    manifest["sha256"]["logs.parquet"] = tape_module._sha256(folder / "logs.parquet")
    manifest.pop("digest")
    manifest["digest"] = tape_module._digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(TapeError, match="other columns"):
        list(TapeReader(folder).recorded().blocks())
    (folder / "logs.parquet").unlink()
    with pytest.raises(TapeError, match="missing"):
        TapeReader(folder)
    with pytest.raises(TapeError, match="not a tape"):
        TapeReader(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "change",
    [
        {"pools": [{"spec": {}}]},
        {"pools": [5]},
        {"tokens": [["0x"]]},
        {"tokens": 5},
        {"counts": 5},
        {"specs": [{}]},
    ],
)
def test_a_manifest_that_describes_nothing_valid_is_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    folder = tmp_path / "tape"
    record(folder, straight(1))
    manifest = json.loads((folder / "manifest.json").read_text()) | change
    manifest.pop("digest")
    manifest["digest"] = tape_module._digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(TapeError, match="corrupt"):
        TapeReader(folder).recorded()
