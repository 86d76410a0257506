"""All cycles of a table against NumPy and exact fractions, on one thread and on several."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from scoring.batch import BLOCK, best_cycles, collect, hops_of, majorants_of
from scoring.devices.choice import choose_device, gpu_refusal, threads_pay_from
from scoring.devices.cpu import CpuDevice
from tests.scoring.devices.contract import Stage, assert_same


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6), count=st.integers(1, 300), width=st.integers(2, 5), threads=st.integers(1, 3)
)
def test_the_best_are_what_numpy_finds(seed, count, width, threads):
    stage = Stage(seed, cycles=3 * BLOCK + 5, width=width)
    majorants, hops = majorants_of(stage.edges, stage.worth), hops_of(stage.edges, stage.table)
    assert_same(best_cycles(majorants, hops, count, threads), stage.expected(count))


def test_the_reserve_keeps_all_that_stand_above_its_floor_and_no_others():
    for seed, threads in [(0, 1), (1, 2), (2, 3)]:
        stage = Stage(seed, cycles=3000)
        everything = stage.expected(len(stage.table))
        for want in (1, 2, 7, 50, 400, 3000):
            reserve = collect(
                majorants_of(stage.edges, stage.worth), hops_of(stage.edges, stage.table), want, threads
            )
            size, floor, floor_row = reserve.mark
            assert size >= min(want, len(everything.rows))
            above = [
                row
                for row, net in zip(everything.rows.tolist(), everything.nets.tolist(), strict=True)
                if net > floor or (net == floor and row <= floor_row)
            ]
            assert sorted(reserve.kept.rows[:size].tolist()) == sorted(above)
            assert (reserve.kept.hops[:size] == stage.table.hops[reserve.kept.rows[:size]]).all()


def test_net_values_are_those_of_exact_fractions():
    stage = Stage(3, width=4)
    top = best_cycles(majorants_of(stage.edges, stage.worth), hops_of(stage.edges, stage.table), 40)
    for row, net in zip(top.rows.tolist(), top.nets.tolist(), strict=True):
        rate, bend, cost = Fraction(1), Fraction(0), Fraction(0)
        for hop in stage.table.hops[row].tolist():
            bend += Fraction(stage.bend[hop]) * rate
            rate *= Fraction(stage.rate[hop])
            cost += Fraction(stage.edges.cost[hop])
        root = Fraction(isqrt(int(rate * 2**200)), 2**100)
        exact = Fraction(stage.worth[stage.table.start[row]]) * (root - 1) ** 2 / bend - cost
        # the square root's last bit is lost to the one that is subtracted
        gross = exact + cost
        assert abs(Fraction(net) - exact) <= gross * Fraction(2**-50) / (root - 1)


def test_bad_tables_and_markets_are_refused():
    stage = Stage(4)
    edges, worth, table = stage.edges, stage.worth, stage.table
    with pytest.raises(InputError, match="uint16 or int32"):
        hops_of(edges, replace(table, hops=table.hops.astype(np.int64)))
    with pytest.raises(InputError, match="no row of the edges"):
        hops_of(edges, replace(table, hops=table.hops + np.uint16(1)))
    with pytest.raises(InputError, match="another token"):
        hops_of(edges, replace(table, start=(table.start + 1).astype(np.int32)))
    for bad in (np.nan, np.inf, -1.0):
        rates = edges.rate.copy()
        rates[3] = bad
        with pytest.raises(InputError, match="not finite, or negative"):
            majorants_of(edges._replace(rate=rates), worth)
    with pytest.raises(InputError, match="no worth"):
        majorants_of(edges, worth[:2])
    majorants, hops = majorants_of(edges, worth), hops_of(edges, table)
    for count, threads in [(0, 1), (-3, 1), (1, 0)]:
        with pytest.raises(InputError, match="one cycle and one thread"):
            best_cycles(majorants, hops, count, threads)


def test_the_choice_of_a_device_says_why():
    assert choose_device("cpu").make is CpuDevice
    missing = gpu_refusal()
    if missing is None:
        assert choose_device().name == choose_device("gpu").name == "gpu"
    else:
        chosen = choose_device()
        assert (chosen.name, chosen.refusal, chosen.why) == ("cpu", missing, str(missing))
        with pytest.raises(InputError, match=missing.reason.value):
            choose_device("gpu")
    with pytest.raises(InputError, match="choose cpu or gpu"):
        choose_device("tpu")


def test_threads_pay_from_the_size_at_which_they_won_last():
    class Scripted:
        """A clock after which one thread takes a fixed time for a size, and two the time of a script."""

        def __init__(self, twos: list[int]) -> None:
            self.spans = [span for two in twos for _ in range(7) for span in (100, two)]
            self.now, self.reads = 0, 0

        def monotonic_ns(self) -> int:
            if self.reads % 2:
                self.now += self.spans[self.reads // 2]
            self.reads += 1
            return self.now

        def now_ns(self) -> int:
            return self.now

    for twos, expected in [
        ([200, 50, 50], 20),
        ([50, 95, 50], 30),
        ([50, 50, 100], None),
        ([10, 10, 10], 10),
    ]:
        assert threads_pay_from(2, (10, 20, 30), Scripted(twos)) == expected
