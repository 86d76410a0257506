"""A file's format is told by what it holds, and a file of no format is refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard

from core.errors import InputError, TapeError
from market.snapshots.cow_auction import read_cow_auctions
from market.snapshots.detection import detect_format
from market.snapshots.own_format import write_snapshot
from tests.market.snapshots.auctions import auction, written

RECORDED = {
    "cow_auctions_2.json.zst": "cow-auction",
    "tycho_data.json.zst": "tycho-pools",
    "tycho_snapshot.json.zst": "tycho-snapshot",
}


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(RECORDED))
def test_recorded_files_are_told_by_what_they_hold(data_root: Path, name: str) -> None:
    assert detect_format(data_root / name) == RECORDED[name]


def test_our_own_file_and_an_auction_are_told_apart(tmp_path: Path) -> None:
    file = written(tmp_path, auction())
    assert detect_format(file) == "cow-auction"
    write_snapshot(read_cow_auctions(file)[0], tmp_path / "own.zst")
    assert detect_format(tmp_path / "own.zst") == "omniarb"


@pytest.mark.parametrize(
    "content",
    [b"", b" \n ", b"pools", b"{", b"7", b'"text"', b"{}", b'{"pools": []}', b"\xff\xfe", b"[" * 99_999],
)
def test_what_is_no_snapshot_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "market.json"
    file.write_bytes(content)
    with pytest.raises(TapeError, match=r"market\.json"):
        detect_format(file)


def test_a_damaged_or_missing_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "market.zst"
    file.write_bytes(zstandard.compress(json.dumps(auction()).encode())[:-9])
    with pytest.raises(TapeError, match="zstd"):
        detect_format(file)
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            detect_format(place)
