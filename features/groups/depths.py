"""Depth of pools: how much of one token stands around the price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chain.blocks import Address
from market.pools.concentrated import ConcentratedPool
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.weighted import WeightedPool

_Q96 = 2**96


def depth_of(pool: Pool, token: Address) -> float:
    """Return how much of a token stands around the pool's price, raw units.

    The balance; for concentrated liquidity that of the constant-product pool with the same active
    liquidity. 0.0 for families whose balance is no measure of it.
    """
    place = pool.tokens.index(token)
    match pool:
        case ConcentratedPool() if pool.sqrt_price_x96:
            root = pool.sqrt_price_x96 / _Q96
            return pool.liquidity * root if place else pool.liquidity / root
        case UniswapV2Pool():
            return float((pool.reserve0, pool.reserve1)[place])
        case WeightedPool():
            return float(pool.balances[place])
    return 0.0


class DepthBook:
    """Depth of every pool that holds the token, after a block; an immutable value.

    ``depths[pool_id]`` is in raw units of the token, in the order of pool ids. Pools without any are
    not in it.
    """

    __slots__ = ("_asked", "_followed", "_token", "depths")

    def __init__(self, specs: Iterable[PoolSpec], token: Address | None) -> None:
        self._token = token
        self._followed = frozenset(spec.pool_id for spec in specs if token in spec.tokens)
        self._asked = False
        self.depths: Mapping[str, float] = {}

    def after(self, pools: Mapping[str, Pool], touched: Iterable[str]) -> DepthBook:
        """Return the book after a block: touched pools are asked again, the first time all."""
        ask = [pool_id for pool_id in (touched if self._asked else self._followed) if pool_id in pools]
        ask = [pool_id for pool_id in ask if pool_id in self._followed]
        if self._token is None or not ask:
            return self
        fresh = {pool_id: depth_of(pools[pool_id], self._token) for pool_id in ask}
        found = {**self.depths, **fresh}
        book = object.__new__(DepthBook)
        book._token, book._followed, book._asked = self._token, self._followed, True
        # in order already, unless a pool has come or gone
        moved = len(found) > len(self.depths) or min(fresh.values()) <= 0
        book.depths = (
            {pool_id: found[pool_id] for pool_id in sorted(found) if found[pool_id] > 0} if moved else found
        )
        return book
