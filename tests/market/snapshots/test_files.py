"""A file that is no snapshot is refused with its name and the position, whatever is in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError, TapeError
from market.snapshots import files
from market.snapshots.formats import FORMATS, read_snapshots
from market.snapshots.own_format import FORMAT
from tests.market.snapshots.auctions import auction, written


@pytest.fixture(params=sorted(FORMATS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_missing_file_a_folder_and_an_unknown_format_are_named(tmp_path: Path, name: str) -> None:
    for place in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InputError, match=place.name):
            read_snapshots(place, name)
    with pytest.raises(InputError, match="cow-auction"):
        read_snapshots(tmp_path / "none.json", "parquet")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[1, 2",
        b'"text"',
        b"7",
        b"null",
        b"{}",
        b"[NaN]",
        b'{"metadata": {}, "amms": [], "tokens": {}}',
        b'{"state_msgs": {"uniswap_v2": {}}}',
        b"9" * 5000,
        b"[" * 100_000,
        f'{{"format": "{FORMAT}", "version": 9}}'.encode(),
        f'{{"format": "{FORMAT}", "version": 1, "tokens": 5}}'.encode(),
        b"\x28\xb5\x2f\xfd no frame",
    ],
)
def test_what_is_no_snapshot_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    file = tmp_path / "wrong.json"
    file.write_bytes(content)
    with pytest.raises(TapeError) as refused:
        read_snapshots(file, name)
    assert refused.value.fields["file"] == str(file)
    assert "wrong.json" in refused.value.message


def test_the_line_of_a_broken_auction_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, auction())
    whole = file.read_text()
    file.write_text(whole + "\n" + whole[: len(whole) // 2])
    with pytest.raises(TapeError, match="line 3, column") as refused:
        read_snapshots(file, "cow-auction")
    assert refused.value.fields["line"] == 3
    document = auction()
    document["metadata"]["environment"] = "Gnosis"
    file.write_text(whole + json.dumps(document))
    with pytest.raises(TapeError, match="environment") as refused:
        read_snapshots(file, "cow-auction")
    assert refused.value.fields["line"] == 2


def test_packed_files_read_alike_and_damaged_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = written(tmp_path, auction())
    packed = zstandard.compress(plain.read_bytes() * 3)
    file = tmp_path / "auction.json.zst"
    file.write_bytes(packed)
    assert read_snapshots(file, "cow-auction") == read_snapshots(plain, "cow-auction") * 3
    for damaged in (packed[:-1], packed[: len(packed) // 2], packed + packed, packed + b"x"):
        file.write_bytes(damaged)
        with pytest.raises(TapeError, match="zstd"):
            read_snapshots(file, "cow-auction")
    file.write_bytes(packed)
    monkeypatch.setattr(files, "MAX_BYTES", 5_000)
    with pytest.raises(InputError, match="more than 5000 bytes"):
        read_snapshots(file, "cow-auction")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_in_any_place_is_read_or_refused_and_never_breaks_the_reader(
    tmp_path: Path, data: st.DataObject
) -> None:
    document = auction()
    place, keys = document, list(document)
    while True:
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
    place[key] = data.draw(JSON)
    try:
        (snapshot,) = read_snapshots(written(tmp_path, document), "cow-auction")
    except TapeError:
        return
    assert len(snapshot.pools) + len(snapshot.refused) == len(document["amms"])
