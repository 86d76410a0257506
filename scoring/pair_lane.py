"""Cycles of pairs alone, whose best integers are found in machine code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.reasons import Reason
from market.pools.pool import Pool
from market.pools.uniswap_v2 import UniswapV2Pool
from scoring.cycles import Edge
from scoring.integers.pairs import pair_rows
from scoring.integers.trade import PairTrade, best_pair_trade


def pair_trade(pools: Mapping[str, Pool], edges: Sequence[Edge]) -> PairTrade | Reason | None:
    """Return the best integer trade of a cycle of pairs, or why there is none.

    Parameters
    ----------
    pools
        State by pool id.
    edges
        Hops in order.

    Returns
    -------
    PairTrade, Reason or None
        ``None`` if a hop is no pair of constant product.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> specs = [PoolSpec("uniswap_v2", name, name, ("0xa", "0xb"), 3000) for name in ("0x1", "0x2")]
    >>> pools = {"0x1": UniswapV2Pool(specs[0], 10**21, 2 * 10**12)}
    >>> pools |= {"0x2": UniswapV2Pool(specs[1], 11 * 10**20, 2 * 10**12)}
    >>> pair_trade(pools, [Edge("0x1", "0xa", "0xb"), Edge("0x2", "0xb", "0xa")]).profit
    1047236224807529899
    """
    rows = []
    for edge in edges:
        pool = pools[edge.pool_id]
        if type(pool) is not UniswapV2Pool:
            return None
        place = pool.tokens.index(edge.token_in)
        reserves = pool.reserve0, pool.reserve1
        fee = pool.spec.fees[place] if pool.spec.fees else pool.spec.fee
        rows.append((reserves[place], reserves[1 - place], fee))
    return best_pair_trade(pair_rows(rows), np.arange(len(rows)))


def warm_up() -> None:
    """Compile what pairs need, so that no block has to wait for it."""
    best_pair_trade(pair_rows([(10**21, 2 * 10**12, 3000), (2 * 10**12, 11 * 10**20, 3000)]), np.arange(2))
