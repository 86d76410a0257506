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
from dataclasses import asdict, dataclass
from typing import Any

from chain.blocks import Address, Block, BlockHeader, RawLog
from chain.providers import Provider, unreachable
from chain.wire import Head, bloom_excludes, bloom_mask, head_from_json, log_from_json
from core.errors import FeedError, RpcError
from core.seams import Clock

SPAN = 64
"""Blocks fetched at once when a gap is filled."""
_PATIENCE = (0.0, 0.02, 0.05, 0.1, 0.2)
"""Seconds to wait before asking again for logs that were announced but are not served yet."""

Heard = Mapping[int, RawLog]
"""Logs of one block that a subscription announced, by log index."""


@dataclass(slots=True)
class FeedCounters:
    """What a feed had to repair.

    Parameters
    ----------
    blocks
        Blocks delivered.
    backfilled
        Blocks delivered that had to be asked for, because nothing announced them.
    late_logs
        Logs that the node served before the subscription announced them.
    unserved_logs
        Logs that were announced but never served; they are delivered all the same.
    reorgs
        Times a delivered block was replaced.
    vanished
        Heads that were gone before they could be fetched.
    reconnects
        Connections made again after the first.
    silent
        Subscriptions found dead while the chain went on.
    """

    blocks: int = 0
    backfilled: int = 0
    late_logs: int = 0
    unserved_logs: int = 0
    reorgs: int = 0
    vanished: int = 0
    reconnects: int = 0
    silent: int = 0

    def snapshot(self) -> dict[str, int]:
        """Return all counts by name."""
        return asdict(self)


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
        provider: Provider,
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
        reached = self._delivered(head.header.hash)
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
        while not self._delivered(heads[0].header.parent_hash):
            if heads[0].header.number <= self._branch[0].number:
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

    def _lost(self, header: BlockHeader) -> FeedError:
        return FeedError(
            f"block {header.number} shares none of the last {len(self._branch)} blocks that were delivered; "
            "load the market state again and follow from there",
            number=header.number,
            tip=self._branch[-1].number,
        )

    def _delivered(self, block_hash: bytes) -> bool:
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
        return not (self._bloom_holds and bloom_excludes(head.bloom, self._masks))

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
            served = {log.log_index: log for log in await self._logs_of(head.header.hash)}
            if announced.keys() <= served.keys():
                break
        if heard is not None:
            self.counters.late_logs += len(served.keys() - announced.keys())
        self.counters.unserved_logs += len(announced.keys() - served.keys())
        return self._block(head, [*({**announced, **served}).values()])

    async def _logs_of(self, block_hash: bytes) -> list[RawLog]:
        name = "0x" + block_hash.hex()
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
        return [log_from_json(log) for log in logs]

    async def _span(self, heads: Sequence[Head]) -> list[Block]:
        """Complete several blocks with one range of logs, and check that none moved meanwhile."""
        logs: dict[bytes, list[RawLog]] = {head.header.hash: [] for head in heads}
        first, last = heads[0].header.number, heads[-1].header.number
        if any(self._may_hold_logs(head) for head in heads):
            for fields in await self._range(first, last):
                block_hash = bytes.fromhex(str(fields["blockHash"]).removeprefix("0x"))
                if block_hash not in logs:
                    raise HeadVanished
                logs[block_hash].append(log_from_json(fields))
            check = (await self._by_number(last, last))[0]
            if check.header.hash != heads[-1].header.hash:
                raise HeadVanished
        return [self._block(head, logs[head.header.hash]) for head in heads]

    async def _range(self, first: int, last: int) -> list[Any]:
        """Return the logs of a range of blocks; halve the range where the node finds it too large."""
        criteria = {"fromBlock": hex(first), "toBlock": hex(last), "address": self._addresses}
        try:
            return list(await self._provider.call("eth_getLogs", [criteria]))
        except RpcError as error:
            if unreachable(error) or first == last:
                raise
        middle = (first + last) // 2
        return [*await self._range(first, middle), *await self._range(middle + 1, last)]

    def _block(self, head: Head, logs: Sequence[RawLog]) -> Block:
        ordered = tuple(sorted(logs, key=lambda log: log.log_index))
        return Block(header=head.header, logs=ordered, known_at_ns=self._clock.now_ns())
