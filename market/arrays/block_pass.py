"""One block applied to the columns: the compiled pass, and Python wherever that stops."""

from __future__ import annotations

import numpy as np

from chain.blocks import Block, BlockHeader, RawLog
from core.errors import MarketError, TapeError
from market.advance import advance, may_follow
from market.arrays.follow import (
    AT,
    EVENTS,
    LAST_INDEX,
    OUT_OF_ORDER,
    PASSED_OVER,
    RESTS,
    UNKNOWNS,
    follow,
)
from market.arrays.names import Names, PlacedLogs
from market.arrays.steps import DONE, NO_ROOM
from market.arrays.table import PoolTable
from market.arrays.undo import Undo
from market.decoding import decode_log
from market.state import MarketState


class BlockPass:
    """One block on its way through the columns.

    Parameters
    ----------
    table, names, undo
        The market.
    header, logs
        The block, and logs of which some are its own.
    count
        How many are its own.
    """

    def __init__(
        self, table: PoolTable, names: Names, undo: Undo, header: BlockHeader, logs: PlacedLogs, count: int
    ) -> None:
        self._table, self._names, self._undo = table, names, undo
        self._header, self._logs = header, logs
        self._others = np.empty(count, np.int64)
        self.entry = undo.begin(header.number, count)
        self.tally = np.zeros(6, np.int64)

    def run(self, first: int, stop: int) -> MarketError | TapeError | None:
        """Apply logs ``first`` to ``stop``; return the error of the first that cannot be applied."""
        tally, columns = self.tally, self._logs.columns
        tally[AT], tally[LAST_INDEX] = first, -1
        # handing over all arrays costs more than a block without logs is worth
        ended = DONE if first == stop else self._pass(stop)
        while ended != DONE:
            at = int(tally[AT])
            if ended == NO_ROOM:
                self._table.pack()
            else:
                try:
                    if ended == OUT_OF_ORDER:
                        self._refuse_order(at)
                    self._decide(self._logs.log(at), at)
                except (MarketError, TapeError) as error:
                    return error
                tally[LAST_INDEX] = columns.log_index[at]
                tally[AT] = at + 1
            ended = self._pass(stop)
        return None

    def left_to_others(self) -> tuple[RawLog, ...]:
        """Return the logs that concern pools which are not followed in columns."""
        return tuple(self._logs.log(at) for at in self._others[: self.tally[RESTS]].tolist())

    def _pass(self, stop: int) -> int:
        return follow(
            self._logs.columns,
            stop,
            self._header.number,
            self.entry.block,
            self._names.columns,
            self._table.tables,
            self._undo.journal,
            self.tally,
            self._others,
        )

    def _refuse_order(self, at: int) -> None:
        """Let a market without pools say what is wrong with the place of a log."""
        first = at - 1 if self.tally[LAST_INDEX] >= 0 else at
        logs = tuple(self._logs.log(place) for place in range(first, at + 1))
        MarketState((), {}).apply(Block(self._header, logs, 0))

    def _decide(self, log: RawLog, at: int) -> None:
        """Let a pool's own Python do one event."""
        tally, event = self.tally, decode_log(log)
        row = None if event is None else self._names.row_of(event.pool_id)
        if event is None or row is None:
            self._others[tally[RESTS]] = at
            tally[RESTS] += 1
            return
        template = self._table.template(row)
        assert template is not None
        if not may_follow(template, event):
            tally[UNKNOWNS] += 1
        elif self._table.tables.rows.frozen[row]:
            tally[PASSED_OVER] += 1
        else:
            tally[EVENTS] += 1
            before = self._table.view(row)
            after = advance(before, event)
            if after is not before:
                self._table.check_fits(row, after)
                self._undo.replace(self.entry, row, before, after)
