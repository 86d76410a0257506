"""Features of a block stream: one row per block, from that block and the ones before it.

There is one path only: history, tests and the live loop call the same ``update``. A row
can therefore not know more offline than it would have known live.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chain.blocks import Address, Block
from core.errors import MarketError
from features.feature import FeatureRow
from features.groups.calendar import CalendarGroup
from features.groups.cex import CexGroup
from features.groups.competition import CompetitionGroup
from features.groups.flow import FlowGroup
from features.groups.gaps import GapGroup
from features.groups.gas import GasGroup
from features.groups.group import Group, Observed
from features.groups.prices import PriceBook
from features.registry import FEATURES, SCHEMA
from market.context import BlockContext
from market.pools.spec import PoolSpec
from market.state import JOURNAL_DEPTH, Applied, MarketState
from market.tokens import Token

_NULLS = tuple(feature.null for feature in FEATURES)


@dataclass(frozen=True, slots=True)
class _Entry:
    """The stream just before a block."""

    number: int
    groups: tuple[Group, ...]
    book: PriceBook


class FeatureStream:
    """Turns blocks into feature rows.

    Parameters
    ----------
    tokens
        Tokens of the market, by address.
    specs
        Pools that are followed.
    """

    def __init__(self, tokens: Mapping[Address, Token], specs: Iterable[PoolSpec]) -> None:
        # in the registry's order
        self._groups: tuple[Group, ...] = (
            GasGroup(),
            CalendarGroup(),
            CompetitionGroup(),
            GapGroup(),
            FlowGroup(tokens),
            CexGroup(tokens),
        )
        self._book = PriceBook(specs)
        self._journal: deque[_Entry] = deque(maxlen=JOURNAL_DEPTH)
        self._head: int | None = None

    def update(self, block: Block, context: BlockContext, state: MarketState, applied: Applied) -> FeatureRow:
        """Return the row of the next block.

        Parameters
        ----------
        block, context
            The block and what is known beside it.
        state, applied
            The market after the block, and what the block did to it.

        Returns
        -------
        FeatureRow
            Columns in the order of :data:`features.registry.SCHEMA`; unknown values hold their
            null and are listed in ``missing``.

        Raises
        ------
        MarketError
            If the block is not the child of the last one, by height, or the market is not the one
            after this block; nothing has changed then.
        """
        if self._head is not None and block.number != self._head + 1:
            raise MarketError(
                f"block {block.number} does not follow block {self._head} in the feature stream; "
                "roll back or give the blocks between",
                head=self._head,
                block=block.number,
            )
        if state.head != block.header:
            raise MarketError(
                f"the market stands elsewhere than after block {block.number}: the row would tell of another "
                "time; give each block to the features before the next one is applied",
                block=block.number,
                head=None if state.head is None else state.head.number,
            )
        self._journal.append(
            _Entry(block.number, tuple(copy.copy(group) for group in self._groups), self._book)
        )
        self._head = block.number
        self._book = self._book.after(state.pools, applied.touched)
        observed = Observed(block, context, state, applied, self._book)
        found = [value for group in self._groups for value in group.update(observed)]
        missing = tuple(name for name, value in zip(SCHEMA.names, found, strict=True) if value is None)
        values = tuple(null if value is None else value for value, null in zip(found, _NULLS, strict=True))
        return FeatureRow(
            block.number, block.header.timestamp, block.known_at_ns, SCHEMA.names, values, missing
        )

    def rollback(self, to_number: int) -> None:
        """Forget blocks above height ``to_number``, as if they had never been seen.

        Raises
        ------
        MarketError
            If the journal does not reach so far back; nothing has changed then.
        """
        undo = [entry for entry in self._journal if entry.number > to_number]
        if self._head is None or self._head <= to_number:
            return
        if not undo or undo[0].number != to_number + 1:
            raise MarketError(
                f"cannot go back to block {to_number}: the feature stream remembers {len(self._journal)} "
                "blocks; build it again from history",
                to_number=to_number,
                depth=len(self._journal),
            )
        self._groups, self._book = undo[0].groups, undo[0].book
        self._head = to_number
        for _ in undo:
            self._journal.pop()
