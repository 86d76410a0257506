"""Tick slices in one arena hold what tick maps hold, through every change and every packing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from market.arrays.limbs import from_limbs, to_floats, to_limbs, to_signed_floats
from market.arrays.ticks import make_room, packed, read_ticks, set_tick, tick_columns, write_ticks
from market.pools.v3_ticks import TickMap

ticks = st.integers(-20, 20)
changes = st.lists(st.tuples(st.integers(0, 2), ticks, st.integers(-(2**126), 2**126)), max_size=60)


@settings(deadline=None)
@given(changes)
def test_changed_slices_are_changed_maps(chosen: list[tuple[int, int, int]]) -> None:
    columns, maps = tick_columns(3, 8), [dict[int, int]() for _ in range(3)]
    for slot, tick, net in chosen:
        while not make_room(columns, slot, 1):
            columns = packed(columns, 4)
        gross = to_limbs([abs(net)], 2)[0]
        set_tick(columns, slot, tick, tuple(to_limbs([net], 2, signed=True)[0]), tuple(gross))
        maps[slot].pop(tick, None)
        if net:
            maps[slot][tick] = net
    for slot in range(3):
        assert read_ticks(columns, slot) == TickMap(maps[slot])
        assert read_ticks(packed(columns), slot) == TickMap(maps[slot])


@settings(deadline=None)
@given(st.lists(st.dictionaries(ticks, st.integers(1, 2**127 - 1), max_size=20), min_size=1, max_size=6))
def test_what_is_written_is_read_back(written: list[dict[int, int]]) -> None:
    columns = tick_columns(len(written), 0)
    for slot, net in enumerate(written):
        gross = dict.fromkeys(net, 2**127 - 1)
        while not write_ticks(columns, slot, TickMap(net, gross)):
            columns = packed(columns, 2 * len(net))
    for slot, net in enumerate(written):
        assert read_ticks(columns, slot) == TickMap(net, dict.fromkeys(net, 2**127 - 1))


@settings(deadline=None)
@given(st.lists(st.integers(-(2**127), 2**127 - 1), min_size=1))
def test_floats_beside_integers_are_at_most_one_unit_in_the_last_place_away(values: list[int]) -> None:
    signed = to_limbs(values, 2, signed=True)
    assert from_limbs(signed, signed=True) == values
    for limbs, floats, exact in (
        (signed, to_signed_floats(signed), values),
        (to_limbs(map(abs, values), 3), to_floats(to_limbs(map(abs, values), 3)), [abs(v) for v in values]),
    ):
        nearest = np.array([float(value) for value in exact])
        assert len(limbs) == len(nearest)
        assert (np.abs(floats - nearest) <= np.spacing(np.abs(nearest))).all()
