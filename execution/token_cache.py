"""What is known about tokens, kept in a database with its reason, and forgotten in time.

A token may change its manners: an owner raises a fee or opens trade. So every verdict has a shelf
life in blocks, a good one a shorter one, since it is the one that can cost money.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, fields
from typing import Any

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Engine,
    MetaData,
    Row,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from chain.blocks import Address
from core.errors import ExecutionError
from core.reasons import Reason, Refusal
from core.seams import Clock
from execution.token_probe import ProbeOrder, TokenProber
from market.token_behaviour import PPM, TokenBehaviour

METADATA = MetaData()

TOKENS = Table(
    "token_behaviours",
    METADATA,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("token", String(42), primary_key=True),
    Column("holder", String(42), primary_key=True),
    Column("recorded_ns", BigInteger, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("pool", String(66), nullable=False),
    Column("reason", String(32)),
    Column("detail", Text, nullable=False),
    Column("buy_tax_ppm", BigInteger),
    Column("sell_tax_ppm", BigInteger),
    Column("transfer_tax_ppm", BigInteger),
    Column("gas", BigInteger, nullable=False),
    Column("held_blocks", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class ShelfLife:
    """How many blocks a verdict holds; the defaults are a day and a week of twelve-second blocks.

    Parameters
    ----------
    good, bad
        Blocks, for tokens that behave and for those that do not.

    Examples
    --------
    >>> ShelfLife().good, ShelfLife().bad
    (7200, 50400)
    """

    good: int = 7_200
    bad: int = 50_400


class BehaviourCache:
    """Verdicts about tokens, by chain, token and holder; blocking.

    Parameters
    ----------
    engine
        From :func:`core.database.open_database`; the table is made if it is not there.
    clock
        Source of the times at which rows are recorded.
    shelf_life
        When to forget.

    Raises
    ------
    ExecutionError
        If the database cannot be read or written.
    """

    def __init__(self, engine: Engine, clock: Clock, shelf_life: ShelfLife | None = None) -> None:
        self._engine = engine
        self._clock = clock
        self._shelf_life = shelf_life or ShelfLife()
        try:
            METADATA.create_all(engine)
        except SQLAlchemyError as error:
            raise ExecutionError(
                f"the token cache cannot be opened; check storage.database_url: {error}"
            ) from error

    def find(self, chain_id: int, token: Address, holder: Address, head: int) -> TokenBehaviour | None:
        """Return the verdict that still holds at block ``head``; ``None`` asks for a new probe.

        A verdict of a block after ``head`` is of another branch or another local chain, and does
        not hold. A row that cannot be read does not either: it is reported in the log.

        Raises
        ------
        ExecutionError
            If the database fails.
        """
        query = select(TOKENS).where(*_is(chain_id, token, holder))
        try:
            with self._engine.connect() as connection:
                row = connection.execute(query).first()
        except SQLAlchemyError as error:
            raise ExecutionError(f"the token cache cannot be read: {error}", token=token) from error
        if row is None:
            return None
        try:
            known = _read(row)
        except ValueError as error:
            structlog.get_logger().warning(
                "token cache: damaged row, probing again", token=token, problem=str(error)
            )
            return None
        life = self._shelf_life.good if known.behaves else self._shelf_life.bad
        return known if 0 <= head - known.block < life else None

    def keep(self, behaviour: TokenBehaviour) -> None:
        """Record a verdict in place of the one before.

        Raises
        ------
        ExecutionError
            If the database fails.
        """
        values = {**asdict(behaviour), "recorded_ns": self._clock.now_ns()}
        values["reason"] = behaviour.reason and behaviour.reason.value
        old = delete(TOKENS).where(*_is(behaviour.chain_id, behaviour.token, behaviour.holder))
        try:
            with self._engine.begin() as connection:
                connection.execute(old)
                connection.execute(insert(TOKENS).values(values))
        except IntegrityError:
            return  # another probe of the same token was recorded in this moment: as fresh as this one
        except SQLAlchemyError as error:
            raise ExecutionError(
                f"the token cache cannot be written: {error}", token=behaviour.token
            ) from error


class CachedProber:
    """Probe a token only where no verdict about it holds.

    Parameters
    ----------
    prober
        Probes.
    cache
        Remembers. What could not be probed is not remembered: that is about pools or the node.
    """

    def __init__(self, prober: TokenProber, cache: BehaviourCache) -> None:
        self._prober = prober
        self._cache = cache

    async def behaviour(self, order: ProbeOrder, head: int) -> TokenBehaviour | Refusal:
        """Return how a token behaves, as known or as probed on the state after block ``head``.

        Raises
        ------
        ExecutionError
            If the database fails.
        OmniArbError
            What :meth:`execution.token_probe.TokenProber.probe` raises.
        """
        known = await asyncio.to_thread(self._cache.find, order.chain_id, order.token, order.holder, head)
        if known is not None:
            return known
        found = await self._prober.probe(order, head)
        if isinstance(found, TokenBehaviour):
            await asyncio.to_thread(self._cache.keep, found)
        return found


def _is(chain_id: int, token: Address, holder: Address) -> tuple[ColumnElement[bool], ...]:
    columns = TOKENS.c
    return (columns.chain_id == chain_id, columns.token == token, columns.holder == holder)


def _read(row: Row[Any]) -> TokenBehaviour:
    """Return the verdict of a row.

    Raises
    ------
    ValueError
        If a value cannot be one of a verdict: SQLite keeps whatever it is given.
    """
    values = {field.name: getattr(row, field.name) for field in fields(TokenBehaviour)}
    if values["reason"] is not None:
        values["reason"] = Reason(values["reason"])
    for name in ("block", "gas", "held_blocks"):
        if type(values[name]) is not int or values[name] < 0:
            raise ValueError(f"{name} is {values[name]!r}")
    for name in ("buy_tax_ppm", "sell_tax_ppm", "transfer_tax_ppm"):
        tax = values[name]
        if tax is not None and (type(tax) is not int or not 0 <= tax <= PPM):
            raise ValueError(f"{name} is {tax!r}")
    return TokenBehaviour(**values)
