"""The blocks that can be undone in columns: where their notes begin, and the pools that Python replaced."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from core.reasons import Refusal
from market.arrays.journal import journal_columns, note_row, undo_rows, undo_ticks, with_room
from market.arrays.table import PoolTable
from market.pools.pool import Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.state import JOURNAL_DEPTH


@dataclass(slots=True)
class Replaced:
    """A pool that Python replaced in its row.

    Parameters
    ----------
    ticks
        Changes of ticks noted before that.
    row, before
        Which row, and what it held.
    """

    ticks: int
    row: int
    before: Pool


@dataclass(slots=True)
class Entry:
    """One block, and what was decided after it.

    Parameters
    ----------
    number, block
        Height, and place among those applied.
    rows, ticks
        Where its notes begin.
    replaced
        By Python, in order.
    thawed, admitted
        Rows that follow events again, and pools that may be traded again, with why they were not.
    """

    number: int
    block: int
    rows: int
    ticks: int
    replaced: list[Replaced] = field(default_factory=list)
    thawed: list[int] = field(default_factory=list)
    admitted: dict[str, Refusal] = field(default_factory=dict)


class Undo:
    """Notes of the last blocks.

    Parameters
    ----------
    table
        The pools.
    """

    def __init__(self, table: PoolTable) -> None:
        self._table = table
        self._entries: deque[Entry] = deque(maxlen=JOURNAL_DEPTH)
        self._blocks = 0
        self.journal = journal_columns(len(table), table.tables.balances.tokens.shape[1])

    def begin(self, number: int, logs: int) -> Entry:
        """Return the entry of a new block with so many logs at most."""
        self._reserve(logs)
        self._blocks += 1
        return Entry(number, self._blocks, int(self.journal.tops[0]), int(self.journal.tops[1]))

    def keep(self, entry: Entry) -> None:
        """Take up a block that was applied whole; the oldest beyond the depth is forgotten."""
        self._entries.append(entry)

    def last(self) -> Entry | None:
        """Return the last block that was kept, if any; one more row may be replaced in it."""
        self._reserve(1)
        return self._entries[-1] if self._entries else None

    def pop(self, above: int) -> Entry | None:
        """Take out the last block if it is above a height."""
        return self._entries.pop() if self._entries and self._entries[-1].number > above else None

    def replace(self, entry: Entry, row: int, before: Pool, after: Pool) -> None:
        """Write a pool that Python made into its row, and note what was there."""
        note_row(self._table.tables, self.journal, row, entry.block)
        entry.replaced.append(Replaced(int(self.journal.tops[1]), row, before))
        v3 = isinstance(before, UniswapV3Pool) and isinstance(after, UniswapV3Pool)
        self._table.write(row, after, same_ticks=v3 and _ticks(before) is _ticks(after))

    def touched(self, entry: Entry) -> list[str]:
        """Return ids of pools that the last block changed, in order of first change."""
        rows = self.journal.row[entry.rows : self.journal.tops[0]].tolist()
        return [self._table.ids[row] for row in rows]

    def take_back(self, entry: Entry) -> None:
        """Put back everything that a block, the last, changed."""
        for replaced in reversed(entry.replaced):
            self._take_back_ticks(replaced.ticks)
            self._table.write(replaced.row, replaced.before)
        self._take_back_ticks(entry.ticks)
        undo_rows(self._table.tables, self.journal, entry.rows)
        self._table.tables.rows.frozen[entry.thawed] = True

    def _take_back_ticks(self, down_to: int) -> None:
        while not undo_ticks(self._table.tables.ticks, self.journal, down_to):
            self._table.pack()

    def _reserve(self, logs: int) -> None:
        """Make sure that there is room to note what so many logs may change."""
        journal = self.journal
        rows, ticks = int(journal.tops[0]), int(journal.tops[1])
        if rows + logs <= len(journal.row) and ticks + 2 * logs <= len(journal.tick):
            return
        oldest = self._entries[0] if self._entries else Entry(0, 0, rows, ticks)
        dead = oldest.rows, oldest.ticks
        self.journal = with_room(journal, dead, logs, 2 * logs)
        for entry in self._entries:
            entry.rows -= dead[0]
            entry.ticks -= dead[1]
            for replaced in entry.replaced:
                replaced.ticks -= dead[1]


def _ticks(pool: Pool) -> object:
    assert isinstance(pool, UniswapV3Pool)
    return pool.ticks
