"""One block's walk through state, scoring and features; the same for replay and live.

The walk has two halves. :meth:`BlockWalk.advance` is on the event path: apply the block and
rescore touched pools. :meth:`BlockWalk.observe` is off it: features and series, computed
while the bundle is already on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chain.blocks import Address, Block
from features.feature import FeatureRow
from features.feature_set import FeatureSet
from features.registry import BLOCK
from features.skew import Seen
from features.stream import FeatureStream
from market.context import BlockContext
from market.pools.spec import PoolSpec
from market.state import JOURNAL_DEPTH, Applied, MarketState
from pipeline.keeper import MarketKeeper
from pipeline.series import SeriesRecorder
from scoring.scorer import ScoreResult
from scoring.scorer_choice import make_scorer

TOLERANCE_WEI = 10**12
"""Polishing of integers stops when less than this, far below any gas cost, can be gained."""


@dataclass(frozen=True, slots=True)
class Walked:
    """What the event path found in one block."""

    block: Block
    applied: Applied
    scored: ScoreResult


class BlockWalk:
    """Walks blocks through the market.

    A large market's kernels are compiled when the walk is made, which may take half a minute.

    Parameters
    ----------
    state
        The market before the first block.
    specs
        Descriptions of its pools.
    wrapped_native
        Start and profit token of every cycle.
    max_hops
        Longest cycle.
    keeper
        Applies blocks and is told of rollbacks; without one a pool that an event contradicts is an error.
    features
        Set of the rows that are made.
    """

    def __init__(
        self,
        state: MarketState,
        specs: Iterable[PoolSpec],
        wrapped_native: Address,
        max_hops: int = 3,
        keeper: MarketKeeper | None = None,
        features: FeatureSet = BLOCK,
    ) -> None:
        self.state = state
        self._apply: Callable[[Block], Applied] = state.apply if keeper is None else keeper.apply
        self._keeper = keeper
        self.series = SeriesRecorder(state, wrapped_native)
        self.specs = tuple(specs)
        self._feature_set = features
        # each with the height it began at: a later one stands for the blocks from there on
        self._streams: list[tuple[int | None, FeatureStream]] = [(None, self._new_stream())]
        self.scored_by = make_scorer(
            state.pools.values(), wrapped_native, max_hops=max_hops, tolerance=TOLERANCE_WEI
        )
        self._scorer = self.scored_by.scorer

    def advance(self, block: Block) -> Walked:
        """Apply a block and rescore what it touched.

        A block on another branch first undoes the orphaned ones.

        Raises
        ------
        MarketError
            If the block does not continue any block the journal knows.
        """
        moved: tuple[str, ...] = ()
        head = self.state.head
        if head is not None and block.number <= head.number:
            moved = self.state.rollback(block.number - 1)
            self._roll_back_features(block.number - 1)
            self.series.rollback(block.number - 1)
            if self._keeper is not None:
                self._keeper.rolled_back(block.number - 1)
        applied = self._apply(block)
        touched = dict.fromkeys((*moved, *applied.touched))
        scored = self._scorer.rescore(self.state, touched, found_at_ns=block.known_at_ns)
        return Walked(block, applied, scored)

    def observe(self, walked: Walked, context: BlockContext) -> FeatureRow:
        """Return the block's feature row and record its prices."""
        self.series.record(walked.block.number)
        return self._streams[-1][1].update(walked.block, context, self.state, walked.applied)

    def seen(self, walked: Walked, context: BlockContext) -> Seen:
        """Return what the features were made of in :meth:`observe`, for whoever makes them again."""
        first, stream = self._streams[-1]
        if first is None:
            first = walked.block.number
            self._streams[-1] = (first, stream)
        began, pools = walked.block.number == first, self.state.pools
        chosen = pools if began else [pool_id for pool_id in walked.applied.touched if pool_id in pools]
        return Seen(walked.block, context, walked.applied, {each: pools[each] for each in chosen}, began)

    def renew_features(self) -> None:
        """Begin the features anew with the next block: those of the last one cannot be gone on from."""
        head = self.state.head
        assert head is not None
        self._streams.append((head.number + 1, self._new_stream()))
        del self._streams[:-JOURNAL_DEPTH]

    def _new_stream(self) -> FeatureStream:
        return FeatureStream(self.state.tokens, self.specs, self._feature_set)

    def _roll_back_features(self, to_number: int) -> None:
        while len(self._streams) > 1 and (self._streams[-1][0] or 0) > to_number + 1:
            self._streams.pop()
        self._streams[-1][1].rollback(to_number)
