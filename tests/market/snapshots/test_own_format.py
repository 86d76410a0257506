"""A snapshot that is written and read back is the same snapshot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import InputError, TapeError
from core.reasons import Reason, Refusal
from market.snapshots.cow_auction import read_cow_auctions
from market.snapshots.formats import FORMATS
from market.snapshots.own_format import read_snapshot, write_snapshot
from market.snapshots.snapshot import MarketSnapshot
from tests.market.snapshots.auctions import auction, written

FILES = {"cow-auction": "cow_auctions_2", "tycho-pools": "tycho_data", "tycho-snapshot": "tycho_snapshot"}


@pytest.fixture
def small(tmp_path: Path) -> MarketSnapshot:
    (snapshot,) = read_cow_auctions(written(tmp_path, auction()))
    refused = {"0xbad": Refusal(Reason.DUST_POOL, "a “side” is\nworth nothing")}
    return replace(snapshot, refused=refused, block_number=5)


@pytest.mark.parametrize("name", ["market.json", "market.json.zst"])
def test_what_was_written_is_read_back_equal(tmp_path: Path, small: MarketSnapshot, name: str) -> None:
    file = tmp_path / name
    write_snapshot(small, file)
    assert read_snapshot(file) == (small,)
    assert (tmp_path / "market.json.partial").exists() is False
    without = replace(small, gas_price=None, block_number=None, tokens={}, swap_costs={})
    write_snapshot(without, file)
    assert read_snapshot(file) == (without,)


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(FILES))
def test_recorded_markets_are_read_back_equal(data_root: Path, tmp_path: Path, name: str) -> None:
    for snapshot in FORMATS[name](data_root / f"{FILES[name]}.json.zst"):
        write_snapshot(snapshot, tmp_path / "market.json.zst")
        assert read_snapshot(tmp_path / "market.json.zst") == (snapshot,)


def test_integers_are_text_so_that_no_reader_rounds_them(tmp_path: Path, small: MarketSnapshot) -> None:
    write_snapshot(small, tmp_path / "market.json")
    text = (tmp_path / "market.json").read_text()
    assert '"1000000000000000000000"' in text
    as_javascript_reads_it = json.loads(text, parse_int=lambda digits: int(float(digits)))
    assert as_javascript_reads_it == json.loads(text)


def test_a_snapshot_that_was_changed_into_nonsense_is_refused(tmp_path: Path, small: MarketSnapshot) -> None:
    file = tmp_path / "market.json"
    write_snapshot(small, file)
    document = json.loads(file.read_text())
    for key, value in (
        ("pools", document["pools"] * 2),
        ("block_number", 1e999),
        ("gas_price", 15.9),
        ("reference_prices", {"0xab": 10**400}),
        ("reference_prices", {"0xab": True}),
        ("swap_costs", {"0xab": 1, "0xAB": 2}),
        ("refused", {"0x1": ["no_such_reason", ""]}),
        ("swap_costs", {"0x1": "many"}),
        ("tokens", [["0x1"]]),
        ("gas_price", []),
    ):
        file.write_text(json.dumps(document | {key: value}))
        with pytest.raises(TapeError, match=r"market\.json"):
            read_snapshot(file)


def test_a_place_that_cannot_be_written_is_named_and_left_as_it_was(
    tmp_path: Path, small: MarketSnapshot
) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_snapshot(small, tmp_path / "no folder" / "market.json")
    with pytest.raises(InputError, match="cannot be written"):
        write_snapshot(small, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["auction.json"]


def test_a_token_with_two_numbers_of_decimals_is_refused(tmp_path: Path, small: MarketSnapshot) -> None:
    file = tmp_path / "market.json"
    write_snapshot(small, file)
    document = json.loads(file.read_text())
    address, symbol, places = document["tokens"][0]
    document["tokens"].append([address, symbol, places + 1])
    file.write_text(json.dumps(document))
    with pytest.raises(TapeError, match=f"{address} is said to have {places} and {places + 1} decimals"):
        read_snapshot(file)


def test_a_pool_that_cannot_be_is_refused_and_the_rest_loads(tmp_path: Path, small: MarketSnapshot) -> None:
    file = tmp_path / "market.json"
    write_snapshot(small, file)
    document = json.loads(file.read_text())
    document["pools"] += [{"spec": 1}, 7]
    file.write_text(json.dumps(document))
    (read,) = read_snapshot(file)
    assert read.pools == small.pools
    assert {read.refused[name].reason for name in set(read.refused) - set(small.refused)} == {
        Reason.MALFORMED_ENTRY
    }


def test_addresses_mean_the_same_in_any_letters(tmp_path: Path, small: MarketSnapshot) -> None:
    file = tmp_path / "market.json"
    write_snapshot(small, file)
    document = json.loads(file.read_text())
    for key in ("reference_prices", "swap_costs"):
        document[key] = {address.upper().replace("X", "x"): value for address, value in document[key].items()}
    file.write_text(json.dumps(document))
    (read,) = read_snapshot(file)
    assert read == small
