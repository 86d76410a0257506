"""Features of a block stream: one row per block, from that block and the ones before it.

History, tests and the live loop call the same ``update``. A row can therefore not know more
offline than it would have known live. :mod:`features.batch` makes the same rows from columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chain.blocks import Address, Block
from core.errors import MarketError
from core.reasons import Reason
from features.feature import FeatureRow
from features.feature_set import FeatureSet
from features.groups.arrivals import ArrivalGroup
from features.groups.bids import BidGroup
from features.groups.calendar import CalendarGroup
from features.groups.cex import CexGroup, DollarScale
from features.groups.clock import ClockGroup
from features.groups.competition import CompetitionGroup
from features.groups.cycle import Cycle, CycleGroup
from features.groups.depth import DepthGroup
from features.groups.exchange import ExchangeGroup
from features.groups.flow import FlowGroup
from features.groups.gap_dynamics import GapDynamicsGroup
from features.groups.gaps import GapGroup
from features.groups.gas import GasGroup
from features.groups.group import Group, Memory, Observed, Pending, restore, snapshot
from features.groups.mempool import MempoolGroup
from features.groups.order_flow import OrderFlowGroup
from features.groups.rivals import RivalGroup
from features.groups.volatility import VolatilityGroup
from features.observer import Observer
from features.registry import BLOCK, CYCLE, MARKET
from market.context import BlockContext
from market.pools.spec import PoolSpec
from market.state import JOURNAL_DEPTH, Applied, MarketState
from market.tokens import Token


@dataclass(frozen=True, slots=True)
class _Entry:
    """The stream just before a block."""

    number: int
    timestamp: int | None
    groups: tuple[Memory, ...]
    observer: Memory


class FeatureStream:
    """Turns blocks into feature rows.

    Parameters
    ----------
    tokens
        Tokens of the market, by address.
    specs
        Pools that are followed.
    features
        :data:`features.registry.BLOCK` or :data:`features.registry.MARKET`.
    cycles
        Cycles of followed pools that :attr:`cycle_rows` tells of.
    """

    def __init__(
        self,
        tokens: Mapping[Address, Token],
        specs: Iterable[PoolSpec],
        features: FeatureSet = BLOCK,
        cycles: Iterable[Cycle] = (),
    ) -> None:
        self._names, self._nulls = features.names, features.nulls
        self._cycles = tuple(cycles)
        of_block = _groups(DollarScale.of(tokens), features)
        self._of_block = len(of_block)
        self._groups: tuple[Group, ...] = (*of_block, *map(CycleGroup, self._cycles))
        self._observer = Observer(tokens, specs)
        self._journal: deque[_Entry] = deque(maxlen=JOURNAL_DEPTH)
        self._head: int | None = None
        self._timestamp: int | None = None
        self.cycle_rows: tuple[FeatureRow, ...] = ()
        """Rows of the set ``cycle`` after the last block, in the order of ``cycles``."""

    def update(
        self,
        block: Block,
        context: BlockContext,
        state: MarketState,
        applied: Applied,
        pending: Pending | None = None,
    ) -> FeatureRow:
        """Return the row of the next block.

        Parameters
        ----------
        block, context
            The block and what is known beside it.
        state, applied
            The market after the block, and what the block did to it.
        pending
            The mempool when the block was complete; ``None`` where nobody listens to one.

        Returns
        -------
        FeatureRow
            Columns in the order of the feature set; unknown values hold their null and are listed
            in ``missing``.

        Raises
        ------
        MarketError
            If the block is not the child of the last one, by height, is older than it, or the market is
            not the one after this block; nothing has changed then.
        """
        self._check_follows(block, state)
        self._journal.append(
            _Entry(
                block.number,
                self._timestamp,
                tuple(map(snapshot, self._groups)),
                snapshot(self._observer),
            )
        )
        self._head, self._timestamp = block.number, block.header.timestamp
        observed = self._observer.see(block, context, state, applied, pending)
        of_block, of_cycles = self._groups[: self._of_block], self._groups[self._of_block :]
        found = [value for group in of_block for value in group.update(observed)]
        self.cycle_rows = tuple(
            _row(observed, CYCLE.names, CYCLE.nulls, group.update(observed), cycle.name)
            for group, cycle in zip(of_cycles, self._cycles, strict=True)
        )
        return _row(observed, self._names, self._nulls, found, "")

    def _check_follows(self, block: Block, state: MarketState) -> None:
        if self._head is not None and block.number != self._head + 1:
            raise MarketError(
                f"block {block.number} does not follow block {self._head} in the feature stream; "
                "roll back or give the blocks between",
                head=self._head,
                block=block.number,
            )
        if self._timestamp is not None and block.header.timestamp < self._timestamp:
            raise MarketError(
                f"block {block.number} is older than its parent by "
                f"{self._timestamp - block.header.timestamp} s; fetch its header again",
                block=block.number,
                reason=Reason.TIME_WENT_BACK,
            )
        if state.head != block.header:
            raise MarketError(
                f"the market stands elsewhere than after block {block.number}: the row would tell of another "
                "time; give each block to the features before the next one is applied",
                block=block.number,
                head=None if state.head is None else state.head.number,
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
        for group, memory in zip(self._groups, undo[0].groups, strict=True):
            restore(group, memory)
        restore(self._observer, undo[0].observer)
        self._head, self._timestamp = to_number, undo[0].timestamp
        self.cycle_rows = ()
        for _ in undo:
            self._journal.pop()


def _groups(scale: DollarScale, features: FeatureSet) -> tuple[Group, ...]:
    """Return fresh groups in the registry's order."""
    of_block: tuple[Group, ...] = (
        GasGroup(),
        CalendarGroup(),
        CompetitionGroup(),
        GapGroup(),
        FlowGroup(),
        CexGroup(scale),
    )
    if features.names != MARKET.names:
        return of_block
    return (
        *of_block,
        DepthGroup(),
        VolatilityGroup(),
        OrderFlowGroup(),
        ArrivalGroup(),
        GapDynamicsGroup(),
        BidGroup(),
        RivalGroup(),
        ExchangeGroup(scale),
        ClockGroup(),
        MempoolGroup(),
    )


def _row(
    observed: Observed,
    names: tuple[str, ...],
    nulls: tuple[float, ...],
    found: Sequence[float | None],
    subject: str,
) -> FeatureRow:
    missing = tuple([name for name, value in zip(names, found, strict=True) if value is None])
    values = tuple([null if value is None else value for value, null in zip(found, nulls, strict=True)])
    block = observed.block
    return FeatureRow(
        block.number, block.header.timestamp, block.known_at_ns, names, values, missing, subject
    )
