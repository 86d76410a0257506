"""From a market's pools to its best cycles, by searching or on a device that is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from core.reasons import Reason
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from scoring.candidates import believable, listed, searched, surely_above
from scoring.cycle_table import list_cycles
from scoring.devices.choice import Chosen
from scoring.edge_table import EdgeTable
from scoring.market_scan import Scannable
from scoring.ranking import PricedMarket, Ranking, Source, rank
from scoring.search.cycle_search import CycleSearch


@dataclass(frozen=True, slots=True)
class Wish:
    """How many cycles, of how many hops at most, and up to which rate at size zero they are believed."""

    count: int
    hops: int
    max_gap: float


@dataclass(frozen=True, slots=True)
class Look:
    """A way to look at all cycles.

    Parameters
    ----------
    source
        Gives candidates.
    represented
        Cycles that are looked at or ruled out; one that can start in several hubs counts for each.
    device, why
        What does it, and why that; for people.
    """

    source: Source
    represented: int
    device: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ranking, and how it came about.

    Parameters
    ----------
    ranking
        The best cycles.
    represented, device, why
        See :class:`Look`.
    dead
        Why pools give nothing in one direction, each direction counted.
    """

    ranking: Ranking
    represented: int
    device: str
    why: str
    dead: Mapping[Reason, int]


def best_cycles(
    scanned: Scannable, costs: Mapping[str, int], block: int, wish: Wish, device: Chosen | None = None
) -> Outcome:
    """Return the best cycles of the pools that passed the filters.

    Parameters
    ----------
    scanned
        Pools, hubs and prices.
    costs
        Wei that a swap costs, by pool id; nothing where a pool is not named.
    block
        Height of the state.
    wish
        What is asked for.
    device
        Scores the list of all cycles. The default searches instead, lists none, and gives the same.

    Raises
    ------
    InputError
        If the wish cannot be met.
    InvariantBroken
        If an exact profit exceeds its proven bound.
    """
    market = PricedMarket(
        {pool.pool_id: pool for pool in scanned.pools},
        {hub: scanned.prices[hub] for hub in scanned.hubs},
        costs,
        block,
    )
    table = EdgeTable(
        scanned.pools,
        {token for pool in scanned.pools for token in pool.tokens},
        {pool.pool_id: float(costs.get(pool.pool_id, 0)) for pool in scanned.pools},
    )
    worth = np.array([market.worth.get(token, 0.0) for token in table.tokens])
    look = _search(table, worth, wish) if device is None else _list(table, worth, wish, device)
    dead = Counter(reason for row in range(len(table)) if (reason := table.why_dead(row)))
    ranking = rank(look.source, market, wish.count, wish.max_gap)
    return Outcome(ranking, look.represented, look.device, look.why, dead)


def warm_up(device: Chosen | None = None) -> None:
    """Compile what scoring needs, so that no market has to wait for it."""
    pools = [
        UniswapV2Pool(PoolSpec("uniswap_v2", name, name, ("0xa", "0xb"), 3000), 10**18, reserve)
        for name, reserve in (("0x1", 10**18), ("0x2", 2 * 10**18))
    ]
    tiny = Scannable(tuple(pools), ("0xa",), {"0xa": 1.0}, {}, {}, {}, {})
    best_cycles(tiny, {}, 0, Wish(1, 2, inf), device)


def _search(table: EdgeTable, worth: NDArray[np.float64], wish: Wish) -> Look:
    search = CycleSearch(table.edges, worth, wish.hops, surely_above(wish.max_gap))
    return Look(
        searched(search, table.edges, table.pieces, worth, table.edge),
        search.counters.combinations,
        "processor",
        "the search lists no cycles",
    )


def _list(table: EdgeTable, worth: NDArray[np.float64], wish: Wish, chosen: Chosen) -> Look:
    cycles = list_cycles(table.edges, worth, wish.hops)
    believed, withheld = believable(cycles, table.edges, worth, wish.max_gap)
    device = chosen.make(table.edges, worth, believed)
    source = listed(device, believed, table.edges, worth, table.edge, withheld)
    return Look(source, len(cycles), device.name, chosen.why)
