"""Lists of pools that a registry keeps: read by place, since Curve's events do not name the pool."""

from __future__ import annotations

from chain.questions import Reading
from core.errors import MarketError
from market.discovery.answers import call, number, values
from market.discovery.listings import Listing
from market.discovery.sources import PoolSource
from market.pools.spec import PoolSpec


def length(source: PoolSource) -> Reading[int]:
    """Read how many pools a registry lists.

    Raises
    ------
    MarketError
        If it does not say.
    """
    (answer,) = yield [call(source.address, "pool_count()")]
    count = number(answer)
    if count is None:
        raise MarketError(
            f"{source.name} at {source.address} does not say how many pools it lists; check its address "
            "in configs/chains/",
            address=source.address,
        )
    return count


def entries(source: PoolSource, first: int, last: int, block: int) -> Reading[tuple[Listing, ...]]:
    """Read the pools at places ``first`` to ``last``, both included.

    Parameters
    ----------
    source
        A registry.
    first, last
        Places in its list, which only grows.
    block
        At which it is read.

    Raises
    ------
    MarketError
        If a place is empty.
    """
    answers = yield [call(source.address, "pool_list(uint256)", place) for place in range(first, last + 1)]
    listings = []
    for place, answer in enumerate(answers, first):
        pool = values(("address",), answer)
        if pool is None or int(pool[0], 16) == 0:
            raise MarketError(f"{source.name} lists no pool at place {place}", address=source.address)
        spec = PoolSpec("", pool[0], pool[0], (), 0, venue=source.name)
        listings.append(Listing(spec, block, place))
    return tuple(listings)
