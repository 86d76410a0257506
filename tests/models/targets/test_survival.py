from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.targets.slot_auction import DEADLINE_MS, SlotBids, auction_table
from models.targets.survival_blocks import Captures, read_captures, survival_table
from models.targets.survival_logs import find_openings, gap_size, survival_tables
from models.targets.swaps import Swaps
from tests.models.targets.looking_back import assert_past_only


def captures(random: np.random.Generator, count: int = 120) -> Captures:
    opened = np.sort(random.integers(0, 300, count))
    distance = random.integers(0, 5, count).astype(np.float64)
    captured = opened + distance.astype(np.int64)
    distance[random.random(count) < 0.1] = np.nan
    unknown = np.isnan(distance)

    def found(values: np.ndarray) -> np.ndarray:
        return np.where(unknown, np.nan, values)

    return Captures(
        opened=opened,
        captured=captured,
        distance=distance,
        time=found(opened * 13.0),
        position=found(random.integers(0, 200, count)),
        gas_price=found(random.gamma(2, 50, count)),
        capture_gas_price=random.gamma(2, 50, count),
    )


def test_an_opening_takes_the_gap_over_a_threshold_it_was_not_above(swaps: Swaps) -> None:
    size = gap_size(swaps)
    openings = find_openings(swaps.block, size)
    assert len(openings.at) > 50
    assert (size[openings.at] > openings.threshold).all()
    assert (size[openings.at - 1] <= openings.threshold).all()
    assert (swaps.block[openings.end] == swaps.block[openings.at]).all()


def test_later_swaps_change_no_row_of_an_opening(swaps: Swaps) -> None:
    cut = 250
    wild = replace(swaps, log_price=np.where(np.arange(400) > cut, np.log(2000), swaps.log_price))
    for told, otherwise in zip(survival_tables(swaps), survival_tables(wild), strict=True):
        rows = np.searchsorted(told.issued, cut, side="right")
        np.testing.assert_array_equal(told.values[:rows], otherwise.values[:rows])
        for name, forecast in told.baselines.items():
            np.testing.assert_array_equal(forecast[:rows], otherwise.baselines[name][:rows])


def test_what_is_left_of_a_gap_is_a_share(swaps: Swaps) -> None:
    tables = {table.name: table for table in survival_tables(swaps)}
    share, end = tables["gap_left_block_end"], tables["survival_block_end"]
    assert ((share.label >= 0) & (share.label <= 1)).all()
    # nothing of it is lost where its swap was the block's last
    last = share.known == share.issued + 1
    assert last.any()
    assert (share.label[last] == 1).all()
    assert (end.label[last] == 1).all()


@pytest.mark.parametrize("distance", [0, 1, 3])
def test_later_captures_change_no_row_of_an_opportunity(distance: int, random: np.random.Generator) -> None:
    one, cut = captures(random), 200
    # a capture after the cut may come at any other distance and price
    late = one.captured > cut
    wild = replace(
        one,
        captured=np.where(late, one.captured + 9, one.captured),
        distance=np.where(late & (one.opened > cut), 9.0, one.distance),
        capture_gas_price=np.where(late, 1.0, one.capture_gas_price),
        gas_price=np.where(one.opened > cut, 1.0, one.gas_price),
    )
    assert_past_only(survival_table(one, "a", distance), survival_table(wild, "a", distance), cut)


def test_an_opening_nobody_found_is_censored(random: np.random.Generator) -> None:
    one = captures(random)
    table = survival_table(one, "a", 1)
    np.testing.assert_array_equal(np.isnan(table.label), np.isnan(one.distance))
    assert (table.known == table.issued + 2).all()


def test_bids_that_come_later_change_no_forecast(random: np.random.Generator) -> None:
    def slot(number: int, seed: int) -> SlotBids:
        draw = np.random.default_rng(seed)
        at = np.sort(draw.uniform(-8000, 2500, 60))
        return SlotBids(number, at, draw.gamma(2, 0.05, 60), draw.choice(np.array(["a", "b", "c"]), 60))

    slots = [slot(number, number) for number in range(10)]
    late = slots[5].at_ms > 0
    wild = replace(slots[5], ether=np.where(late, slots[5].ether * 9, slots[5].ether))
    told = auction_table(slots)
    otherwise = auction_table([*slots[:5], wild, *(slot(number, 99 + number) for number in range(6, 10))])
    assert_past_only(told, otherwise, 5 * 12_000)


def test_the_highest_bid_at_the_deadline_is_never_lower_than_the_highest_so_far() -> None:
    bids = SlotBids(
        0, np.array([-5.0, -4.0, -3.0, 900.0, DEADLINE_MS + 1.0]), np.ones(5), np.array(list("abcde"))
    )
    grown = replace(bids, ether=np.array([1.0, 2.0, 1.5, 4.0, 9.0]))
    table = auction_table([grown, replace(grown, slot=1)])
    assert table.label.max() == pytest.approx(np.log(2))
    assert table.label.min() == 0


def test_only_the_first_capture_of_an_opening_counts(tmp_path: Path) -> None:
    file = tmp_path / "arb_opportunities_x.parquet"
    found = {"swap_index": 1.0, "swap_gas_price": 2e9, "swap_timestamp": 99.0}
    rows = [
        {
            "arb_block": 12,
            "arb_gas_price": 10**9,
            "swap_tx": "a",
            "swap_block": 10.0,
            "distance": 2.0,
            **found,
        },
        {
            "arb_block": 11,
            "arb_gas_price": 10**9,
            "swap_tx": "a",
            "swap_block": 10.0,
            "distance": 1.0,
            **found,
        },
        {
            "arb_block": 13,
            "arb_gas_price": 10**9,
            **dict.fromkeys(("swap_tx", "swap_block", *found, "distance")),
        },
        {
            "arb_block": 14,
            "arb_gas_price": 10**9,
            **dict.fromkeys(("swap_tx", "swap_block", *found, "distance")),
        },
    ]
    pq.write_table(pa.Table.from_pylist(rows), file)
    read = read_captures(file)
    assert read.captured.tolist() == [11, 13, 14]
    assert read.opened.tolist() == [10, 13, 14]
    assert read.gas_price[0] == 2.0
    assert np.isnan(read.distance[1:]).all()
