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
from market.recorded import Recorded
from market.tape import TapeReader
from market.tape_manifest import Part, digest, sha256_of
from tests.small_tapes import POOLS, A, record, straight

BLOCKS, LOGS = (f"{table}/day=1970-01-01/000000000001.parquet" for table in ("blocks", "logs"))
"""The files of a tape whose blocks are all of one hour."""


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_is_found_before_a_block_is_given(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "tape"
    if not folder.exists():
        record(folder, straight(3))
    original = list(TapeReader(folder).recorded().blocks())
    part = folder / data.draw(st.sampled_from(["manifest.json", BLOCKS, LOGS]))
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
    table = pq.read_table(folder / part, partitioning=None)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), folder / part)
    sign(folder)
    return TapeReader(folder).recorded()


def sign(folder: Path, **changes: object) -> None:
    """Make the manifest's hashes those of what is there."""
    manifest = json.loads((folder / "manifest.json").read_text()) | changes
    for part in manifest["parts"] if "parts" not in changes else ():
        part["blocks_sha256"], part["logs_sha256"] = (sha256_of(folder / name) for name in (BLOCKS, LOGS))
    manifest.pop("digest")
    manifest["digest"] = digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("part", "row", "column", "value"),
    [
        (BLOCKS, 1, "hash", b"short"),
        (BLOCKS, 1, "parent_hash", bytes(31) + b"\x09"),
        (BLOCKS, 1, "timestamp", None),
        (BLOCKS, 1, "gas_used", -5),
        (BLOCKS, 1, "base_fee", "1.5"),
        (BLOCKS, 1, "winning_bid", "-1"),
        (BLOCKS, 1, "fee_recipient", "0x1"),
        (BLOCKS, 1, "logs", 1),
        (BLOCKS, 1, "candle_open", 5.0),
        (BLOCKS, 1, "block_number", 3),
        (BLOCKS, 1, "gas_limit", 0),
        (LOGS, 3, "log_index", 0),
        (LOGS, 3, "log_index", None),
        (LOGS, 3, "topics", b"short"),
        (LOGS, 3, "transaction_hash", b""),
        (LOGS, 3, "address", A.upper()),
        (LOGS, 3, "transaction_index", -1),
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
    assert refused.value.fields["file"] == str(tmp_path / "tape" / part)
    assert refused.value.fields["row"] == row
    assert refused.value.fields["block"] == (3 if column == "block_number" else 2)
    assert ("log_index" in refused.value.fields) == (part == LOGS)


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
    good = rewrite(tmp_path / "good", BLOCKS, lambda rows: rows[1].update(CANDLE))
    assert [context.candle is None for _, context in good.blocks()] == [True, False, True]
    record(tmp_path / "bad", straight(3))
    bad = rewrite(tmp_path / "bad", BLOCKS, lambda rows: rows[1].update(CANDLE | change))
    with pytest.raises(TapeError, match=message) as refused:
        list(bad.blocks())
    assert (refused.value.fields["row"], refused.value.fields["block"]) == (1, 2)


def test_rows_that_are_missing_or_left_over_are_found(tmp_path: Path) -> None:
    for name, part, change, message in (
        ("fewer blocks", BLOCKS, lambda rows: rows.pop(), "belongs to no block"),
        ("fewer logs", LOGS, lambda rows: rows.pop(), "1 are here"),
        ("swapped", BLOCKS, lambda rows: rows.reverse(), "corrupt"),
        ("stray log", LOGS, lambda rows: rows[-1].update(block_number=99), "1 are here"),
    ):
        record(tmp_path / name, straight(3))
        recorded = rewrite(tmp_path / name, part, change)
        with pytest.raises(TapeError, match=message):
            list(recorded.blocks())
    record(tmp_path / "no logs", straight(3, logs_each=0))
    recorded = rewrite(tmp_path / "no logs", BLOCKS, lambda rows: rows.pop())
    with pytest.raises(TapeError, match="holds 2 blocks"):
        list(recorded.blocks())


@pytest.mark.parametrize("version", [1, 3])
def test_a_tape_of_another_version_is_refused(tmp_path: Path, version: int) -> None:
    folder = tmp_path / "tape"
    record(folder, straight(1))
    sign(folder, version=version)
    with pytest.raises(TapeError, match=f"version {version}, this program reads 2; record it again"):
        TapeReader(folder)


def test_a_missing_file_and_other_columns_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "tape"
    record(folder, straight(1))
    other = pq.read_table(folder / LOGS, partitioning=None).drop_columns(["data"])
    pq.write_table(other, folder / LOGS)
    sign(folder)
    with pytest.raises(TapeError, match="other columns"):
        list(TapeReader(folder).recorded().blocks())
    (folder / LOGS).unlink()
    with pytest.raises(TapeError, match="missing"):
        TapeReader(folder)
    with pytest.raises(TapeError, match="not a tape; record one first"):
        TapeReader(tmp_path / "nowhere")


def test_parts_that_are_lost_doubled_or_reordered_do_not_continue_each_other(tmp_path: Path) -> None:
    days = record(tmp_path / "tape", straight(4, seconds=86_400))
    assert len(list(days.blocks())) == 4
    parts = json.loads((tmp_path / "tape" / "manifest.json").read_text())["parts"]
    one, two, three, _ = parts
    for wrong in ([one, three], [one, two, two, three], [two, one, three]):
        sign(tmp_path / "tape", parts=wrong)
        with pytest.raises(TapeError, match="does not continue") as refused:
            list(TapeReader(tmp_path / "tape").recorded().blocks())
        assert refused.value.fields["row"] == 0
    (tmp_path / "tape" / "blocks" / "day=1970-01-07").mkdir()
    for table in ("blocks", "logs"):
        stray = tmp_path / "tape" / table / "day=1970-01-07" / "000000000001.parquet"
        stray.parent.mkdir(exist_ok=True)
        (tmp_path / "tape" / table / "day=1970-01-02" / "000000000001.parquet").rename(stray)
    sign(tmp_path / "tape", parts=[one | {"day": "1970-01-07"}])
    with pytest.raises(TapeError, match="its timestamp is not of 1970-01-07"):
        list(TapeReader(tmp_path / "tape").recorded().blocks())


@pytest.mark.parametrize(
    "change",
    [
        {"pools": [{"spec": {}}]},
        {"pools": [5]},
        {"tokens": [["0x"]]},
        {"tokens": 5},
        {"parts": 5},
        {"parts": [{"day": "1970-01-01"}]},
        {"parts": [dict.fromkeys(Part.__slots__, "x")]},
        {"specs": [{}]},
    ],
)
def test_a_manifest_that_describes_nothing_valid_is_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    folder = tmp_path / "tape"
    record(folder, straight(1))
    sign(folder, **change)
    with pytest.raises(TapeError, match="corrupt"):
        TapeReader(folder).recorded()


def test_a_manifest_that_is_nested_without_end_is_corrupt(tmp_path: Path) -> None:
    record(tmp_path / "tape", straight(1))
    (tmp_path / "tape/manifest.json").write_text("[" * 200_000)
    with pytest.raises(TapeError, match="is corrupt"):
        TapeReader(tmp_path / "tape")
