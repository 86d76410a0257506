"""The market in columns: the same state as :class:`market.state.MarketState`, a block's logs in one pass.

Pools whose whole state fits columns are followed there. All others live in a ``MarketState`` of their own,
and the columns mirror its numbers. Events that the columns cannot decide go through the pool's Python too,
so both markets end with equal pools after every block, and refuse the same blocks with the same errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from chain.blocks import Address, Block, BlockHeader
from core.errors import MarketError, TapeError
from core.reasons import Refusal
from market.arrays.block_pass import BlockPass
from market.arrays.follow import EVENTS, PASSED_OVER, UNKNOWNS
from market.arrays.journal import REST, Tables
from market.arrays.names import Names, PlacedLogs
from market.arrays.table import PoolTable
from market.arrays.undo import Entry, Undo
from market.bulk.decoder import DecodedLogs, marked
from market.bulk.raw_logs import raw_logs
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.state import MarketState
from market.tokens import Token


@dataclass(frozen=True, slots=True)
class AppliedLogs:
    """What one block did; as :class:`market.state.Applied`, with events counted instead of listed.

    Parameters
    ----------
    touched
        Ids of pools that changed: first those followed in columns, then the others.
    events, unknown, passed_over
        Logs of followed pools, of nobody's, and of frozen pools.
    """

    touched: tuple[str, ...]
    events: int
    unknown: int
    passed_over: int


class MarketArrays:
    """Pools at the head of the chain we follow, in columns.

    Parameters
    ----------
    pools, tokens, head
        As for :class:`market.state.MarketState`; pools may come from a generator, none is kept.

    Raises
    ------
    MarketError
        If two pools have one id, or a pool's token is missing from ``tokens``.
    """

    def __init__(
        self, pools: Iterable[Pool], tokens: Mapping[Address, Token], head: BlockHeader | None = None
    ) -> None:
        self._table = PoolTable()
        rest = [pool for pool in self._checked(pools, tokens) if self._table.add(pool) == REST]
        self._table.trim()
        self._rest = MarketState(rest, tokens, head)
        self._names = Names(self._specs())
        self._suspended: dict[str, Refusal] = {}
        self._undo = Undo(self._table)

    @property
    def tables(self) -> Tables:
        """The columns as they are now; ask again after a block, since arrays may have moved."""
        return self._table.tables

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all pools, in the order of rows."""
        return tuple(self._table.ids)

    @property
    def tokens(self) -> Mapping[Address, Token]:
        """Tokens by address."""
        return self._rest.tokens

    @property
    def head(self) -> BlockHeader | None:
        """Header of the block the pools belong to."""
        return self._rest.head

    @property
    def suspended(self) -> dict[str, Refusal]:
        """Pools that may not be traded, each with the reason."""
        return {**self._rest.suspended, **self._suspended}

    @property
    def frozen(self) -> frozenset[str]:
        """Suspended pools that follow no events either, until they are restored."""
        rows = np.flatnonzero(self.tables.rows.frozen).tolist()
        return self._rest.frozen | {self._table.ids[row] for row in rows}

    def place(self, pool_id: str) -> tuple[int, int]:
        """Return which columns hold a pool (see :mod:`market.arrays.journal`), and its slot there.

        Raises
        ------
        MarketError
            If there is no such pool.
        """
        row = self._row(pool_id)
        return self._table.shape(row), int(self.tables.rows.slot[row])

    def view(self, pool_id: str) -> Pool:
        """Return a pool as it is at the head.

        Raises
        ------
        MarketError
            If there is no such pool.
        """
        row = self._row(pool_id)
        return self._rest.pools[pool_id] if self._is_rest(row) else self._table.view(row)

    def placed(self, decoded: DecodedLogs) -> PlacedLogs:
        """Look up the pools that decoded logs mean, once for any number of blocks."""
        return self._names.placed(decoded)

    def apply(self, block: Block) -> AppliedLogs:
        """Advance by one block.

        Raises
        ------
        MarketError, TapeError
            As :meth:`market.state.MarketState.apply`. Nothing has changed then.
        """
        logs = self.placed(marked(raw_logs(block.logs)))
        return self.apply_logs(block.header, logs, 0, len(block.logs))

    def apply_logs(self, header: BlockHeader, logs: PlacedLogs, first: int, stop: int) -> AppliedLogs:
        """Advance by one block whose logs are ``first`` to ``stop`` of some that were decoded together.

        Raises
        ------
        MarketError, TapeError
            As :meth:`apply`. Nothing has changed then.
        """
        done = BlockPass(self._table, self._names, self._undo, header, logs, stop - first)
        try:
            failure = done.run(first, stop)
            block = Block(header, done.left_to_others(), 0)
            if failure is not None:
                self._rehearse(block)
                raise failure
            applied = self._rest.apply(block)
        except (MarketError, TapeError):
            self._undo.take_back(done.entry)
            raise
        self._undo.keep(done.entry)
        self._mirror(applied.touched)
        return AppliedLogs(
            (*self._undo.touched(done.entry), *applied.touched),
            int(done.tally[EVENTS]) + len(applied.events),
            int(done.tally[UNKNOWNS]) + applied.unknown,
            int(done.tally[PASSED_OVER]) + applied.passed_over,
        )

    def rollback(self, to_number: int) -> tuple[str, ...]:
        """Undo blocks above height ``to_number``; return the ids of pools that moved back.

        Raises
        ------
        MarketError
            If the journal does not reach so far. Nothing has changed then.
        """
        others = self._rest.rollback(to_number)
        moved: dict[str, None] = {}
        while entry := self._undo.pop(to_number):
            moved.update(dict.fromkeys(self._undo.touched(entry)))
            self._undo.take_back(entry)
            self._suspended.update(entry.admitted)
        self._mirror(others)
        return (*moved, *others)

    def suspend(self, pool_id: str, refusal: Refusal) -> None:
        """Take a pool out of the market; its last state stays, and no event moves it any more.

        Raises
        ------
        MarketError
            If there is no such pool.
        """
        row = self._row(pool_id)
        if self._is_rest(row):
            self._rest.suspend(pool_id, refusal)
            return
        self._suspended[pool_id] = refusal
        self.tables.rows.frozen[row] = True

    def restore(self, pool: Pool) -> None:
        """Take over a pool that was read at the head: it follows events again, but stays suspended if it was.

        Undoing the head's block undoes this too: what was read belongs to that block.

        Raises
        ------
        MarketError
            If there is no such pool, no block has been applied that could be undone, or the pool's
            columns cannot hold it.
        """
        row = self._row(pool.pool_id)
        if self._is_rest(row):
            self._rest.restore(pool)
            self._mirror((pool.pool_id,))
            return
        entry = self._newest_entry(pool.pool_id)
        self._table.check_fits(row, pool)
        self._undo.replace(entry, row, self._table.view(row), pool)
        if self.tables.rows.frozen[row]:
            self.tables.rows.frozen[row] = False
            entry.thawed.append(row)

    def admit(self, pool_id: str) -> None:
        """Let a suspended pool be traded again; undoing the head's block undoes this too.

        Raises
        ------
        MarketError
            If it was not restored since it was suspended.
        """
        if pool_id not in self._suspended or pool_id in self.frozen:
            self._rest.admit(pool_id)
            return
        self._newest_entry(pool_id).admitted[pool_id] = self._suspended.pop(pool_id)

    def _rehearse(self, block: Block) -> None:
        """Raise the error that the other pools' logs before a failure would have met first, if any."""
        copy = MarketState(self._rest.pools.values(), self._rest.tokens, self._rest.head)
        for pool_id in self._rest.frozen:
            copy.suspend(pool_id, self._rest.suspended[pool_id])
        copy.apply(block)

    def _newest_entry(self, pool_id: str) -> Entry:
        entry = self._undo.last()
        if entry is None:
            raise MarketError("no block has been applied yet; load the market again instead", pool_id=pool_id)
        return entry

    def _mirror(self, pool_ids: Iterable[str]) -> None:
        for pool_id in pool_ids:
            self._table.write(self._table.places[pool_id], self._rest.pools[pool_id])

    def _checked(self, pools: Iterable[Pool], tokens: Mapping[Address, Token]) -> Iterator[Pool]:
        """Yield pools; let ``MarketState`` refuse what it would."""
        for pool in pools:
            if pool.pool_id in self._table.places:
                MarketState((pool, pool), tokens)
            if any(token not in tokens for token in pool.tokens):
                MarketState((pool,), tokens)
            yield pool

    def _specs(self) -> Iterator[tuple[PoolSpec, bool]]:
        for row, template in self._table:
            in_columns = template is not None
            yield (template or self._rest.pools[self._table.ids[row]]).spec, in_columns

    def _row(self, pool_id: str) -> int:
        row = self._table.places.get(pool_id)
        if row is None:
            raise MarketError("the market has no such pool; load it first", pool_id=pool_id)
        return row

    def _is_rest(self, row: int) -> bool:
        return bool(self.tables.rows.lane[row] == REST)
