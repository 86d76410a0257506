"""Tables of cycles against the enumeration by objects, and samples against the whole."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import InputError
from market.pools.spec import PoolSpec
from scoring.columns import EdgeColumns, moebius_columns
from scoring.cycle_table import count_cycles, list_cycles, sample_cycles
from scoring.cycles import CycleIndex

TOKENS = 6


def random_market(seed: int, pools: int = 9) -> tuple[list[PoolSpec], EdgeColumns]:
    """Return pools of two or three tokens, and columns without curves in the contract's order."""
    rng = np.random.default_rng(seed)
    specs = []
    for number in range(pools):
        chosen = sorted(rng.permutation(TOKENS)[: rng.integers(2, 4)].tolist())
        specs.append(PoolSpec("weighted", f"p{number:02}", "", tuple(str(token) for token in chosen), 3000))
    rows = [
        (number, int(there), int(back))
        for number, spec in enumerate(specs)
        for there in spec.tokens
        for back in spec.tokens
        if there != back
    ]
    pool, token_in, token_out = np.array(rows).T
    one = np.ones(len(rows))
    return specs, moebius_columns(one, one, pool, token_in, token_out, one)[0]


def paths(edges: EdgeColumns, hops: np.ndarray) -> list[tuple[tuple[str, str, str], ...]]:
    return [
        tuple(
            (f"p{edges.pool[hop]:02}", str(edges.token_in[hop]), str(edges.token_out[hop]))
            for hop in row
            if hop < len(edges.rate) - 1
        )
        for row in hops.tolist()
    ]


@pytest.mark.parametrize("max_hops", [2, 3, 4, 5])
def test_a_table_lists_what_the_enumeration_by_objects_finds(max_hops):
    for seed in range(4):
        specs, edges = random_market(seed)
        worth = np.array([1.0, 0.0, 0.0, 2.0, 0.0, 0.0])
        table = list_cycles(edges, worth, max_hops)
        index = CycleIndex(specs, ("0", "3"), max_hops)
        expected = [
            tuple((edge.pool_id, edge.token_in, edge.token_out) for edge in cycle.edges)
            for cycle in index.cycles
        ]
        found = paths(edges, table.hops)
        assert len(found) == len(set(found)) == count_cycles(edges, worth, max_hops)
        assert set(found) == set(expected)
        assert [str(token) for token in table.start] == [path[0][1] for path in found]


def test_rows_ascend_and_are_as_narrow_as_they_can_be():
    _, edges = random_market(1)
    hops = list_cycles(edges, np.ones(TOKENS)).hops
    assert hops.dtype == np.uint16
    rows = [tuple(row) for row in hops.tolist()]
    assert rows == sorted(rows)
    row, one = np.arange(70_000), np.ones(70_000)
    # every two pools join the start with a token of their own
    other, forth = row // 4 + 1, row % 2 == 0
    many, _ = moebius_columns(one, one, row // 2, np.where(forth, 0, other), np.where(forth, other, 0), one)
    table = list_cycles(many, np.append(1.0, np.zeros(17_500)))
    assert table.hops.dtype == np.int32
    assert table.hops[-2:].tolist() == [[69_996, 69_999, 70_000, 70_000], [69_998, 69_997, 70_000, 70_000]]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.7])
def test_a_sample_is_a_part_of_the_table_in_its_order(share):
    _, edges = random_market(2, pools=14)
    worth = np.ones(TOKENS)
    table = list_cycles(edges, worth)
    count = int(share * len(table))
    sample = sample_cycles(edges, worth, count, seed=5)
    rows = [tuple(row) for row in sample.hops.tolist()]
    assert len(set(rows)) == count
    assert rows == sorted(rows)
    assert set(rows) <= {tuple(row) for row in table.hops.tolist()}
    again = sample_cycles(edges, worth, count, seed=5)
    assert (again.hops == sample.hops).all()
    assert (sample_cycles(edges, worth, count, seed=6).hops != sample.hops).any()


def test_samples_take_every_cycle_equally_often():
    _, edges = random_market(3, pools=6)
    worth = np.ones(TOKENS)
    rows = {tuple(row): place for place, row in enumerate(list_cycles(edges, worth).hops.tolist())}
    counts = np.zeros(len(rows))
    for seed in range(400):
        for row in sample_cycles(edges, worth, len(rows) // 5, seed=seed).hops.tolist():
            counts[rows[tuple(row)]] += 1
    expected = 400 * (len(rows) // 5) / len(rows)
    # five standard deviations of a binomial draw
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_a_sample_of_more_than_there_are_is_the_table():
    _, edges = random_market(4)
    table = list_cycles(edges, np.ones(TOKENS))
    assert (sample_cycles(edges, np.ones(TOKENS), 10**9).hops == table.hops).all()


def test_a_market_without_a_start_has_no_cycles():
    _, edges = random_market(5)
    assert len(list_cycles(edges, np.zeros(TOKENS))) == 0
    nothing, _ = moebius_columns(*np.zeros((6, 0)))
    assert len(list_cycles(nothing, np.zeros(0))) == 0


def test_bad_input_is_refused_with_what_to_do():
    _, edges = random_market(6)
    for max_hops in (1, 6):
        with pytest.raises(InputError, match="2 to 5 hops"):
            list_cycles(edges, np.ones(TOKENS), max_hops)
    with pytest.raises(InputError, match="ask for that many"):
        sample_cycles(edges, np.ones(TOKENS), -1)
    with pytest.raises(InputError, match="no worth"):
        list_cycles(edges, np.ones(2))
