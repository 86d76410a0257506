"""One view of the market that all in-process agents share, one block behind nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chain.blocks import Address, BlockHeader
from chain.follower import ChainFollower
from chain.providers import Provider
from core.errors import DevnetError
from core.seams import Clock
from market.pools.spec import PoolSpec
from market.state import MarketState
from market.tokens import Token
from pipeline.bootstrap import load_market


class SharedMarket:
    """Market state that follows the local chain, for agents that only read it.

    Parameters
    ----------
    provider
        The local node.
    state
        The market at some block.
    specs
        Its pools.
    clock
        Stamps blocks.
    """

    def __init__(
        self, provider: Provider, state: MarketState, specs: Iterable[PoolSpec], clock: Clock
    ) -> None:
        self.specs = {spec.pool_id: spec for spec in specs}
        self._state = state
        addresses = [spec.address for spec in self.specs.values()]
        self._follower = ChainFollower(provider, addresses, clock, after=state.head)

    @classmethod
    async def load(
        cls, provider: Provider, specs: Iterable[PoolSpec], tokens: Mapping[Address, Token], clock: Clock
    ) -> SharedMarket:
        """Read the market at the node's head.

        Raises
        ------
        RpcError
            If the node does not answer.
        """
        known = tuple(specs)
        return cls(provider, await load_market(provider, known, tokens), known, clock)

    async def at(self, head: BlockHeader) -> MarketState:
        """Return the state at ``head``, which must be the node's head.

        Raises
        ------
        DevnetError
            If the chain is somewhere else.
        """
        if self._state.head is None or self._state.head.hash != head.hash:
            async for block in self._follower.advance(await self._follower.latest()):
                self._state.apply(block)
        if self._state.head is None or self._state.head.hash != head.hash:
            raise DevnetError("the chain moved while an agent looked at it; only the builder may mine")
        return self._state
