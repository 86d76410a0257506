"""Cycle enumeration against a brute-force oracle."""

from __future__ import annotations

from itertools import pairwise, permutations, product

import pytest

from core.errors import InputError
from market.pools.spec import PoolSpec
from scoring.cycles import CycleIndex, Edge, cycle_id


def spec(name: str, *tokens: str) -> PoolSpec:
    return PoolSpec("weighted", name, name, tokens, 3000)


def brute_force(pools: list[PoolSpec], start: str, max_hops: int) -> set[tuple[Edge, ...]]:
    """Try every ordered choice of pools and every choice of a direction in each."""
    found = set()
    for hops in range(2, max_hops + 1):
        for chosen in permutations(pools, hops):
            directions = [
                [Edge(pool.pool_id, a, b) for a, b in permutations(pool.tokens, 2)] for pool in chosen
            ]
            for path in product(*directions):
                joined = all(left.token_out == right.token_in for left, right in pairwise(path))
                inner = [edge.token_out for edge in path[:-1]]
                simple = len(set(inner)) == len(inner) and start not in inner
                if joined and simple and path[0].token_in == path[-1].token_out == start:
                    found.add(path)
    return found


@pytest.mark.parametrize("max_hops", [2, 3, 4])
def test_the_enumeration_finds_exactly_what_brute_force_finds(markets, max_hops):
    for seed in range(8):
        pools = markets.pools(seed, count=6)
        index = CycleIndex(pools, (markets.weth,), max_hops)
        paths = [cycle.edges for cycle in index.cycles]
        assert len(set(paths)) == len(paths)
        assert set(paths) == brute_force([pool.spec for pool in pools], markets.weth, max_hops)


def test_a_pool_of_three_tokens_joins_cycles_in_every_direction_but_never_twice():
    index = CycleIndex([spec("0x1", "a", "b", "c"), spec("0x2", "a", "b"), spec("0x3", "b", "c")], ("a",))
    for cycle in index.cycles:
        assert len({edge.pool_id for edge in cycle.edges}) == len(cycle.edges)
    assert {len(cycle.edges) for cycle in index.cycles} == {2, 3}


def test_ids_and_order_do_not_depend_on_the_order_of_pools(markets):
    pools = markets.pools(3)
    there = CycleIndex(pools, (markets.weth,))
    back = CycleIndex(list(reversed(pools)), (markets.weth,))
    assert there.cycles == back.cycles
    assert len({cycle.cycle_id for cycle in there.cycles}) == len(there.cycles)


def test_an_id_is_the_same_in_every_run():
    edges = (Edge("0x1", "a", "b"), Edge("0x2", "b", "a"))
    assert cycle_id(edges) == "3a3967c69dbb757c"
    assert cycle_id(edges[::-1]) != cycle_id(edges)


def test_touched_gives_each_cycle_of_the_pools_once(markets):
    index = CycleIndex(markets.pools(5), (markets.weth,))
    some = list(index.by_pool)[:3]
    expected = [
        position
        for position, cycle in enumerate(index.cycles)
        if any(edge.pool_id in some for edge in cycle.edges)
    ]
    assert index.touched([*some, "0xunknown"]) == expected
    assert index.touched([]) == []


def test_every_start_token_gets_its_own_rotations():
    pools = [spec("0x1", "a", "b"), spec("0x2", "a", "b")]
    assert [cycle.token for cycle in CycleIndex(pools, ("a", "b", "a")).cycles] == ["a", "a", "b", "b"]


def test_a_market_without_the_start_token_has_no_cycles():
    assert len(CycleIndex([spec("0x1", "a", "b")], ("z",))) == 0


def test_bad_input_is_refused_with_what_to_do():
    with pytest.raises(InputError, match="max_hops"):
        CycleIndex([], ("a",), max_hops=1)
    with pytest.raises(InputError, match="list each once"):
        CycleIndex([spec("0x1", "a", "b"), spec("0x1", "a", "b")], ("a",))
