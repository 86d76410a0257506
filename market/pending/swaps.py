"""One swap of one pool as routers ask for it: exact input or exact output, with a price limit or without."""

from __future__ import annotations

from dataclasses import dataclass

from chain.blocks import Address
from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.concentrated import ConcentratedPool
from market.pools.pool import Pool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.uniswap_v4 import UniswapV4Pool, unsupported
from market.pools.v3_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO


@dataclass(frozen=True, slots=True)
class Traded:
    """What went in and came out, in raw units, and the pool after it."""

    amount_in: int
    amount_out: int
    pool: Pool


def sell(pool: Pool, token_in: Address, token_out: Address, amount: int, price_limit: int = 0) -> Traded:
    """Swap an exact input.

    Raises
    ------
    SwapRefused
        If the pool would revert.
    MarketError
        If the pool does not trade these tokens.
    """
    if price_limit and isinstance(pool, UniswapV3Pool | ConcentratedPool):
        return _walked(pool, token_in, token_out, amount, price_limit)
    done = pool.swap(token_in, token_out, amount)
    return Traded(done.amount_in, done.amount_out, done.pool)


def buy(pool: Pool, token_in: Address, token_out: Address, amount: int, price_limit: int = 0) -> Traded:
    """Swap for an exact output.

    Raises
    ------
    SwapRefused
        If the pool would revert, cannot give that much, or its family's input is not computed here.
    MarketError
        If the pool does not trade these tokens.
    """
    if isinstance(pool, UniswapV2Pool):
        paid = pool.amount_in(token_in, token_out, amount)
        change0, change1 = (paid, -amount) if token_in == pool.tokens[0] else (-amount, paid)
        return Traded(paid, amount, pool.after_sync(pool.reserve0 + change0, pool.reserve1 + change1))
    if isinstance(pool, UniswapV3Pool | ConcentratedPool):
        return _walked(pool, token_in, token_out, -amount, price_limit)
    why = f"the input for an exact output of a {pool.family} pool is not computed"
    raise _refused(pool, Reason.PENDING_EXACT_OUT, why, amount)


def _walked(
    pool: UniswapV3Pool | ConcentratedPool, token_in: Address, token_out: Address, amount: int, limit: int
) -> Traded:
    """Walk from tick to tick; ``amount`` is negative for an exact output, a limit of 0 is none."""
    if {token_in, token_out} != set(pool.tokens):
        raise MarketError("the pool does not trade these tokens", pool_id=pool.pool_id)
    zero_for_one = token_in == pool.tokens[0]
    if amount == 0 or abs(amount) >= 2**255:
        raise _refused(pool, Reason.AMOUNT_TOO_SMALL, "the amount must be positive and fit", amount)
    lower, upper = (
        (MIN_SQRT_RATIO, pool.sqrt_price_x96) if zero_for_one else (pool.sqrt_price_x96, MAX_SQRT_RATIO)
    )
    if limit and not lower < limit < upper:
        raise _refused(pool, Reason.PENDING_SLIPPAGE, "the price is beyond its limit already", amount)
    if isinstance(pool, UniswapV3Pool):
        walk = pool.walk(zero_for_one, amount, limit or None)
        done, left = Traded(walk.amount_in, walk.amount_out, walk.pool), walk.remaining
    else:
        done, left = _by_path(pool, zero_for_one, amount, limit)
    if left and not limit:
        raise _refused(pool, Reason.AMOUNT_TOO_LARGE, "the pool has no liquidity for all of it", amount)
    return done


def _by_path(pool: ConcentratedPool, zero_for_one: bool, amount: int, limit: int) -> tuple[Traded, int]:
    refusal = unsupported(pool.spec) if isinstance(pool, UniswapV4Pool) else None
    if refusal is not None:
        raise _refused(pool, refusal.reason, refusal.detail, amount)
    begun = pool.begun()
    path = begun.path(zero_for_one, amount, limit or None)
    return Traded(path.amount_in, path.amount_out, begun.after_path(path)), path.remaining


def _refused(pool: Pool, reason: Reason, why: str, amount: int) -> SwapRefused:
    return SwapRefused(why, reason=reason, pool_id=pool.pool_id, amount=amount)
