"""The state of all followed pools after a block, with a journal to undo blocks.

Pools are immutable, so the journal keeps the pools a block replaced and undoing is
putting them back. A block is applied whole or not at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from chain.blocks import Address, Block, BlockHeader, RawLog
from core.errors import MarketError
from market.events import (
    STATELESS_TOPICS,
    Event,
    PairSwap,
    PairSync,
    V3Burn,
    V3Initialize,
    V3Mint,
    V3Swap,
    VaultBalanceChanged,
    VaultSwap,
    decode,
)
from market.pools.pool import Pool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_recorded import after_swap
from market.pools.weighted import WeightedPool
from market.tokens import Token

JOURNAL_DEPTH = 64
"""Blocks that can be undone."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one block did.

    Parameters
    ----------
    touched
        Ids of pools that changed, in order of first change.
    events
        Decoded events of followed pools, in log order.
    unknown
        Logs of kinds or pools that are not followed.
    before
        The pool each event met, aligned with ``events``.
    """

    touched: tuple[str, ...]
    events: tuple[Event, ...]
    unknown: int
    before: tuple[Pool, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """One applied block: the head before it and the pools it replaced."""

    head_before: BlockHeader | None
    number: int
    replaced: dict[str, Pool]


class _Draft:
    """What a block will have done, collected log by log before anything is taken over."""

    __slots__ = ("_pools", "changed", "events", "met", "unknown")

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self._pools = pools
        self.changed: dict[str, Pool] = {}
        self.events: list[Event] = []
        self.met: list[Pool] = []
        self.unknown = 0

    def take(self, log: RawLog) -> None:
        """Add what the next log did."""
        event = decode(log)
        if event is None:
            self.unknown += not log.topics or log.topics[0] not in STATELESS_TOPICS
            return
        before = self.changed.get(event.pool_id) or self._pools.get(event.pool_id)
        if before is None or before.address != event.address:
            self.unknown += 1
            return
        self.events.append(event)
        self.met.append(before)
        try:
            after = advance(before, event)
        except MarketError as error:
            error.fields.update(block=log.block_number, log_index=log.log_index)
            raise
        if after is not before:
            self.changed[event.pool_id] = after


class MarketState:
    """Pools at the head of the chain we follow.

    Parameters
    ----------
    pools
        Initial pools.
    tokens
        Every token of these pools, by address.
    head
        Header these pools belong to; ``None`` accepts any first block.

    Raises
    ------
    MarketError
        If two pools have one id, or a pool's token is missing from ``tokens``.
    """

    def __init__(
        self, pools: Iterable[Pool], tokens: Mapping[Address, Token], head: BlockHeader | None = None
    ) -> None:
        self._pools: dict[str, Pool] = {}
        self._tokens = dict(tokens)
        self._head = head
        self._journal: deque[_Entry] = deque(maxlen=JOURNAL_DEPTH)
        for pool in pools:
            if pool.pool_id in self._pools:
                raise MarketError("a pool is listed twice; list it once", pool_id=pool.pool_id)
            missing = [token for token in pool.tokens if token not in self._tokens]
            if missing:
                raise MarketError(
                    "a pool's token is not described; add it to the tokens",
                    pool_id=pool.pool_id,
                    missing=missing,
                )
            self._pools[pool.pool_id] = pool

    @property
    def pools(self) -> Mapping[str, Pool]:
        """Current pools by id (a read-only live view)."""
        return MappingProxyType(self._pools)

    @property
    def tokens(self) -> Mapping[Address, Token]:
        """Tokens by address."""
        return MappingProxyType(self._tokens)

    @property
    def head(self) -> BlockHeader | None:
        """Header of the block the pools belong to."""
        return self._head

    def apply(self, block: Block) -> Applied:
        """Advance by one block.

        Raises
        ------
        MarketError
            If the block does not continue the head, its logs are out of order, or an event
            contradicts the pool. Nothing has changed then.
        TapeError
            If a log is malformed. Nothing has changed then.
        """
        self._check_continues(block)
        draft = _Draft(self._pools)
        for log in _in_order(block):
            draft.take(log)
        replaced = {pool_id: self._pools[pool_id] for pool_id in draft.changed}
        self._journal.append(_Entry(self._head, block.number, replaced))
        self._pools.update(draft.changed)
        self._head = block.header
        return Applied(tuple(draft.changed), tuple(draft.events), draft.unknown, tuple(draft.met))

    def rollback(self, to_number: int) -> tuple[str, ...]:
        """Undo blocks above height ``to_number``; return the ids of pools that moved back.

        Raises
        ------
        MarketError
            If the journal does not reach so far. Nothing has changed then.
        """
        undo = [entry for entry in self._journal if entry.number > to_number]
        lowest = undo[0].number - 1 if undo else to_number
        if self._head is None or lowest > to_number or (not undo and self._head.number > to_number):
            raise MarketError(
                f"cannot go back to block {to_number}: the journal holds {len(self._journal)} blocks; "
                "load the market from a node again",
                to_number=to_number,
                depth=len(self._journal),
            )
        moved: dict[str, None] = {}
        for entry in reversed(undo):
            self._pools.update(entry.replaced)
            moved.update(dict.fromkeys(entry.replaced))
            self._head = entry.head_before
            self._journal.pop()
        return tuple(moved)

    def _check_continues(self, block: Block) -> None:
        head = self._head
        if head is None:
            return
        if block.number != head.number + 1:
            raise MarketError(
                f"block {block.number} does not follow head {head.number}; "
                "roll back or fetch the blocks between",
                head=head.number,
                block=block.number,
            )
        if block.header.parent_hash != head.hash:
            raise MarketError(
                f"block {block.number} is on another branch; roll back to the common ancestor first",
                head=head.hash.hex(),
                parent=block.header.parent_hash.hex(),
            )


def _in_order(block: Block) -> Iterator[RawLog]:
    """Yield the logs of a block; refuse one of another block, or out of order."""
    last_index = -1
    for log in block.logs:
        if log.block_number != block.number or log.log_index <= last_index:
            raise MarketError(
                "logs of a block must be its own and in order; fetch the block again",
                block=block.number,
                log_index=log.log_index,
            )
        last_index = log.log_index
        yield log


def advance(pool: Pool, event: Event) -> Pool:
    """Return the pool after one event of its own; the same object if nothing changed.

    Raises
    ------
    MarketError
        If the event is not of the pool's family, or contradicts the pool's state.
    """
    match pool, event:
        case UniswapV2Pool(), PairSync():
            return pool.after_sync(event.reserve0, event.reserve1)
        case UniswapV2Pool(), PairSwap():
            return pool
        case UniswapV3Pool(), V3Swap():
            return after_swap(
                pool, event.amount0, event.amount1, event.sqrt_price_x96, event.liquidity, event.tick
            )
        case UniswapV3Pool(), V3Mint():
            return pool.after_position(event.lower, event.upper, event.amount)
        case UniswapV3Pool(), V3Burn():
            return pool.after_position(event.lower, event.upper, -event.amount)
        case UniswapV3Pool(), V3Initialize():
            return pool.after_initialize(event.sqrt_price_x96, event.tick)
        case WeightedPool(), VaultSwap():
            tokens = (event.token_in, event.token_out)
            return pool.after_changes(tokens, (event.amount_in, -event.amount_out))
        case WeightedPool(), VaultBalanceChanged():
            return pool.after_changes(event.tokens, event.changes)
    raise MarketError(
        f"a {pool.family} pool cannot have a {type(event).__name__} event; check the pool's family",
        pool_id=pool.pool_id,
        block=event.block_number,
        log_index=event.log_index,
    )
