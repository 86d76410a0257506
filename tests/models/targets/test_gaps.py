from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.targets.candles import Candles
from models.targets.gaps import gap_piece, joined, price_piece
from models.targets.slot_paths import GENESIS_SECONDS, PPM, SLOT_SECONDS, pool_path, slots_of
from models.targets.swaps import Swaps
from tests.models.targets.conftest import START
from tests.models.targets.looking_back import assert_past_only

CUT_BLOCK = 90


@pytest.mark.parametrize("make", [gap_piece, price_piece])
def test_shuffling_the_future_changes_no_row_of_a_gap(
    make: object, swaps: Swaps, candles: Candles, random: np.random.Generator
) -> None:
    assert callable(make)
    future = swaps.block > CUT_BLOCK
    until = START + CUT_BLOCK * SLOT_SECONDS
    wild = replace(
        swaps,
        log_price=np.where(future, swaps.log_price + random.normal(0, 1e-3, len(future)), swaps.log_price),
        ether=np.where(future, 0.0, swaps.ether),
    )
    wild_candles = replace(candles, close=np.where(candles.close_time > until, 1.0, candles.close))
    told, otherwise = make(swaps, candles), make(wild, wild_candles)
    tables = (joined("gap", 5, (piece,), 50, "") for piece in (told, otherwise))
    assert_past_only(*tables, until=(until - GENESIS_SECONDS) // SLOT_SECONDS)


def test_a_gap_is_that_of_the_last_swaps_up_to_the_slots_end(swaps: Swaps, candles: Candles) -> None:
    piece = gap_piece(swaps, candles)
    for place in (0, 20, 100):
        by_then = swaps.time <= piece.slots[place] * SLOT_SECONDS + GENESIS_SECONDS
        cheap = swaps.log_price[by_then & swaps.cheap][-1]
        dear = swaps.log_price[by_then & ~swaps.cheap][-1]
        assert piece.level[place] == pytest.approx((cheap - dear) * PPM)


def test_the_end_of_a_piece_has_no_label_and_learns_nothing_of_the_next(
    swaps: Swaps, candles: Candles
) -> None:
    piece = gap_piece(swaps, candles)
    later = replace(piece, slots=piece.slots + 1000)
    table = joined("gap", 5, (piece, later), len(piece.slots), "")
    seam = len(piece.slots)
    assert np.isnan(table.label[seam - 5 : seam]).all()
    assert np.isfinite(table.label[: seam - 5]).all()


def test_a_path_counts_every_swap_once(swaps: Swaps) -> None:
    slots = slots_of(swaps)
    paths = [pool_path(swaps, slots, cheap=cheap) for cheap in (True, False)]
    assert sum(path.count.sum() for path in paths) == len(swaps.block)
    assert sum(path.flow.sum() for path in paths) == pytest.approx(swaps.ether.sum())
    assert paths[0].age[np.flatnonzero(paths[0].count)].max() == 0
