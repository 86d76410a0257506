"""The price at this moment of a pool that we follow: exact, free, and easy to move within a block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chain.blocks import Address
from chain.questions import Reading
from core.reasons import Reason, Refusal
from market.pools.concentrated import ConcentratedPool
from market.pools.pool import Pool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import Q96
from market.prices.price import Price, PriceKind


@dataclass(frozen=True, slots=True)
class PoolSpot:
    """The spot price of one pool, before its fee.

    Parameters
    ----------
    pool
        Gives the pool as it is now.
    base, quote
        Its two tokens.
    good_for
        Seconds that a reading may be used.
    """

    pool: Callable[[], Pool]
    base: Address
    quote: Address
    good_for: int = 0

    @property
    def name(self) -> str:
        """Name for people."""
        return f"spot of {self.pool().pool_id}"

    def reading(self, now: int) -> Reading[Price | Refusal]:
        """Take the price from the pool that we have; nothing is asked."""
        yield from ()
        ratio = _ratio(self.pool())
        if ratio is None:
            why = "a spot price is read of two reserves or of a square-root price, and the pool has neither"
            return Refusal(Reason.PRICE_UNREADABLE, f"{self.name}: {why}")
        if {self.base, self.quote} != set(self.pool().tokens):
            return Refusal(Reason.PRICE_UNREADABLE, f"{self.name}: the pool trades other tokens")
        if min(ratio) <= 0:
            return Refusal(Reason.ZERO_LIQUIDITY, f"{self.name}: there is nothing in the pool")
        numerator, denominator = ratio if self.base == self.pool().tokens[0] else ratio[::-1]
        return Price(
            base=self.base,
            quote=self.quote,
            numerator=numerator,
            denominator=denominator,
            at=now,
            known_at=now,
            good_until=now + self.good_for,
            source=self.name,
            kind=PriceKind.SPOT,
        )


def _ratio(pool: Pool) -> tuple[int, int] | None:
    """Return token1 per token0 as a ratio of raw units."""
    match pool:
        case UniswapV2Pool():
            return pool.reserve1, pool.reserve0
        case UniswapV3Pool() | ConcentratedPool():
            if pool.liquidity == 0:
                return 0, 1
            return pool.sqrt_price_x96 * pool.sqrt_price_x96, Q96 * Q96
    return None
