"""What every recording gives: pools at its start, and blocks with their context."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from chain.blocks import Address, Block
from market.context import BlockContext
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.state import MarketState
from market.tokens import Token


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording that can be replayed any number of times.

    Parameters
    ----------
    specs, tokens, pools
        What is followed, and the pools just before the first block.
    block_count
        Number of blocks that :meth:`blocks` gives.
    open_blocks
        Starts a new replay.
    source
        Where it came from, for people.
    """

    specs: tuple[PoolSpec, ...]
    tokens: Mapping[Address, Token]
    pools: tuple[Pool, ...]
    block_count: int
    open_blocks: Callable[[], Iterator[tuple[Block, BlockContext]]] = field(repr=False)
    source: str

    def blocks(self) -> Iterator[tuple[Block, BlockContext]]:
        """Return an iterator over all blocks in order, each with its context.

        Raises
        ------
        TapeError
            While iterating, if a row cannot be used.
        """
        return self.open_blocks()

    def initial_state(self) -> MarketState:
        """Return a fresh market state that the first block applies to."""
        return MarketState(self.pools, self.tokens)
