"""What the contract that pays for a pool really owns of each token."""

from __future__ import annotations

from chain.questions import Reading
from market.pools.pool import Pool
from market.pools.uniswap_v4 import NATIVE
from market.readings.answers import View, read


def read_owned(pool: Pool) -> Reading[tuple[int, ...]]:
    """Read the balance of every token of a pool, in raw units and the order of ``pool.tokens``.

    Where a vault pays, its whole balance is read: no pool can hold more than that.

    Raises
    ------
    MarketError
        If a token does not answer as one does.
    """
    views = [
        View(token, "balanceOf(address)", (int(pool.address, 16),))
        for token in pool.tokens
        if token != NATIVE
    ]
    balances = iter((yield from read(views)))
    return tuple(2**256 - 1 if token == NATIVE else next(balances)[0] for token in pool.tokens)
