"""What a group of features is: it sees every block once, in order, and says some numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from chain.blocks import Block
from features.groups.gap import Gaps
from features.groups.prices import PriceBook
from features.groups.trades import Trades
from market.context import BlockContext


@dataclass(frozen=True, slots=True)
class Pending:
    """What the mempool held for the followed pools when the block was complete.

    Parameters
    ----------
    swaps
        Pending transactions that would swap in a followed pool.
    weth_in, weth_out
        Raw WETH they would pay into pools and take out.
    """

    swaps: int
    weth_in: int
    weth_out: int


@dataclass(frozen=True, slots=True)
class Observed:
    """One block as a feature may see it: nothing in here is younger than the block's end.

    Parameters
    ----------
    block, context
        The block and what is known beside it.
    pending
        The mempool; ``None`` where nobody listens to one.
    touched
        Ids of pools that the block changed.
    trades
        What the block's swaps come to.
    book, gaps
        Prices after the block, and how far they stand apart.
    depths
        Raw WETH around each pool's price, by pool id in order.
    reference
        Log prices of the pools of the reference pair (WETH/USDC), by pool id.
    move
        How far the log price of the deepest of them moved in this block; ``None`` if none had a price
        before and after.
    """

    block: Block
    context: BlockContext
    pending: Pending | None
    touched: tuple[str, ...]
    trades: Trades
    book: PriceBook
    gaps: Gaps
    depths: Mapping[str, float]
    reference: Mapping[str, float]
    move: float | None


Memory = dict[str, Any]
"""The attributes of a group at one time."""


def snapshot(group: object) -> Memory:
    """Return a group's attributes; :func:`restore` brings them back."""
    return group.__dict__.copy()


def restore(group: object, memory: Memory) -> None:
    """Bring a group back to where it was at a snapshot."""
    group.__dict__.update(memory)


class Group(Protocol):
    """Features that share their history.

    A group's attributes are immutable values that ``update`` replaces and never changes in
    place, and there are no others than those of a fresh one. References to them are therefore
    a complete snapshot, which is what makes undoing a block cheap.
    """

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block and return one value per feature; ``None`` where unknown."""
        ...
