"""Discover a chain's pools: source by source, range by range, each committed before the next begins.

A range of blocks is read, its pools are sifted and recorded together with the mark of how far the
source has been read; so it can be stopped at any moment and goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chain.asking import ask
from chain.blocks import Address
from chain.log_ranges import logs_between
from chain.networks import Network
from chain.providers import Node
from core.reasons import Reason
from core.seams import Clock
from market.discovery.creations import creation_topic, listed
from market.discovery.listings import Listing
from market.discovery.registries import entries
from market.discovery.sources import PoolSource
from pipeline.discovery_plan import Scan, settled_block
from pipeline.pool_rows import PoolStatus, Progress, StoredPool, TokenFact
from pipeline.pool_sieve import PoolSieve
from pipeline.pool_store import PoolQuery, PoolStore

AGAIN = (
    Reason.DUST_POOL,
    Reason.NO_HUB_TOKEN,
    Reason.POOL_UNREADABLE,
    Reason.ZERO_LIQUIDITY,
    Reason.ONE_SIDED,
)
"""Why a pool may have been refused that is worth another look."""
ENTRIES_PER_STEP = 100
POOLS_PER_STEP = 500

Advance = Callable[[int], None]
"""Called with the number of blocks, entries or pools done so far."""


@dataclass(slots=True)
class Tally:
    """Pools that were new, those of them that were kept, and why the others were refused."""

    found: int = 0
    kept: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)

    def add(self, pools: Sequence[StoredPool]) -> None:
        """Count pools."""
        self.found += len(pools)
        self.kept += sum(pool.refusal is None for pool in pools)
        self.refused.update(pool.refusal.reason for pool in pools if pool.refusal is not None)


class Discovery:
    """Discovers pools of one chain.

    Parameters
    ----------
    node
        Whom to ask.
    store
        Where pools and progress are kept.
    network
        The chain's facts.
    sieve
        What is asked of every pool.
    clock
        Source of the times at which pools are recorded.
    confirmations
        Blocks that must stand on the block at which pools are looked at.
    """

    def __init__(
        self,
        node: Node,
        store: PoolStore,
        network: Network,
        sieve: PoolSieve,
        clock: Clock,
        confirmations: int,
    ) -> None:
        self._node = node
        self._store = store
        self._network = network
        self._sieve = sieve
        self._clock = clock
        self._confirmations = confirmations

    async def run(self, scan: Scan, advance: Advance) -> Tally:
        """Read what is left of a source, and return what was new.

        Raises
        ------
        InputError
            If the store cannot be written.
        RpcError
            If the node does not answer, or refuses; what was read until then is recorded.
        """
        return await (self._run_list if scan.source.is_registry else self._run_logs)(scan, advance)

    async def again(self, advance: Advance) -> Tally:
        """Look once more at pools that were refused for what may have changed; return what they are now.

        Raises
        ------
        InputError
            If the store cannot be read or written.
        RpcError
            If the node does not answer, or refuses.
        """
        tally, after = Tally(), None
        while True:
            query = PoolQuery(chain=self._network.name, reasons=AGAIN, after=after)
            pools = await asyncio.to_thread(self._store.pools, query, POOLS_PER_STEP)
            if not pools:
                return tally
            listings = [Listing(pool.spec, pool.block, pool.place) for pool in pools]
            judged, tokens = await self._judged(listings)
            await asyncio.to_thread(self._store.judge, judged, tokens)
            tally.add(judged)
            advance(tally.found)
            after = (pools[-1].chain, pools[-1].spec.pool_id)

    async def to_look_at_again(self) -> int:
        """Return how many pools :meth:`again` would look at."""
        query = PoolQuery(chain=self._network.name, reasons=AGAIN)
        return await asyncio.to_thread(self._store.count, query)

    async def _run_logs(self, scan: Scan, advance: Advance) -> Tally:
        tally, before = Tally(), scan.before
        topics = [creation_topic(scan.source)]
        ranges = logs_between(
            self._node, scan.first, scan.last, addresses=[scan.source.address], topics=topics
        )
        async for part in ranges:
            listings = [listed(scan.source, log) for log in part.logs]
            after = Progress(scan.begin, part.last + 1, part.hashes[part.last])
            tally.add(await self._recorded(scan.source, before, after, listings))
            before = after
            advance(part.last - scan.first + 1)
        return tally

    async def _run_list(self, scan: Scan, advance: Advance) -> Tally:
        tally, before = Tally(), scan.before
        for first in range(scan.first, scan.last + 1, ENTRIES_PER_STEP):
            last = min(first + ENTRIES_PER_STEP - 1, scan.last)
            block = (await settled_block(self._node, self._confirmations)).number
            listings = await ask(self._node, entries(scan.source, first, last, block), hex(block))
            after = Progress(scan.begin, last + 1)
            tally.add(await self._recorded(scan.source, before, after, listings))
            before = after
            advance(last - scan.first + 1)
        return tally

    async def _recorded(
        self, source: PoolSource, before: Progress | None, after: Progress, listings: Sequence[Listing]
    ) -> tuple[StoredPool, ...]:
        """Sift pools and record them together with the mark; return those that are new."""
        pools, tokens = await self._judged(listings)
        return await asyncio.to_thread(
            self._store.record, self._network.name, source.name, before, after, pools, tokens
        )

    async def _judged(
        self, listings: Sequence[Listing]
    ) -> tuple[tuple[StoredPool, ...], Mapping[Address, TokenFact]]:
        """Return the pools as they are to be recorded, and their tokens."""
        if not listings:
            return (), {}
        at = await settled_block(self._node, self._confirmations)
        mentioned = {token for listing in listings for token in listing.spec.tokens}
        known = await asyncio.to_thread(self._store.tokens, self._network.name, mentioned)
        sifted = await self._sieve.sift(listings, known, at)
        now = self._clock.now_ns()
        pools = tuple(
            StoredPool(
                chain=self._network.name,
                spec=listing.spec,
                status=PoolStatus.QUARANTINED if listing.refusal is None else PoolStatus.REFUSED,
                block=listing.block,
                place=listing.place,
                judged_block=at.number,
                recorded_ns=now,
                refusal=listing.refusal,
            )
            for listing in sifted.listings
        )
        return pools, sifted.tokens
