"""The exact search on a recorded market of every family, and what its best cycles earn in integers."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Progress, Row, at_most, median
from benchmarks.scoring_real import RealMarket, largest, real_markets
from benchmarks.scoring_searching import BEST, REPEATS, WARM_MS, seconds
from core.config_loader import load_settings
from core.data_root import find_data_root
from core.errors import MarketError
from market.pools.pool import Pool
from scoring.curves import curve_of
from scoring.edge_table import EdgeTable
from scoring.exact import best_integers, profit_of
from scoring.search import CycleSearch, Ranked
from scoring.sizing import Size, size_cycle

HUBS = 6


def recorded_rows(progress: Progress) -> list[Row]:
    """Return the figures of the larger recorded auction; none without the recorded history."""
    root = find_data_root(load_settings("replay", os.environ))
    if root is None:
        return []
    market = largest(real_markets(root))
    progress(f"searching {market.source}")
    table = EdgeTable(market.pools, market.prices)
    search = CycleSearch(table.edges, _worth(market, table))
    found = search.top(BEST, table.pieces)
    taken = median(seconds(lambda: search.top(BEST, table.pieces), REPEATS))
    costly = EdgeTable(market.pools, market.prices, market.swap_costs)
    after_gas = CycleSearch(costly.edges, _worth(market, costly)).top(BEST, costly.pieces)
    shares = [
        _exact(market, table, found, place) / float(profit) for place, profit in enumerate(found.profit)
    ]
    return [
        at_most(
            f"exact top 100 of {market.source}, {len(market.pools)} plausible pools, warm",
            1e3 * taken,
            "ms",
            WARM_MS,
        ),
        Row("combinations there", search.counters.combinations, "combinations"),
        Row("loops found there", len(found), "loops"),
        Row("of these, earning something in the pools' integers", sum(one > 0 for one in shares), "loops"),
        Row("profit in integers over the predicted, worst", min(shares, default=0.0), "share"),
        Row("loops there that earn more than their gas", len(after_gas), "loops"),
    ]


def _worth(market: RealMarket, table: EdgeTable) -> NDArray[np.float64]:
    """Return worths of the tokens in most pools; no cycle starts in others."""
    degree = Counter(token for pool in market.pools for token in pool.tokens)
    hubs = {token for token, _ in degree.most_common(HUBS)}
    return np.array([market.prices[token] if token in hubs else 0.0 for token in table.tokens])


def _exact(market: RealMarket, table: EdgeTable, found: Ranked, place: int) -> int:
    """Return what a found loop earns in the pools' own integers, raw units of its start token."""
    pools: dict[str, Pool] = {pool.pool_id: pool for pool in market.pools}
    edges = [table.edge(int(row)) for row in found.hops[place, : found.count[place]]]
    curves = [curve_of(pools[edge.pool_id], edge.token_in, edge.token_out) for edge in edges]
    size = size_cycle(curves)
    if not isinstance(size, Size):
        return 0
    try:
        return profit_of(best_integers(pools, edges, curves, size, 0))
    except MarketError:
        return 0
