"""What a group of features is: it sees every block once, in order, and says some numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chain.blocks import Block
from features.groups.prices import PriceBook
from market.context import BlockContext
from market.state import Applied, MarketState


@dataclass(frozen=True, slots=True)
class Observed:
    """One block as a feature may see it: nothing in here is younger than the block's end.

    Parameters
    ----------
    block, context
        The block and what is known beside it.
    state, applied
        The market after the block, and what the block did to it.
    book
        Prices after the block.
    """

    block: Block
    context: BlockContext
    state: MarketState
    applied: Applied
    book: PriceBook


class Group(Protocol):
    """Features that share their history.

    A group's attributes are immutable values that ``update`` replaces and never changes in
    place. A shallow copy is therefore a complete snapshot, which is what makes undoing a
    block cheap.
    """

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block and return one value per feature; ``None`` where unknown."""
        ...
