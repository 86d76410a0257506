"""The state of all followed pools after a block, with a journal to undo blocks.

Pools are immutable, so the journal keeps the pools a block replaced and undoing is
putting them back. A block is applied whole or not at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from chain.blocks import Address, Block, BlockHeader, RawLog
from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.advance import advance, may_follow, speaking_names, timed
from market.decoding import decode_log
from market.events import STATELESS_TOPICS, EventBase
from market.pools.pool import Pool
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
    passed_over
        Events of frozen pools, which nobody followed.
    """

    touched: tuple[str, ...]
    events: tuple[EventBase, ...]
    unknown: int
    before: tuple[Pool, ...] = ()
    passed_over: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    """One applied block: the head before it, the pools it replaced, and what was decided after it."""

    head_before: BlockHeader | None
    number: int
    replaced: dict[str, Pool]
    thawed: set[str] = field(default_factory=set)
    admitted: dict[str, Refusal] = field(default_factory=dict)


class _Draft:
    """What a block will have done, collected log by log before anything is taken over."""

    __slots__ = ("_state", "_timestamp", "changed", "events", "met", "passed_over", "unknown")

    def __init__(self, state: MarketState, timestamp: int) -> None:
        self._state = state
        self._timestamp = timestamp
        self.changed: dict[str, Pool] = {}
        self.events: list[EventBase] = []
        self.met: list[Pool] = []
        self.unknown = 0
        self.passed_over = 0

    def take(self, log: RawLog) -> None:
        """Add what the next log did."""
        event = decode_log(log)
        if event is None:
            self.unknown += not log.topics or log.topics[0] not in STATELESS_TOPICS
            return
        pool_id = self._state.place_of(event.pool_id)
        before = self.changed.get(pool_id) or self._state.pools.get(pool_id)
        if before is None or not may_follow(before, event):
            self.unknown += 1
            return
        if self._state.is_frozen(pool_id):
            self.passed_over += 1
            return
        if pool_id not in self.changed:
            before = _now(before, self._timestamp)
        self.events.append(event)
        self.met.append(before)
        after = advance(before, event)
        if after is not before:
            self.changed[pool_id] = after


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
        self._places: dict[str, str] = {}
        self._suspended: dict[str, Refusal] = {}
        self._frozen: set[str] = set()
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
            self._places.update((name, pool.pool_id) for name in speaking_names(pool.spec))

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

    @property
    def suspended(self) -> Mapping[str, Refusal]:
        """Pools that may not be traded, each with the reason (a read-only live view)."""
        return MappingProxyType(self._suspended)

    @property
    def frozen(self) -> frozenset[str]:
        """Suspended pools that follow no events either, until they are restored."""
        return frozenset(self._frozen)

    def place_of(self, name: str) -> str:
        """Return the pool that a name in an event means; the name itself if it is nobody's."""
        return name if name in self._pools else self._places.get(name, name)

    def is_frozen(self, pool_id: str) -> bool:
        """Tell whether a pool follows no events."""
        return pool_id in self._frozen

    def suspend(self, pool_id: str, refusal: Refusal) -> None:
        """Take a pool out of the market; its last state stays, and no event moves it any more.

        Raises
        ------
        MarketError
            If there is no such pool.
        """
        self._known(pool_id)
        self._suspended[pool_id] = refusal
        self._frozen.add(pool_id)

    def restore(self, pool: Pool) -> None:
        """Take over a pool that was read at the head: it follows events again, but stays suspended if it was.

        Undoing the head's block undoes this too: what was read belongs to that block.

        Raises
        ------
        MarketError
            If there is no such pool, or no block has been applied that could be undone.
        """
        pool_id = pool.pool_id
        self._known(pool_id)
        entry = self._newest_entry(pool_id)
        entry.replaced.setdefault(pool_id, self._pools[pool_id])
        if pool_id in self._frozen:
            self._frozen.remove(pool_id)
            entry.thawed.add(pool_id)
        self._pools[pool_id] = pool

    def admit(self, pool_id: str) -> None:
        """Let a suspended pool be traded again; undoing the head's block undoes this too.

        Raises
        ------
        MarketError
            If it was not restored since it was suspended.
        """
        if pool_id not in self._suspended or pool_id in self._frozen:
            raise MarketError("only a pool that was suspended and restored is admitted", pool_id=pool_id)
        self._newest_entry(pool_id).admitted[pool_id] = self._suspended.pop(pool_id)

    def apply(self, block: Block) -> Applied:
        """Advance by one block.

        Raises
        ------
        MarketError
            If the block does not continue the head, its logs are out of order, or an event
            contradicts the pool or leaves its state open. Nothing has changed then; ``fields`` name
            ``pool_id`` and ``reason`` if it is one pool's fault.
        TapeError
            If a log is malformed. Nothing has changed then.
        """
        self._check_continues(block)
        draft = _Draft(self, block.header.timestamp)
        for log in _in_order(block):
            draft.take(log)
        replaced = {pool_id: self._pools[pool_id] for pool_id in draft.changed}
        self._journal.append(_Entry(self._head, block.number, replaced))
        self._pools.update(draft.changed)
        self._head = block.header
        return Applied(
            tuple(draft.changed), tuple(draft.events), draft.unknown, tuple(draft.met), draft.passed_over
        )

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
            self._suspended.update(entry.admitted)
            self._frozen.update(entry.thawed)
            self._head = entry.head_before
            self._journal.pop()
        return tuple(moved)

    def _known(self, pool_id: str) -> None:
        if pool_id not in self._pools:
            raise MarketError("the market has no such pool; load it first", pool_id=pool_id)

    def _newest_entry(self, pool_id: str) -> _Entry:
        if not self._journal:
            raise MarketError("no block has been applied yet; load the market again instead", pool_id=pool_id)
        return self._journal[-1]

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


def _now(pool: Pool, timestamp: int) -> Pool:
    try:
        return timed(pool, timestamp)
    except MarketError as error:
        error.fields.setdefault("pool_id", pool.pool_id)
        error.fields.setdefault("reason", Reason.EVENT_CONTRADICTS_STATE)
        raise


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
