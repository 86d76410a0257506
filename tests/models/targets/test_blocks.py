from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.targets.block_rows import BlockRows
from models.targets.blocks import block_tables
from models.targets.candles import Candles
from models.targets.tips import TipRows, tip_table
from tests.models.targets.looking_back import assert_past_only

CUT = 80


def shuffled(rows: BlockRows, random: np.random.Generator) -> BlockRows:
    order = np.concatenate([np.arange(CUT + 1), CUT + 1 + random.permutation(len(rows) - CUT - 1)])
    told = ("base_fee", "gas_used", "transactions", "bid", "bid_delay", "builder")
    return replace(rows, **{name: getattr(rows, name)[order] for name in told})


def test_shuffling_the_future_changes_no_row_of_a_block(
    block_rows: BlockRows, candles: Candles, random: np.random.Generator
) -> None:
    now = candles.close_time <= block_rows.time[CUT]
    wild = replace(
        candles, close=np.where(now, candles.close, 1.0), volume=np.where(now, candles.volume, 0.0)
    )
    told = block_tables(block_rows, {"eth": candles})
    otherwise = block_tables(shuffled(block_rows, random), {"eth": wild})
    for one, other in zip(told, otherwise, strict=True):
        assert_past_only(one, other, int(block_rows.number[CUT]))


def test_labels_are_what_came_that_many_blocks_later(block_rows: BlockRows, candles: Candles) -> None:
    tables = {table.name: table for table in block_tables(block_rows, {"eth": candles})}
    fee = tables["base_fee_3"]
    child = fee.values[5, fee.names.index("log_next_fee")]
    assert fee.label[5] + child == pytest.approx(np.log(block_rows.base_fee[8]), abs=1e-9)
    assert np.isnan(fee.label[-3:]).all()
    assert fee.known[5] - fee.issued[5] == 3
    assert tables["gas_used_1"].label[5] == block_rows.gas_used[6] / block_rows.gas_limit[6]


def test_a_block_without_an_auction_has_no_winning_bid(block_rows: BlockRows, candles: Candles) -> None:
    bids = {table.name: table for table in block_tables(block_rows, {"eth": candles})}["winning_bid_1"]
    np.testing.assert_array_equal(np.isnan(bids.label[:-1]), np.isnan(block_rows.bid[1:]))


def test_tips_of_later_blocks_change_nothing(random: np.random.Generator) -> None:
    rows = TipRows(np.arange(200), random.gamma(1, 50, 200), random.gamma(1, 300, 200))
    wild = replace(rows, bundles=np.where(rows.number > CUT, 7.0, rows.bundles))
    assert_past_only(tip_table(rows), tip_table(wild), CUT)
