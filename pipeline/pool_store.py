"""Pools that were discovered, kept in a database together with how far each source has been read.

What a range of blocks brought and the mark that the range has been read are one transaction. So a
process that is killed at any moment has lost nothing when it goes on, and doubles nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, and_, func, insert, or_, select, tuple_, update
from sqlalchemy.exc import DatabaseError, IntegrityError, SQLAlchemyError

from chain.blocks import Address
from core.errors import InputError
from core.reasons import Reason
from core.redaction import redact_text
from core.seams import Clock
from pipeline.pool_rows import (
    METADATA,
    POOL_TOKENS,
    POOLS,
    PROGRESS,
    TOKENS,
    PoolStatus,
    Progress,
    StoredPool,
    TokenFact,
    read_pool_row,
    read_token,
    write_pool,
    write_token,
)

_IDS_PER_QUERY = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PoolQuery:
    """Which pools are meant; what is not given does not narrow them.

    Parameters
    ----------
    pool_id
        The id, or its beginning.
    token
        An address, or a symbol in any case. A symbol is what a contract says, and anybody may copy it.
    after
        Chain and id that the pools come after, to go through all of them in parts.
    """

    chain: str = ""
    pool_id: str = ""
    family: str = ""
    token: str = ""
    status: PoolStatus | None = None
    reasons: tuple[Reason, ...] = ()
    after: tuple[str, str] | None = None


class PoolStore:
    """The store of pools in a database.

    Parameters
    ----------
    engine
        From :func:`core.database.open_database`; tables are made if they are not there.
    clock
        Source of the times at which rows are recorded.

    Raises
    ------
    InputError
        If the database cannot be read or written, here or in any method.

    Examples
    --------
    >>> from core.database import open_database
    >>> from core.seams import ManualClock
    >>> store = PoolStore(open_database("sqlite://"), ManualClock())
    >>> store.record("base", "uniswap_v2", None, Progress(first=5, next=9), (), {})
    ()
    >>> store.progress("base", "uniswap_v2")
    Progress(first=5, next=9, block_hash=b'')
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self._clock = clock
        self.where = redact_text(engine.url.render_as_string(hide_password=True))
        with self._explained():
            METADATA.create_all(engine)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def progress(self, chain: str, source: str) -> Progress | None:
        """Return how far a source has been read, ``None`` if it never was."""
        query = select(PROGRESS).where(PROGRESS.c.chain == chain, PROGRESS.c.source == source)
        with self._explained(), self.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Progress(row.first, row.next, bytes.fromhex(row.block_hash))

    def record(
        self,
        chain: str,
        source: str,
        before: Progress | None,
        after: Progress,
        pools: Sequence[StoredPool],
        tokens: Mapping[Address, TokenFact],
    ) -> tuple[StoredPool, ...]:
        """Record what was found between two marks of a source, and the second mark.

        Parameters
        ----------
        chain, source
            Whose marks.
        before
            The mark as it was read; ``None`` if there was none.
        after
            The mark to set.
        pools, tokens
            What was found; those that are there already stay as they are.

        Returns
        -------
        tuple[StoredPool, ...]
            The pools that were not there.

        Raises
        ------
        InputError
            If somebody else has moved the mark; then nothing is recorded.
        """
        with self._explained(), self.engine.begin() as connection:
            self._move_mark(connection, chain, source, before, after)
            self._add_tokens(connection, chain, tokens)
            return self._add_pools(connection, chain, pools)

    def judge(self, pools: Sequence[StoredPool], tokens: Mapping[Address, TokenFact]) -> None:
        """Put what was found out anew in the place of what is recorded of these pools of one chain."""
        if not pools:
            return
        with self._explained(), self.engine.begin() as connection:
            self._add_tokens(connection, pools[0].chain, tokens)
            for pool in pools:
                key = and_(POOLS.c.chain == pool.chain, POOLS.c.pool_id == pool.spec.pool_id)
                connection.execute(update(POOLS).where(key).values(write_pool(pool)))

    def tokens(self, chain: str, addresses: Iterable[Address]) -> dict[Address, TokenFact]:
        """Return what is known of these tokens."""
        facts: dict[Address, TokenFact] = {}
        with self._explained(), self.engine.connect() as connection:
            for part in _parts(sorted(set(addresses))):
                query = select(TOKENS).where(TOKENS.c.chain == chain, TOKENS.c.address.in_(part))
                facts |= {row.address: read_token(row) for row in connection.execute(query)}
        return facts

    def pools(self, query: PoolQuery, limit: int | None = None) -> tuple[StoredPool, ...]:
        """Return pools in order of chain and id."""
        chosen = _narrowed(select(POOLS), query).order_by(POOLS.c.chain, POOLS.c.pool_id).limit(limit)
        with self._explained(), self.engine.connect() as connection:
            return tuple(read_pool_row(row) for row in connection.execute(chosen))

    def count(self, query: PoolQuery) -> int:
        """Return how many pools there are of a kind."""
        counted = _narrowed(select(func.count()).select_from(POOLS), query)
        with self._explained(), self.engine.connect() as connection:
            return int(connection.execute(counted).scalar_one())

    def _move_mark(
        self, connection: Connection, chain: str, source: str, before: Progress | None, after: Progress
    ) -> None:
        values = {
            "recorded_ns": self._clock.now_ns(),
            "first": after.first,
            "next": after.next,
            "block_hash": after.block_hash.hex(),
        }
        if before is None:
            connection.execute(insert(PROGRESS).values(chain=chain, source=source, **values))
            return
        row = and_(
            PROGRESS.c.chain == chain,
            PROGRESS.c.source == source,
            PROGRESS.c.first == before.first,
            PROGRESS.c.next == before.next,
        )
        if connection.execute(update(PROGRESS).where(row).values(values)).rowcount != 1:
            raise _two_at_once(self.where)

    def _add_tokens(self, connection: Connection, chain: str, tokens: Mapping[Address, TokenFact]) -> None:
        there = _present(connection, TOKENS.c.chain, TOKENS.c.address, chain, tokens)
        now = self._clock.now_ns()
        fresh = [write_token(chain, token, fact, now) for token, fact in tokens.items() if token not in there]
        if fresh:
            connection.execute(insert(TOKENS), fresh)

    def _add_pools(
        self, connection: Connection, chain: str, pools: Sequence[StoredPool]
    ) -> tuple[StoredPool, ...]:
        found = {pool.spec.pool_id: pool for pool in pools}
        there = _present(connection, POOLS.c.chain, POOLS.c.pool_id, chain, found)
        fresh = tuple(pool for pool_id, pool in found.items() if pool_id not in there)
        held = [
            {"chain": chain, "pool_id": pool.spec.pool_id, "place": place, "token": token}
            for pool in fresh
            for place, token in enumerate(pool.spec.tokens)
        ]
        if fresh:
            connection.execute(insert(POOLS), [write_pool(pool) for pool in fresh])
        if held:
            connection.execute(insert(POOL_TOKENS), held)
        return fresh

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the database says into one line that says what to do."""
        try:
            yield
        except IntegrityError:
            raise _two_at_once(self.where) from None
        except SQLAlchemyError as error:
            cause = error.orig if isinstance(error, DatabaseError) else error
            said = redact_text(" ".join(str(cause).split()))
            raise InputError(
                f"the store of pools {self.where} cannot be used: {said}; close what else uses it, or name "
                "another with --db",
                store=self.where,
            ) from None
        except (ValueError, KeyError) as error:
            raise InputError(
                f"a row of the store of pools {self.where} cannot be read ({error!r}); it is damaged or of "
                "another version: name another with --db",
                store=self.where,
            ) from None


def _present(
    connection: Connection, chain_column: Any, key_column: Any, chain: str, keys: Iterable[str]
) -> set[str]:
    there: set[str] = set()
    for part in _parts(list(keys)):
        query = select(key_column).where(chain_column == chain, key_column.in_(part))
        there |= {row[0] for row in connection.execute(query)}
    return there


def _narrowed(chosen: Select[Any], query: PoolQuery) -> Select[Any]:
    for column, value in (
        (POOLS.c.chain, query.chain),
        (POOLS.c.family, query.family),
        (POOLS.c.status, query.status and query.status.value),
    ):
        if value:
            chosen = chosen.where(column == value)
    if query.pool_id:
        chosen = chosen.where(POOLS.c.pool_id.startswith(query.pool_id.lower(), autoescape=True))
    if query.reasons:
        chosen = chosen.where(POOLS.c.reason.in_([reason.value for reason in query.reasons]))
    if query.after is not None:
        chosen = chosen.where(tuple_(POOLS.c.chain, POOLS.c.pool_id) > query.after)
    return chosen.where(_holds(query.token)) if query.token else chosen


def _holds(token: str) -> Any:
    named = select(TOKENS.c.chain, TOKENS.c.address).where(func.lower(TOKENS.c.symbol) == token.lower())
    place = and_(POOL_TOKENS.c.chain == POOLS.c.chain, POOL_TOKENS.c.pool_id == POOLS.c.pool_id)
    meant = or_(
        POOL_TOKENS.c.token == token.lower(), tuple_(POOL_TOKENS.c.chain, POOL_TOKENS.c.token).in_(named)
    )
    return select(POOL_TOKENS.c.token).where(place, meant).exists()


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _IDS_PER_QUERY):
        yield items[start : start + _IDS_PER_QUERY]


def _two_at_once(where: str) -> InputError:
    return InputError(
        f"another discovery has written to {where} at the same time; wait for it, and start this one again",
        store=where,
    )
