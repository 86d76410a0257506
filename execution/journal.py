"""Append-only record of what was decided, planned, sent and settled.

A row is on disk before its bundle leaves. So after a crash at any line we know at least what
may have been sent, and a bundle that may have been sent is never sent again.

Rows are only added, never changed. Where a reorganisation takes a settlement back, a row says
so, and the bundle's next settlement is its next revision.

Wei do not fit the 64 bits of a database integer; they are stored as decimal strings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, Engine, Row, Select, Table, and_, exists, func, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from core.errors import ExecutionError
from core.seams import Clock
from execution.bid_draws import BID_DRAWS, BidDraw, read_bid_draw, write_bid_draw
from execution.command import Bundle, Decision, Plan, Settlement
from execution.journal_rows import (
    BUNDLES,
    DECISIONS,
    PLANS,
    REOPENINGS,
    SETTLEMENTS,
    Values,
    read_bundle,
    read_decision,
    read_settlement,
    write_bundle,
    write_decision,
    write_plan,
    write_settlement,
)
from execution.journal_schema import prepare_tables

_Record = TypeVar("_Record")


class Journal:
    """The execution journal in a database.

    Parameters
    ----------
    engine
        From :func:`core.database.open_database`; tables and columns are made if they are not there.
    clock
        Source of the times at which rows are recorded.

    Raises
    ------
    ExecutionError
        If the database cannot be read or written.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        try:
            prepare_tables(engine)
        except SQLAlchemyError as error:
            raise ExecutionError(
                f"the execution journal cannot be opened; check storage.database_url: {error}"
            ) from error

    def record_decision(self, decision: Decision, draw: BidDraw | None = None) -> None:
        """Record a decision, approved or not, and how its bid was drawn; both or neither.

        Raises
        ------
        ExecutionError
            If its id is already there, the draw is another decision's, or the database fails.
        """
        if draw is not None and draw.decision_id != decision.decision_id:
            raise ExecutionError(
                "the draw is of another decision's bid; nothing was recorded",
                decision_id=decision.decision_id,
                drawn_for=draw.decision_id,
            )
        rows = [(DECISIONS, write_decision(decision))]
        if draw is not None:
            rows.append((BID_DRAWS, write_bid_draw(draw)))
        self._add_all(rows)

    def record_plan(self, plan: Plan) -> None:
        """Record the transaction of a recorded decision.

        Raises
        ------
        ExecutionError
            If the decision is not recorded or has a plan already, or the database fails.
        """
        self._add(PLANS, write_plan(plan))

    def claim(self, bundle: Bundle) -> None:
        """Record that a bundle is about to leave; only who returns from here may send it.

        Raises
        ------
        ExecutionError
            If its id was claimed before, or a bundle of the same transactions is still
            unsettled: it may have been sent. Or if the decision is not recorded, or the
            database fails.
        """
        values = {**write_bundle(bundle), "recorded_ns": self._clock.now_ns()}
        same = _unsettled().where(BUNDLES.c.bundle_hash == bundle.bundle_hash.hex())
        try:
            with self._engine.begin() as connection:
                if connection.execute(same).first() is not None:
                    raise ExecutionError(
                        "these transactions may have been sent already; settle that bundle first",
                        bundle_id=bundle.bundle_id,
                    )
                connection.execute(insert(BUNDLES).values(values))
        except SQLAlchemyError as error:
            raise _failed("bundles", bundle.bundle_id, error) from error

    def record_settlement(self, settlement: Settlement) -> None:
        """Record what became of a claimed bundle.

        Raises
        ------
        ExecutionError
            If the bundle was never claimed or is settled already, or the database fails.
        """
        taken_back = select(func.count()).where(REOPENINGS.c.bundle_id == settlement.bundle_id)
        # a settlement that stands has this number already, so the table refuses a second one
        revision = taken_back.scalar_subquery() + 1
        self._add(SETTLEMENTS, {**write_settlement(settlement), "revision": revision})

    def reopen(self, from_block: int) -> tuple[Bundle, ...]:
        """Take back the settlements of replaced blocks: their bundles are unsettled again.

        What was taken back stays on record; see :meth:`superseded`.

        Parameters
        ----------
        from_block
            Lowest height at which the chain has another block now.

        Returns
        -------
        tuple[Bundle, ...]
            The reopened bundles, oldest first.

        Raises
        ------
        ExecutionError
            If the database fails.
        """
        orphaned = _standing().where(SETTLEMENTS.c.block_number >= from_block)
        now = self._clock.now_ns()
        try:
            with self._engine.begin() as connection:
                rows = [
                    {
                        "bundle_id": row.bundle_id,
                        "revision": row.revision,
                        "recorded_ns": now,
                        "from_block": from_block,
                    }
                    for row in connection.execute(orphaned)
                ]
                if not rows:
                    return ()
                connection.execute(insert(REOPENINGS), rows)
                reopened = BUNDLES.c.bundle_id.in_([row["bundle_id"] for row in rows])
                return _read_bundles(connection.execute(_oldest_first(select(BUNDLES).where(reopened))))
        except SQLAlchemyError as error:
            raise _failed("reopenings", f"block {from_block}", error) from error

    def unsettled(self) -> tuple[Bundle, ...]:
        """Return bundles that may have been sent and are not settled, oldest first."""
        return _read_bundles(self._read(_oldest_first(_unsettled())))

    def decision(self, decision_id: str) -> Decision:
        """Return a recorded decision.

        Raises
        ------
        ExecutionError
            If there is none of this id.
        """
        rows = self._read(select(DECISIONS).where(DECISIONS.c.decision_id == decision_id))
        if not rows:
            raise ExecutionError("no such decision is recorded", decision_id=decision_id)
        return _read_one(read_decision, rows[0], "decision")

    def decisions(self) -> tuple[Decision, ...]:
        """Return all decisions in the order in which they were recorded."""
        rows = self._read(select(DECISIONS).order_by(DECISIONS.c.recorded_ns, DECISIONS.c.decision_id))
        return tuple(_read_one(read_decision, row, "decision") for row in rows)

    def bid_draws(self) -> tuple[BidDraw, ...]:
        """Return how bids were drawn, in the order of recording; none of before they were logged."""
        rows = self._read(select(BID_DRAWS).order_by(BID_DRAWS.c.recorded_ns, BID_DRAWS.c.decision_id))
        return tuple(_read_one(read_bid_draw, row, "draw") for row in rows)

    def settlements(self) -> tuple[Settlement, ...]:
        """Return every settlement that stands, in the order in which they were recorded."""
        return self._settlements(_standing())

    def superseded(self) -> tuple[Settlement, ...]:
        """Return every settlement that was taken back, in the order in which they were recorded."""
        return self._settlements(select(SETTLEMENTS).where(_TAKEN_BACK))

    def id_counts(self) -> dict[str, int]:
        """Return how many ids of each kind were used, to go on counting after a restart.

        Examples
        --------
        >>> from core.database import open_database
        >>> from core.seams import Ids, ManualClock
        >>> journal = Journal(open_database("sqlite://"), ManualClock())
        >>> Ids(journal.id_counts()).next("bundle")
        'bundle-000001'
        """
        return {
            "decision": self._last_number(DECISIONS.c.decision_id),
            "bundle": self._last_number(BUNDLES.c.bundle_id),
        }

    def _settlements(self, query: Select[Any]) -> tuple[Settlement, ...]:
        ordered = query.order_by(SETTLEMENTS.c.recorded_ns, SETTLEMENTS.c.bundle_id, SETTLEMENTS.c.revision)
        return tuple(_read_one(read_settlement, row, "settlement") for row in self._read(ordered))

    def _add(self, table: Table, values: Values) -> None:
        self._add_all([(table, values)])

    def _add_all(self, rows: Sequence[tuple[Table, Values]]) -> None:
        """Add rows of one key in one transaction."""
        now = self._clock.now_ns()
        try:
            with self._engine.begin() as connection:
                for table, values in rows:
                    connection.execute(insert(table).values({**values, "recorded_ns": now}))
        except SQLAlchemyError as error:
            table, values = rows[0]
            raise _failed(table.name, next(iter(values.values())), error) from error

    def _last_number(self, column: Column[str]) -> int:
        """Return the number at the end of the newest id; ids of one length sort as their numbers."""
        newest = select(column).order_by(func.length(column).desc(), column.desc()).limit(1)
        rows = self._read(newest)
        return int(str(rows[0][0]).rpartition("-")[2]) if rows else 0

    def _read(self, query: Any) -> list[Row[Any]]:
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(query))
        except SQLAlchemyError as error:
            raise ExecutionError(f"the execution journal cannot be read: {error}") from error


