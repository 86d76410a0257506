"""Read of a pool only what changes without any event."""

from __future__ import annotations

from collections.abc import Mapping

from chain.blocks import Address
from chain.questions import Reading
from market.pools.pool import Pool
from market.pools.slipstream import SlipstreamPool
from market.readings.answers import View, read
from market.readings.families import reading_of
from market.tokens import Token


def reading_of_unseen(pool: Pool, tokens: Mapping[Address, Token], timestamp: int) -> Reading[Pool]:
    """Read a pool's fee anew and keep the rest; where rates move, all of the pool is read.

    Parameters
    ----------
    pool
        As it was followed by its events.
    tokens
        Its tokens.
    timestamp
        Of the block that is read, unix seconds.

    Raises
    ------
    MarketError
        If the contract does not answer as its family does.
    """
    if not isinstance(pool, SlipstreamPool):
        return (yield from reading_of(pool.spec, tokens, timestamp))
    ((fee,),) = yield from read([View(pool.address, "fee()")])
    return pool.with_fee(fee)
