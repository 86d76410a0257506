"""Every way from a start token back to it, found once.

Arbitrage routes are short, and which pools exist changes far less often than their state.
So all simple cycles are enumerated up front, and a block only asks which of them hold a
pool that moved.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chain.blocks import Address
from core.errors import InputError

MIN_HOPS = 2


class Tradable(Protocol):
    """What the enumeration needs of a pool; pools and their specs both have it."""

    @property
    def pool_id(self) -> str:
        """Id of the pool."""
        ...

    @property
    def tokens(self) -> tuple[Address, ...]:
        """Tokens that can be exchanged for each other."""
        ...


@dataclass(frozen=True, slots=True)
class Edge:
    """One pool used in one direction."""

    pool_id: str
    token_in: Address
    token_out: Address


@dataclass(frozen=True, slots=True)
class Cycle:
    """A directed cycle: no pool twice, and no token twice but the first at the end.

    Parameters
    ----------
    cycle_id
        Hash of the hops: the same cycle has the same id in every run and on every machine.
    token
        Where it starts and ends.
    edges
        Hops in order.
    """

    cycle_id: str
    token: Address
    edges: tuple[Edge, ...]


def cycle_id(edges: Sequence[Edge]) -> str:
    """Return the stable id of a directed cycle.

    Examples
    --------
    >>> there, back = Edge("0x1", "0xa", "0xb"), Edge("0x2", "0xb", "0xa")
    >>> cycle_id([there, back]) == cycle_id([there, back]), len(cycle_id([there, back]))
    (True, 16)
    """
    text = "|".join(f"{edge.pool_id}:{edge.token_in}>{edge.token_out}" for edge in edges)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class CycleIndex:
    """All cycles of a market and, for every pool, the cycles that use it.

    Parameters
    ----------
    pools
        Pools or specs; their order does not matter.
    start_tokens
        Tokens a cycle may start in. The rotations of one loop through several start tokens
        are different trades, and all are kept.
    max_hops
        Longest cycle, in swaps.

    Raises
    ------
    InputError
        If ``max_hops`` is below two, or a pool id comes twice.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> pair = [PoolSpec("uniswap_v2", name, name, ("0xa", "0xb"), 3000) for name in ("0x1", "0x2")]
    >>> index = CycleIndex(pair, ("0xa",))
    >>> [[edge.pool_id for edge in cycle.edges] for cycle in index.cycles]
    [['0x1', '0x2'], ['0x2', '0x1']]
    >>> index.by_pool["0x1"]
    (0, 1)
    """

    def __init__(self, pools: Iterable[Tradable], start_tokens: Sequence[Address], max_hops: int = 4) -> None:
        if max_hops < MIN_HOPS:
            raise InputError(f"a cycle needs two hops at least; raise max_hops from {max_hops}")
        leaving = _edges_by_token(pools)
        self.cycles: tuple[Cycle, ...] = tuple(
            Cycle(cycle_id(path), token, path)
            for token in dict.fromkeys(start_tokens)
            for path in _paths(leaving, token, max_hops)
        )
        positions: dict[str, list[int]] = defaultdict(list)
        for position, cycle in enumerate(self.cycles):
            for edge in cycle.edges:
                positions[edge.pool_id].append(position)
        self.by_pool: Mapping[str, tuple[int, ...]] = {
            pool_id: tuple(places) for pool_id, places in positions.items()
        }

    def __len__(self) -> int:
        return len(self.cycles)

    def touched(self, pool_ids: Iterable[str]) -> list[int]:
        """Return positions of the cycles that use any of the pools, ascending, each once."""
        found: set[int] = set()
        for pool_id in pool_ids:
            found.update(self.by_pool.get(pool_id, ()))
        return sorted(found)


def _edges_by_token(pools: Iterable[Tradable]) -> dict[Address, list[Edge]]:
    leaving: dict[Address, list[Edge]] = defaultdict(list)
    seen: set[str] = set()
    for pool in sorted(pools, key=lambda pool: pool.pool_id):
        if pool.pool_id in seen:
            raise InputError("a pool comes twice; list each once", pool_id=pool.pool_id)
        seen.add(pool.pool_id)
        for token_in in pool.tokens:
            for token_out in pool.tokens:
                if token_in != token_out:
                    leaving[token_in].append(Edge(pool.pool_id, token_in, token_out))
    return leaving


def _paths(
    leaving: Mapping[Address, Sequence[Edge]], start: Address, max_hops: int
) -> Iterator[tuple[Edge, ...]]:
    """Walk depth first; the explicit stack keeps the order of a recursion."""
    stack: list[tuple[Edge, ...]] = [(edge,) for edge in reversed(leaving.get(start, ()))]
    while stack:
        path = stack.pop()
        here = path[-1].token_out
        if here == start:
            yield path
            continue
        if len(path) == max_hops:
            continue
        pools = {edge.pool_id for edge in path}
        visited = {edge.token_in for edge in path}
        stack.extend(
            (*path, edge)
            for edge in reversed(leaving.get(here, ()))
            if edge.pool_id not in pools and edge.token_out not in visited - {start}
        )
