"""Keep the market true while it is followed: suspend what contradicts, compare what is traded.

One pool's fault does not stop the others. A pool that an event contradicts, or that a sample finds to
differ from the chain, is suspended at once: its cycles are not scored. It comes back the long way only: read
anew at a head, followed by its events, and found right at a later head. Every step is logged and counted.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from chain.asking import ask_all, at_hash
from chain.blocks import Address, Block, BlockHeader, RawLog
from chain.multicall import Multicall
from chain.providers import Node, unreachable
from chain.wire import log_from_json
from core.errors import MarketError, OmniArbError, RpcError, TapeError
from core.reasons import Reason, Refusal
from market.advance import listens_to, timed
from market.life import Evidence, EvidenceKind, PoolLife, Roster
from market.pools.pool import Pool
from market.readings import reading_of
from market.readings.unseen import reading_of_unseen
from market.state import JOURNAL_DEPTH, Applied, MarketState
from market.tripwire import LogKey, Rota, class_of, differences, key_of
from market.unseen import moves_unseen, with_unseen

SAMPLE = 8
"""Pools that are compared every block, beside those that have to be."""
_LONGEST_WAIT = 64
_LATE_KEPT = 1_024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Checked:
    """What one comparison with the chain found.

    Parameters
    ----------
    compared
        Pools that were read and compared.
    refreshed
        Pools whose rates or fees had moved without an event, as theirs do.
    diverged
        Pools that were not what the chain says, with the class of the difference.
    readmitted
        Pools that were suspended and are traded again.
    """

    compared: int = 0
    refreshed: tuple[str, ...] = ()
    diverged: tuple[tuple[str, Refusal], ...] = ()
    readmitted: tuple[str, ...] = ()


class MarketKeeper:
    """Applies blocks to a market and compares it with the chain.

    Parameters
    ----------
    state
        The market; its pools were read at its head.
    node
        Who is asked what the chain says.
    multicall
        Contract that answers many calls at once; ``None`` asks one by one.
    sample
        Pools that are compared every block.
    """

    def __init__(
        self, state: MarketState, node: Node, multicall: Multicall | None = None, sample: int = SAMPLE
    ) -> None:
        self.state = state
        self.roster = Roster()
        self.counts: Counter[Reason] = Counter()
        self.compared = 0
        self._node = node
        self._multicall = multicall
        self._rota = Rota(sample)
        self._memory: deque[Block] = deque(maxlen=JOURNAL_DEPTH)
        self._late: deque[LogKey] = deque(maxlen=_LATE_KEPT)
        self._right_at: dict[str, int] = {}
        self._wait_until: dict[str, int] = {}
        self._faults: Counter[str] = Counter()
        self._take_in()

    def _take_in(self) -> None:
        head = self.state.head
        if head is None:
            raise MarketError("a market that is kept has been read at a block; load it first")
        for pool_id in self.state.pools:
            self.roster.enter(pool_id)
            evidence = Evidence(EvidenceKind.CHAIN_BLOCK, f"read at block {head.number}", head.number)
            self.roster.verified(pool_id, evidence)
            self.roster.go_live(pool_id)
            self._right_at[pool_id] = head.number

    def apply(self, block: Block) -> Applied:
        """Apply a block; a pool whose log cannot be taken over is suspended, the others go on.

        Raises
        ------
        MarketError
            If the block does not continue the head, or its logs are not in order.
        TapeError
            If a log of a vault or a factory is malformed.
        """
        usable = block
        while True:
            try:
                applied = self.state.apply(usable)
            except TapeError as error:
                usable = self._without(usable, error)
            except MarketError as error:
                pool_id, reason = str(error.fields.get("pool_id")), error.fields.get("reason")
                if pool_id not in self.state.pools or not isinstance(reason, Reason):
                    raise
                self._suspend(pool_id, Refusal(reason, error.message), block.number)
            else:
                self._memory.append(block)
                return applied

    def _without(self, block: Block, error: TapeError) -> Block:
        """Return a block without a malformed log of a pool's own contract; the pool is suspended."""
        pool_id = self.state.place_of(str(error.fields.get("address")))
        if pool_id not in self.state.pools:
            raise error
        if not self.state.is_frozen(pool_id):
            self._suspend(pool_id, Refusal(Reason.CORRUPT_LOG, error.message), block.number)
        place = error.fields["log_index"]
        return replace(block, logs=tuple(log for log in block.logs if log.log_index != place))

    def rolled_back(self, to_number: int) -> None:
        """Forget the blocks above a height; the state has been rolled back to it."""
        while self._memory and self._memory[-1].number > to_number:
            self._memory.pop()
        for pool_id, number in self._right_at.items():
            self._right_at[pool_id] = min(number, to_number)
        for pool_id in self.state.suspended:
            if self.roster.standing(pool_id).life is PoolLife.LIVE:
                self.roster.quarantine(pool_id, Reason.POOL_QUARANTINED, "its proof was orphaned", to_number)

    def heard_late(self, arrived: RawLog) -> None:
        """Note a log that was announced after its block had been applied; one that was in it is not late."""
        for block in self._memory:
            if block.number == arrived.block_number and arrived not in block.logs:
                self._late.append(key_of(arrived))

    async def check(self) -> Checked:
        """Compare pools with the chain at the head, and act on what differs.

        Raises
        ------
        RpcError
            If the node does not answer, or refuses every question: our head is not on its chain any more.
            Nothing is judged then.
        """
        head = self.state.head
        assert head is not None
        state = self.state
        frozen = [pool_id for pool_id in state.frozen if self._wait_until[pool_id] <= head.number]
        proving = [pool_id for pool_id in state.suspended if not state.is_frozen(pool_id)]
        live = [pool_id for pool_id in state.pools if pool_id not in state.suspended]
        whole = dict.fromkeys((*frozen, *proving, *self._rota.draw(live)))
        unseen = [pool for pool in map(state.pools.get, live) if pool is not None and moves_unseen(pool)]
        glimpsed = [pool.pool_id for pool in unseen if pool.pool_id not in whole]
        read = await self._read(tuple(whole), tuple(glimpsed), head)
        found = Checked(len(read))
        for pool_id, truth in read.items():
            found = await self._judge(pool_id, truth, found)
            if pool_id in whole and pool_id not in state.suspended:
                self._right_at[pool_id] = head.number
        self.compared += len(read)
        return found

    async def _read(
        self, whole: Sequence[str], glimpsed: Sequence[str], head: BlockHeader
    ) -> dict[str, Pool | MarketError | RpcError]:
        """Read pools whole, and of others only what changes without events."""
        pools, tokens = self.state.pools, self.state.tokens
        readings = [reading_of(pools[pool_id].spec, tokens, head.timestamp) for pool_id in whole]
        readings += [reading_of_unseen(pools[pool_id], tokens, head.timestamp) for pool_id in glimpsed]
        answers = await ask_all(self._node, readings, at_hash(head), self._multicall)
        refused = [answer for answer in answers if isinstance(answer, RpcError)]
        if refused and (len(refused) == len(answers) or any(unreachable(error) for error in refused)):
            raise refused[0]
        return dict(zip((*whole, *glimpsed), answers, strict=True))

    async def _judge(self, pool_id: str, truth: Pool | OmniArbError, found: Checked) -> Checked:
        """Add to what was found what one pool's truth shows."""
        head = self.state.head
        assert head is not None
        if isinstance(truth, OmniArbError):
            return self._diverged(pool_id, Refusal(Reason.POOL_UNREADABLE, truth.message), found)
        ours = timed(self.state.pools[pool_id], head.timestamp)
        if self.state.is_frozen(pool_id):
            return self._restore(pool_id, truth, found)
        current = with_unseen(ours, truth)
        if current == truth:
            if current != ours:
                self.state.restore(truth)
                found = replace(found, refreshed=(*found.refreshed, pool_id))
            if pool_id in self.state.suspended:
                self._readmit(pool_id)
                found = replace(found, readmitted=(*found.readmitted, pool_id))
            return found
        try:
            reason, why = await self._class(pool_id)
        except RpcError as error:
            reason, why = Reason.STATE_DIFFERS, f"its logs could not be compared: {error.message}"
        shown = "; ".join(str(each) for each in differences(current, truth))
        return self._diverged(pool_id, Refusal(reason, f"{shown}; {why}"), found)

    async def _class(self, pool_id: str) -> tuple[Reason, str]:
        """Compare the logs that were applied since the pool was right with those that the node has now."""
        addresses = listens_to(self.state.pools[pool_id].spec)
        since = self._right_at[pool_id]
        if self._memory and since + 1 < self._memory[0].number:
            return Reason.STATE_DIFFERS, f"it was last right at block {since}, whose logs are forgotten"
        blocks = [block for block in self._memory if block.number > since]
        applied = [key_of(log) for block in blocks for log in block.logs if log.address in addresses]
        return class_of(applied, await self._served(blocks, addresses), self._late)

    async def _served(self, blocks: Sequence[Block], addresses: Sequence[Address]) -> list[LogKey]:
        wanted: list[tuple[str, Sequence[Any]]] = [
            ("eth_getLogs", [{"blockHash": "0x" + block.header.hash.hex(), "address": list(addresses)}])
            for block in blocks
        ]
        answers = await self._node.batch(wanted)
        if not all(isinstance(answer, list) for answer in answers):
            raise RpcError(
                "the node does not know a block any more", method="eth_getLogs", code=0, message="no logs"
            )
        return [key_of(log_from_json(each)) for answer in answers for each in answer]

    def _diverged(self, pool_id: str, refusal: Refusal, found: Checked) -> Checked:
        assert self.state.head is not None
        self._suspend(pool_id, refusal, self.state.head.number)
        return replace(found, diverged=(*found.diverged, (pool_id, refusal)))

    def _suspend(self, pool_id: str, refusal: Refusal, number: int) -> None:
        log.warning("pool suspended", pool=pool_id, reason=refusal.reason.value, detail=refusal.detail)
        self.counts[refusal.reason] += 1
        self._wait_until[pool_id] = number + self._penalty(pool_id, refusal.reason)
        self.state.suspend(pool_id, refusal)
        if self.roster.standing(pool_id).life is PoolLife.LIVE:
            self.roster.diverged(pool_id, refusal.reason, refusal.detail, number)
        else:
            self.roster.quarantine(pool_id, refusal.reason, refusal.detail, number)

    def _penalty(self, pool_id: str, reason: Reason) -> int:
        """Return how many blocks a pool waits before it is read again: longer with every fault of its own."""
        if reason is Reason.STATE_LEFT_OPEN:
            return 0
        self._faults[pool_id] += 1
        return min(1 << self._faults[pool_id] - 1, _LONGEST_WAIT)

    def _restore(self, pool_id: str, truth: Pool, found: Checked) -> Checked:
        """Take over what was read; that alone proves a pool that never differed and could not be followed."""
        assert self.state.head is not None
        number = self.state.head.number
        why = self.state.suspended[pool_id]
        log.warning("pool read again", pool=pool_id, block=number, after=why.reason.value)
        self.state.restore(truth)
        self.roster.quarantine(pool_id, why.reason, f"read again at block {number}; {why.detail}", number)
        self._right_at[pool_id] = number
        if why.reason is not Reason.STATE_LEFT_OPEN:
            return found
        self._readmit(pool_id)
        return replace(found, readmitted=(*found.readmitted, pool_id))

    def _readmit(self, pool_id: str) -> None:
        assert self.state.head is not None
        number = self.state.head.number
        log.warning("pool traded again", pool=pool_id, block=number)
        evidence = Evidence(EvidenceKind.CHAIN_BLOCK, f"right at block {number}", number)
        self.state.admit(pool_id)
        self.roster.verified(pool_id, evidence)
        self.roster.go_live(pool_id)


def standings(roster: Roster) -> Mapping[str, int]:
    """Return how many pools there are in each stage of their life, by name."""
    counts = roster.counts()
    return {life.value: counts[life] for life in PoolLife}
