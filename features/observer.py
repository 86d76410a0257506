"""From a block and the market after it to what features may see of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chain.blocks import Address, Block
from features.groups.depths import DepthBook
from features.groups.gap import GapBook
from features.groups.group import Observed, Pending
from features.groups.prices import Pair, PriceBook, find_token
from features.groups.trades import sum_up
from market.context import BlockContext
from market.pools.spec import PoolSpec
from market.state import Applied, MarketState
from market.tokens import Token


def reference_pair(tokens: Mapping[Address, Token]) -> Pair | None:
    """Return WETH and USDC, the lower address first; ``None`` if one is not in the market."""
    weth, usdc = find_token(tokens, "WETH"), find_token(tokens, "USDC")
    return None if weth is None or usdc is None else (min(weth, usdc), max(weth, usdc))


class Observer:
    """Follows prices and depths, asking only pools that a block touched.

    Attributes are immutable values that ``see`` replaces, so a shallow copy is a complete snapshot.

    Parameters
    ----------
    tokens, specs
        Tokens by address, and the pools that are followed.
    """

    def __init__(self, tokens: Mapping[Address, Token], specs: Iterable[PoolSpec]) -> None:
        specs = tuple(specs)
        self.weth = find_token(tokens, "WETH")
        self.pair = reference_pair(tokens)
        self._followed = frozenset(spec.pool_id for spec in specs)
        self.book = PriceBook(specs)
        self._depths = DepthBook(specs, self.weth)
        self._gaps = GapBook()
        self._reference: Mapping[str, float] = {}

    def see(
        self,
        block: Block,
        context: BlockContext,
        state: MarketState,
        applied: Applied,
        pending: Pending | None,
    ) -> Observed:
        """Take in the next block; ``state`` is the market after it."""
        book = self.book.after(state.pools, applied.touched)
        if book is not self.book:
            self.book, self._gaps = book, self._gaps.after(book.quotes)
        self._depths = self._depths.after(state.pools, applied.touched)
        before = self._reference
        self._reference = book.quotes.get(self.pair, {}) if self.pair else {}
        return Observed(
            block,
            context,
            pending,
            tuple([pool_id for pool_id in applied.touched if pool_id in self._followed]),
            sum_up(applied.events, state.pools, self.weth),
            book,
            self._gaps.gaps,
            self._depths.depths,
            self._reference,
            self._move(before),
        )

    def _move(self, before: Mapping[str, float]) -> float | None:
        both = [pool_id for pool_id in self._reference if pool_id in before]
        if not both:
            return None
        deepest = max(both, key=lambda pool_id: (self._depths.depths.get(pool_id, 0.0), pool_id))
        return self._reference[deepest] - before[deepest]
