"""How much to sell so that a pool's price moves by a given share."""

from __future__ import annotations

from chain.blocks import Address
from core.errors import SwapRefused
from market.pools.pool import Pool

_STEPS = 24


def amount_for_move(pool: Pool, token_in: Address, token_out: Address, move: float) -> int:
    """Return the input after which the pool pays ``move`` less per unit, to about one in a million.

    Parameters
    ----------
    move
        Fraction of the price, between 0 and 1.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> from market.pools.uniswap_v2 import UniswapV2Pool
    >>> pool = UniswapV2Pool(PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 0), 10**12, 10**12)
    >>> round(amount_for_move(pool, "0xa", "0xb", 0.0199) / 10**12, 4)
    0.0101
    """
    wanted = pool.marginal_rate(token_in, token_out) * (1.0 - move)
    low, high = 1, 1
    while _rate_after(pool, token_in, token_out, high) > wanted:
        low, high = high, high * 4
    for _ in range(_STEPS):
        middle = (low + high) // 2
        if _rate_after(pool, token_in, token_out, middle) > wanted:
            low = middle
        else:
            high = middle
    return high


def _rate_after(pool: Pool, token_in: Address, token_out: Address, amount: int) -> float:
    """Return the price after a swap; an amount too small to swap leaves it, one too large ends it."""
    try:
        return pool.swap(token_in, token_out, amount).pool.marginal_rate(token_in, token_out)
    except SwapRefused as refused:
        if refused.fields["reason"] == "amount_too_small":
            return pool.marginal_rate(token_in, token_out)
        return 0.0
