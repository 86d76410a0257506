"""What every device must do, as functions over a factory; the oracle is NumPy, one cycle row after another.

A factory takes edges, worth and a table and returns a device. Values of a device and of the oracle come from
the same operations in the same order, so they are compared bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InputError
from scoring.columns import EdgeColumns, moebius_columns
from scoring.devices.device import Change, CycleTable, Device, Top

Factory = Callable[[EdgeColumns, NDArray[np.float64], CycleTable], Device]


class Stage:
    """A random market, its cycles, and the oracle's own copy of both.

    Every edge has twins, so that many cycles tie. Cycles use no edge twice, but lead anywhere: what a
    device computes does not depend on where they lead.
    """

    def __init__(
        self, seed: int, cycles: int = 400, edges: int = 60, width: int = 4, wide: bool = False
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.count, tokens = edges, 5
        twin = np.arange(edges) % (edges // 4)
        token_in = self.rng.integers(0, tokens, edges)[twin]
        self.edges, _ = moebius_columns(
            self.rates(edges)[twin],
            self.bends(edges)[twin],
            np.arange(edges) // 2,
            token_in,
            (token_in + 1) % tokens,
            self.rng.choice([0.0, 1e3, 5e4], edges)[twin],
        )
        self.worth = np.array([1.0, 0.5, 0.0, 1e-6, 2e3])
        hops = (
            self.rng.random((cycles, edges))
            .argsort(axis=1)[:, :width]
            .astype(np.int32 if wide else np.uint16)
        )
        for short in range(2, width):
            hops[self.rng.random(cycles) < 0.2, short:] = edges
        hops = np.unique(hops, axis=0) if cycles else hops
        self.table = CycleTable(hops, self.edges.token_in[hops[:, 0]])
        self.rate, self.bend = self.edges.rate.copy(), self.edges.bend.copy()

    def rates(self, count: int) -> NDArray[np.float64]:
        rates = 1.0 + 0.01 * self.rng.integers(-3, 4, count)
        rates[self.rng.random(count) < 0.05] = 0.0
        return rates

    def bends(self, count: int) -> NDArray[np.float64]:
        return self.rng.choice([1e-9, 2e-9, 1e-7], count)

    def change(self, size: int) -> Change:
        edges = self.rng.permutation(self.count)[:size]
        return Change(edges.astype(np.int64), self.rates(size), self.bends(size))

    def take_over(self, change: Change) -> None:
        self.rate[change.edges], self.bend[change.edges] = change.rates, change.bends

    def expected(self, count: int) -> Top:
        """Return the best by brute force."""
        hops = self.table.hops.astype(np.int64)
        rate, bend, cost = np.ones(len(hops)), np.zeros(len(hops)), np.zeros(len(hops))
        for hop in hops.T:
            bend = bend + self.bend[hop] * rate
            rate = rate * self.rate[hop]
            cost = cost + self.edges.cost[hop]
        gain = np.sqrt(rate) - 1.0
        nets = self.worth[self.table.start] * (gain * gain / bend) - cost
        nets[~(rate > 1.0)] = 0.0
        order = np.lexsort((np.arange(len(nets)), -nets))
        order = order[nets[order] > 0.0][:count]
        return Top(order, nets[order])

    def expected_if(self, change: Change, count: int) -> Top:
        rate, bend = self.rate.copy(), self.bend.copy()
        self.take_over(change)
        top = self.expected(count)
        self.rate, self.bend = rate, bend
        return top


def assert_same(found: Top, expected: Top) -> None:
    assert found.rows.dtype == np.int64
    assert found.nets.dtype == np.float64
    assert found.rows.tolist() == expected.rows.tolist()
    assert found.nets.tolist() == expected.nets.tolist()


def top_is_what_brute_force_finds(make: Factory) -> None:
    for seed, width, wide in [(0, 4, False), (1, 4, True), (2, 3, False), (3, 2, False)]:
        stage = Stage(seed, width=width, wide=wide)
        device = make(stage.edges, stage.worth, stage.table)
        everything = stage.expected(len(stage.table))
        assert len(everything.rows) > 20
        assert len(set(everything.nets.tolist())) < len(everything.nets), "the stage must have ties"
        for count in (1, 3, 10, 100, len(stage.table), 10**6):
            assert_same(device.top(count), stage.expected(count))


def updates_lead_where_a_new_device_starts(make: Factory, rounds: int = 30) -> None:
    stage = Stage(4)
    device = make(stage.edges, stage.worth, stage.table)
    for size in stage.rng.integers(0, 12, rounds).tolist():
        change = stage.change(size)
        device.update(change)
        stage.take_over(change)
        assert_same(device.top(10), stage.expected(10))
    assert_same(device.top(len(stage.table)), stage.expected(len(stage.table)))


def the_order_of_updates_is_irrelevant(make: Factory) -> None:
    stage = Stage(5)
    whole = stage.change(20)
    parts = [Change(whole.edges[at], whole.rates[at], whole.bends[at]) for at in np.split(np.arange(20), 5)]
    for order in (parts, parts[::-1], [whole]):
        device = make(stage.edges, stage.worth, stage.table)
        for change in order:
            device.update(change)
        assert_same(device.top(50), stage.expected_if(whole, 50))


def dead_edges_are_in_no_cycle_and_come_back(make: Factory) -> None:
    stage = Stage(6)
    device = make(stage.edges, stage.worth, stage.table)
    every = np.arange(stage.count, dtype=np.int64)
    device.update(Change(every, np.zeros(stage.count), stage.bend[:-1].copy()))
    assert device.top(5).rows.tolist() == []
    device.update(Change(every, stage.rate[:-1].copy(), stage.bend[:-1].copy()))
    assert_same(device.top(5), stage.expected(5))


def what_if_finds_the_best_and_leaves_nothing_behind(make: Factory) -> None:
    stage = Stage(7)
    device = make(stage.edges, stage.worth, stage.table)
    for size in (0, 1, 2, 5, 60):
        changes = [stage.change(size) for _ in range(6)]
        for found, change in zip(device.what_if(changes, 7), changes, strict=True):
            assert_same(found, stage.expected_if(change, 7))
        assert_same(device.top(30), stage.expected(30))
        device.update(changes[0])
        stage.take_over(changes[0])
        assert_same(device.top(30), stage.expected(30))
    assert device.what_if([], 3) == []


def a_table_without_cycles_has_no_best(make: Factory) -> None:
    stage = Stage(8, cycles=0)
    device = make(stage.edges, stage.worth, stage.table)
    device.update(stage.change(3))
    assert device.top(5).rows.tolist() == []
    assert [top.rows.tolist() for top in device.what_if([stage.change(3)], 5)] == [[]]


def bad_input_is_refused_and_changes_nothing(make: Factory) -> None:
    stage = Stage(9)
    device = make(stage.edges, stage.worth, stage.table)
    one, two = np.ones(1), np.ones(2)
    for edge, rate, bend, match in [
        (-1, 1.0, 1.0, "no edge"),
        (stage.count, 1.0, 1.0, "no edge"),
        (0, np.nan, 1.0, "not finite"),
        (0, 1.0, np.inf, "not finite"),
        (0, -1.0, 1.0, "negative"),
        (0, 1.0, -1.0, "negative"),
    ]:
        change = Change(np.array([3, edge]), np.array([9.0, rate]), np.array([1e-9, bend]))
        with pytest.raises(InputError, match=match):
            device.update(change)
        with pytest.raises(InputError, match=match):
            device.what_if([change], 3)
    with pytest.raises(InputError, match="one rate and one bend"):
        device.update(Change(np.array([3]), one, two))
    for count in (0, -1):
        with pytest.raises(InputError, match="one cycle at least"):
            device.top(count)
    assert_same(device.top(30), stage.expected(30))


CONTRACT = (
    top_is_what_brute_force_finds,
    updates_lead_where_a_new_device_starts,
    the_order_of_updates_is_irrelevant,
    dead_edges_are_in_no_cycle_and_come_back,
    what_if_finds_the_best_and_leaves_nothing_behind,
    a_table_without_cycles_has_no_best,
    bad_input_is_refused_and_changes_nothing,
)