_TAKEN_BACK = exists().where(
    and_(REOPENINGS.c.bundle_id == SETTLEMENTS.c.bundle_id, REOPENINGS.c.revision == SETTLEMENTS.c.revision)
)


def _standing() -> Select[Any]:
    return select(SETTLEMENTS).where(~_TAKEN_BACK)


def _unsettled() -> Select[Any]:
    settled = _standing().with_only_columns(SETTLEMENTS.c.bundle_id)
    return select(BUNDLES).where(BUNDLES.c.bundle_id.not_in(settled))


def _oldest_first(bundles: Select[Any]) -> Select[Any]:
    return bundles.order_by(BUNDLES.c.recorded_ns, BUNDLES.c.bundle_id)


def _read_bundles(rows: Iterable[Row[Any]]) -> tuple[Bundle, ...]:
    return tuple(_read_one(read_bundle, row, "bundle") for row in rows)


def _read_one(read: Callable[[Row[Any]], _Record], row: Row[Any], kind: str) -> _Record:
    try:
        return read(row)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ExecutionError(
            f"the {kind} recorded for {row.decision_id} is damaged ({error}); "
            "restore the journal from a backup or leave that row out",
            decision_id=row.decision_id,
        ) from error


def _failed(table: str, key: str, error: SQLAlchemyError) -> ExecutionError:
    if isinstance(error, IntegrityError):
        return ExecutionError(
            f"{table} has a row for {key} already, or lacks the row it belongs to; nothing was recorded",
            key=key,
        )
    return ExecutionError(f"the execution journal cannot be written: {error}", key=key)
