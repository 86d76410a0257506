"""What becomes of a live block's features, off the event path: made, checked, logged and learned from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from chain.blocks import BlockHeader
from core.errors import MarketError
from core.reasons import Reason, Refusal
from features.feature import FeatureRow
from features.registry import BLOCK, MARKET
from features.row_checks import RowGate
from market.context import NO_CONTEXT
from pipeline.live_findings import FeatureFindings, LearningFindings
from pipeline.loop import BlockWalk, Walked
from pipeline.side_work import SideWork

if TYPE_CHECKING:  # pandas, river and torch take seconds to import; whoever opens these has them
    from pipeline.feature_log import FeatureLog
    from pipeline.live_learning import LiveLearning

WEI_PER_GWEI = 10**9
SETTLE_SECONDS = 0.5
"""How long a block may wait for what is done beside it; after that it is left behind, in order."""

log = structlog.get_logger(__name__)


class LiveRows:
    """Makes the rows of a live walk, and hands the good ones on.

    A row that is not what the registry says reaches neither models nor the store. Where the stream that
    made it cannot be gone on from, its features begin anew with the next block.

    Parameters
    ----------
    walk
        Makes rows of the set ``market``.
    feature_log
        Logs and watches rows; ``None`` where nobody does.
    learning
        Learns beside the champion; ``None`` where nobody does.
    """

    def __init__(
        self, walk: BlockWalk, feature_log: FeatureLog | None = None, learning: LiveLearning | None = None
    ) -> None:
        self._walk = walk
        self._log = feature_log
        self._learning = learning
        self._gates = (RowGate(BLOCK), RowGate(MARKET))
        self._logging, self._learner = SideWork("features"), SideWork("learning")

    def observe(self, walked: Walked) -> FeatureRow | Refusal:
        """Return the row that models read of a block, or why there is none."""
        header = walked.block.header
        rows, refusals = self._rows(walked)
        for name, refusal in refusals.items():
            log.warning(
                "row refused",
                set=name,
                reason=refusal.reason.value,
                block=header.number,
                detail=refusal.detail,
            )
        if any(refusal.reason in _BROKEN for refusal in refusals.values()):
            self._walk.renew_features()
        self._learn(rows.get(BLOCK.name), header)
        return rows[BLOCK.name] if BLOCK.name in rows else refusals[BLOCK.name]

    def rollback(self, to_number: int) -> None:
        """Take back blocks above a height; the walk goes back by itself."""
        for gate in self._gates:
            gate.rollback(to_number)
        if self._log is not None:
            self._logging.do(partial(self._log.rollback, to_number))
        if self._learning is not None:
            self._learner.do(partial(self._learning.rollback, to_number))

    async def settle(self) -> None:
        """Wait for what is done beside this block, so that it does not slow the next one; not for ever."""
        await asyncio.gather(*(work.settle(SETTLE_SECONDS) for work in (self._logging, self._learner)))

    def close(self) -> tuple[FeatureFindings, LearningFindings]:
        """Do what is left, and return what was found. Takes as long as it takes."""
        features, learning = [FeatureFindings()], [LearningFindings()]
        if self._log is not None:
            logged = self._log
            self._logging.do(lambda: features.append(logged.close()))
        if self._learning is not None:
            learned = self._learning
            self._learner.do(lambda: learning.append(learned.close()))
        self._logging.close()
        self._learner.close()
        refused = {gate.features.name: dict(gate.refused) for gate in self._gates if gate.refused}
        return (
            replace(features[-1], refused=refused, ended=self._logging.failed),
            replace(learning[-1], ended=self._learner.failed),
        )

    def _rows(self, walked: Walked) -> tuple[dict[str, FeatureRow], dict[str, Refusal]]:
        """Return a block's good rows and the refusals of the others, by feature set."""
        try:
            whole = self._walk.observe(walked, NO_CONTEXT)
        except MarketError as error:
            if error.fields.get("reason") is not Reason.TIME_WENT_BACK:
                raise
            for gate in self._gates:
                gate.refused[Reason.TIME_WENT_BACK] += 1
            refusal = Refusal(Reason.TIME_WENT_BACK, error.message)
            return {}, {gate.features.name: refusal for gate in self._gates}
        rows: dict[str, FeatureRow] = {}
        refusals: dict[str, Refusal] = {}
        for gate, row in zip(self._gates, (_part(whole), whole), strict=True):
            found = gate.check(row)
            if found is None:
                rows[gate.features.name] = row
            else:
                refusals[gate.features.name] = found
        if self._log is not None:
            seen = self._walk.seen(walked, NO_CONTEXT)
            self._logging.do(partial(self._log.add, seen, MappingProxyType(rows)))
        return rows, refusals

    def _learn(self, row: FeatureRow | None, header: BlockHeader) -> None:
        if self._learning is not None:
            truth = header.base_fee / WEI_PER_GWEI
            self._learner.do(partial(self._learning.look, header.number, row, truth))


_BROKEN: Mapping[Reason, None] = MappingProxyType(
    dict.fromkeys((Reason.TIME_WENT_BACK, Reason.TIME_RAN_AHEAD, Reason.FEATURE_NOT_FINITE))
)
"""Reasons after which a stream's memory cannot be gone on from."""


def _part(row: FeatureRow) -> FeatureRow:
    """Return the set ``block`` out of a row of ``market``, which begins with it."""
    width = len(BLOCK.names)
    missing = tuple(name for name in row.missing if name in BLOCK.names)
    names = BLOCK.names if row.names[:width] == BLOCK.names else row.names[:width]
    return replace(row, names=names, values=row.values[:width], missing=missing)
