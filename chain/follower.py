"""Follow one chain: from announced heads to complete blocks, none lost and none doubled.

A feed hears of heads in whatever order and with whatever holes its transport has. The follower
remembers the branch it has delivered; for each head it fetches what lies between, asks the
node for every block's logs, and delivers the new branch where the chain was reorganised.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence

from chain.blocks import Address, Block, BlockHeader, RawLog
from chain.feed_counters import FeedCounters
from chain.log_ranges import LogRange, logs_between
from chain.log_repair import RepairedLogs, ask_again, placed_from_json, repair_logs
from chain.providers import Node, unreachable
from chain.wire import Head, bloom_excludes, bloom_mask, head_from_json
from core.errors import FeedError, RpcError
from core.reasons import Reason, Refusal
from core.seams import Clock

SPAN = 64
"""Blocks fetched at once when a gap is filled."""
_PATIENCE = (0.0, 0.02, 0.05, 0.1, 0.2)
"""Seconds to wait before asking again for logs that were announced but are not served yet."""

Heard = Mapping[int, RawLog | None]
"""Logs of one block that a subscription announced, by log index; None where it contradicted itself."""


class HeadVanished(Exception):
    """Tells a feed that the node no longer knows a head: ask for the latest one, go on from there."""


class ChainFollower:
    """Turns heads into complete blocks.

    Parameters
    ----------
    provider
        Node that serves headers and logs.
    addresses
        Contracts whose logs are wanted; none means no logs.
    clock
        Stamps blocks with the time they were complete.
    after
        Last block the caller already has; delivery starts with its child. None: start with the
        first head that is given.
    reorg_limit
        Deepest reorganisation that is followed, in blocks.
    """

    def __init__(
        self,
        provider: Node,
        addresses: Sequence[Address],
        clock: Clock,
        *,
        after: BlockHeader | None = None,
        reorg_limit: int = SPAN,
    ) -> None:
        self.counters = FeedCounters()
        self._provider = provider
        self._addresses = sorted({address.lower() for address in addresses})
        self._masks = [bloom_mask(address) for address in self._addresses]
        self._bloom_holds = True
        self._clock = clock
        self._reorg_limit = reorg_limit
        self._branch: deque[BlockHeader] = deque([after] if after else [])
        self._primed = False

    @property
    def tip(self) -> BlockHeader | None:
        """Header of the last block delivered (or of ``after``)."""
        return self._branch[-1] if self._branch else None

    async def latest(self) -> Head:
        """Return the node's newest head.

        Raises
        ------
        RpcError
            If the node does not answer.
        """
        return head_from_json(await self._provider.call("eth_getBlockByNumber", ["latest", False]))

    async def advance(
        self, head: Head, heard: Mapping[bytes, Heard] | None = None, *, announced: bool = True
    ) -> AsyncIterator[Block]:
        """Deliver every block from the last one delivered up to ``head``, oldest first.

        Where the chain was reorganised the first block delivered is the child of an earlier one;
        its ``parent_hash`` tells. A head that was delivered already gives nothing.

        Parameters
        ----------
        head
            An announced head.
        heard
            By block hash, logs that a subscription announced; None without a subscription.
        announced
            Whether the head came by itself, as opposed to having been asked for.

        Raises
        ------
        FeedError
            If the new branch has no common block within ``reorg_limit``.
        HeadVanished
            If the node no longer knows the head.
        RpcError
            If the node does not answer.
        """
        await self._prime()
        starting = self.tip is None
        reached = self.delivered(head.header.hash)
        while not reached:
            heads = await self._ahead(head)
            alone = len(heads) == 1
            blocks = [await self._alone(head, heard)] if alone else await self._span(heads)
            for block in blocks:
                self._accept(block.header)
                self.counters.blocks += 1
                self.counters.backfilled += not (starting or (announced and block.header is head.header))
                yield block
            reached = heads[-1] is head
            await self._prime()

    async def _ahead(self, head: Head) -> list[Head]:
        """Return the next heads to deliver, oldest first, the first one a child of our branch."""
        if self.tip is None:
            return [head]
        first, last = self.tip.number + 1, min(head.header.number, self.tip.number + SPAN)
        heads = await self._by_number(first, min(last, head.header.number - 1)) if last >= first else []
        if last == head.header.number or not heads:
            heads.append(head)
        for parent, child in itertools.pairwise(heads):
            if child.header.parent_hash != parent.header.hash:
                raise HeadVanished
        while not self.delivered(heads[0].header.parent_hash):
            if heads[0].header.number <= self._branch[0].number:
                if heads[0] is head:
                    await self._check_tip()
                raise self._lost(heads[0].header)
            heads.insert(0, await self._by_hash(heads[0].header.parent_hash))
        return heads

    async def _prime(self) -> None:
        """Learn the ancestors of the first block, so that a reorganisation below it is understood."""
        if self._primed or self.tip is None:
            return
        first = max(self.tip.number - self._reorg_limit, 0)
        requests = [("eth_getBlockByNumber", [hex(n), False]) for n in range(first, self.tip.number)]
        for answer in reversed(await self._provider.batch(requests)):
            parent = head_from_json(answer).header if answer is not None else None
            if parent is None or parent.hash != self._branch[0].parent_hash:
                break
            self._branch.appendleft(parent)
        self._primed = True

    async def _check_tip(self) -> None:
        """Tell a node that lags from one that is on another branch: only the latter replaced our tip."""
        tip = self._branch[-1]
        answer = await self._provider.call("eth_getBlockByNumber", [hex(tip.number), False])
        if answer is None or head_from_json(answer).header.hash == tip.hash:
            raise HeadVanished

    def _lost(self, header: BlockHeader) -> FeedError:
        return FeedError(
            f"block {header.number} shares none of the last {len(self._branch)} blocks that were delivered; "
            "load the market state again and follow from there",
            number=header.number,
            tip=self._branch[-1].number,
        )

    def delivered(self, block_hash: bytes) -> bool:
        """Tell whether a block is one of those last delivered, on the branch that we are on."""
        return any(header.hash == block_hash for header in reversed(self._branch))

    def _accept(self, header: BlockHeader) -> None:
        replaced = False
        while self._branch and self._branch[-1].hash != header.parent_hash:
            self._branch.pop()
            replaced = True
        self.counters.reorgs += replaced
        self._branch.append(header)
        while len(self._branch) > self._reorg_limit + 1:
            self._branch.popleft()

    async def _by_number(self, first: int, last: int) -> list[Head]:
        requests = [("eth_getBlockByNumber", [hex(number), False]) for number in range(first, last + 1)]
        answers = await self._provider.batch(requests)
        if any(answer is None for answer in answers):
            raise HeadVanished
        return [head_from_json(answer) for answer in answers]

    async def _by_hash(self, block_hash: bytes) -> Head:
        answer = await self._provider.call("eth_getBlockByHash", ["0x" + block_hash.hex(), False])
        if answer is None:
            raise HeadVanished
        return head_from_json(answer)

    def _may_hold_logs(self, head: Head) -> bool:
        if not self._addresses:
            return False
        # some nodes leave the bloom empty
        filled = head.bloom != 0 or head.header.gas_used == 0
        return not (self._bloom_holds and filled and bloom_excludes(head.bloom, self._masks))

    async def _alone(self, head: Head, heard: Mapping[bytes, Heard] | None) -> Block:
        """Complete one block: what the node serves must hold all that was announced."""
        announced = heard.get(head.header.hash, {}) if heard is not None else {}
        if announced:
            # some chains leave the bloom empty: then it proves nothing
            self._bloom_holds &= not bloom_excludes(head.bloom, self._masks)
        if not announced and not self._may_hold_logs(head):
            return self._block(head, [])
        served: dict[int, RawLog] = {}
        for pause in _PATIENCE:
            await asyncio.sleep(pause)
            served = {log.log_index: log for log in (await self._logs_of(head.header)).logs}
            if announced.keys() <= served.keys():
                break
        self._compare(announced, served, heard is not None)
        kept = {index: log for index, log in announced.items() if log is not None}
        if missing := announced.keys() - kept.keys() - served.keys():
            place = f"log {min(missing)} of block {head.header.number}"
            raise ask_again(Reason.CONTRADICTORY_LOG, f"{place} was announced in two forms and is not served")
        return self._block(head, [*({**kept, **served}).values()])

    def _compare(self, announced: Heard, served: Mapping[int, RawLog], subscribed: bool) -> None:
        """Count where the subscription and the answer to a direct question differ; the answer holds."""
        if subscribed:
            self.counters.count(Reason.LATE_LOG, len(served.keys() - announced.keys()))
        self.counters.unserved_logs += len(announced.keys() - served.keys())
        for index in announced.keys() & served.keys():
            if announced[index] not in (None, served[index]):
                self.counters.count(Reason.CONTRADICTORY_LOG)

    async def _logs_of(self, header: BlockHeader) -> RepairedLogs:
        name = "0x" + header.hash.hex()
        criteria = {"blockHash": name, "address": self._addresses}
        try:
            # an unknown block gives no logs at some nodes and an error at others
            known, logs = await self._provider.batch(
                [("eth_getBlockByHash", [name, False]), ("eth_getLogs", [criteria])]
            )
        except RpcError as error:
            if unreachable(error):
                raise
            raise HeadVanished from error
        if known is None:
            raise HeadVanished
        if not isinstance(logs, list):
            raise ask_again(Reason.CORRUPT_LOG, "the node's answer is no list of logs; ask another node")
        repaired = repair_logs(
            [placed_from_json(log) for log in logs],
            header.number,
            header.number,
            hashes={header.number: header.hash},
            addresses=self._addresses,
        )
        if isinstance(repaired, Refusal):
            raise ask_again(repaired.reason, f"{repaired}; the node was asked for one block by its hash")
        self._count(repaired.repairs)
        return repaired

    async def _span(self, heads: Sequence[Head]) -> list[Block]:
        """Complete several blocks with ranges of logs, all of which must lie on our branch.

        A range is asked by number, so the answer could be another branch's. But it comes with the
        hashes of the blocks that have logs, and with that of its last block from before and after.
        Where these are ours, so are all blocks of the range, because each names its parent.
        """
        branch = {head.header.number: head.header.hash for head in heads}
        logs: dict[int, list[RawLog]] = {number: [] for number in branch}
        try:
            async for found in self._ranges(heads):
                if any(branch[number] != block_hash for number, block_hash in found.hashes.items()):
                    raise HeadVanished
                self._count(found.repairs)
                for log in found.logs:
                    logs[log.block_number].append(log)
        except RpcError as error:
            if error.fields.get("reason") in (Reason.NODE_BEHIND, Reason.BLOCK_REPLACED):
                raise HeadVanished from error
            raise
        return [self._block(head, logs[head.header.number]) for head in heads]

    async def _ranges(self, heads: Sequence[Head]) -> AsyncIterator[LogRange]:
        if any(self._may_hold_logs(head) for head in heads):
            first, last = heads[0].header.number, heads[-1].header.number
            async for found in logs_between(
                self._provider, first, last, addresses=self._addresses, span=len(heads)
            ):
                yield found

    def _count(self, repairs: Mapping[Reason, int]) -> None:
        for reason, times in repairs.items():
            self.counters.count(reason, times)

    def _block(self, head: Head, logs: Sequence[RawLog]) -> Block:
        ordered = tuple(sorted(logs, key=lambda log: log.log_index))
        return Block(header=head.header, logs=ordered, known_at_ns=self._clock.now_ns())
