"""Plan a discovery: what is left to read of each source, and whether the node is of the right chain.

Only blocks below the head by a number of confirmations are read, so that a usual reorganisation
changes nothing that was recorded. A deeper one, or another chain behind the same address, shows in
the hash of the last block that was read, and stops the discovery.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from chain.asking import ask
from chain.blocks import BlockHeader
from chain.networks import Network
from chain.providers import Node
from chain.wire import head_from_json
from core.errors import InputError, RpcError
from core.reasons import Reason, Refusal
from market.discovery.registries import length
from market.discovery.sources import PoolSource, out_of_reach
from pipeline.deployment import deployment_block, has_code
from pipeline.pool_rows import Progress
from pipeline.pool_store import PoolStore


@dataclass(frozen=True, slots=True)
class Scan:
    """What is left to read of a source.

    Parameters
    ----------
    source
        The source.
    before
        How far it has been read, ``None`` if never.
    begin
        First block (place, of a list) that will have been read.
    first, last
        What to read now, both included; nothing if ``last`` is below ``first``.
    note
        Why the beginning is a guess, if it is one.
    """

    source: PoolSource
    before: Progress | None
    begin: int
    first: int
    last: int
    note: Refusal | None = None

    @property
    def total(self) -> int:
        """Blocks or entries to read."""
        return max(self.last - self.first + 1, 0)


@dataclass(frozen=True, slots=True)
class Window:
    """Which blocks are wanted.

    Parameters
    ----------
    settled
        Newest block that has enough confirmations.
    from_block
        Where to begin, if a source was never read or only from a later block; by default at the
        block of its deployment, if the node can tell, else at block 0.
    to_block
        Where to end at the latest.
    """

    settled: int
    from_block: int | None = None
    to_block: int | None = None

    @property
    def last(self) -> int:
        """Last block to read."""
        return self.settled if self.to_block is None else min(self.settled, self.to_block)


async def plan_scan(
    node: Node, store: PoolStore, network: Network, source: PoolSource, window: Window
) -> Scan | Refusal:
    """Return what is left to read of a source, or why nothing of it can be read.

    Raises
    ------
    InputError
        If the store was filled from another chain than the node's.
    RpcError
        If the node does not answer.
    MarketError
        If a registry does not answer as one.
    """
    refusal = out_of_reach(source)
    if refusal is not None:
        return refusal
    if not await has_code(node, source.address, window.settled):
        return Refusal(Reason.NO_CONTRACT, f"there is no contract at {source.address}")
    before = await asyncio.to_thread(store.progress, network.name, source.name)
    if source.is_registry:
        return await _plan_list(node, store, source, before, window.settled)
    if before is not None and (window.from_block is None or window.from_block >= before.first):
        await _check_same_chain(node, store, before)
        return Scan(source, before, before.first, before.next, window.last)
    begin: int | Refusal | None = window.from_block
    if begin is None:
        begin = await deployment_block(node, source.address, window.settled)
    if isinstance(begin, Refusal):
        return Scan(source, before, 0, 0, window.last, begin)
    return Scan(source, before, begin, begin, window.last)


async def settled_block(node: Node, confirmations: int) -> BlockHeader:
    """Return the header of the newest block that so many blocks stand on.

    Raises
    ------
    InputError
        If the chain is not that long.
    RpcError
        If the node does not answer, or with something else than a header.
    """
    head = head_from_json(await node.call("eth_getBlockByNumber", ["latest", False])).header
    if confirmations == 0:
        return head
    if head.number < confirmations:
        raise InputError(
            f"the node's chain ends at block {head.number}, so none has {confirmations} confirmations; ask "
            "for fewer with --confirmations"
        )
    settled = hex(head.number - confirmations)
    return head_from_json(await node.call("eth_getBlockByNumber", [settled, False])).header


async def check_chain_id(node: Node, network: Network) -> None:
    """Check that a node is of the chain that is meant.

    Raises
    ------
    InputError
        If it is of another one.
    RpcError
        If it does not say.
    """
    answer = await node.call("eth_chainId", [])
    try:
        chain_id = int(answer, 16)
    except (TypeError, ValueError):
        raise RpcError(
            "the node does not say its chain id; is it a node's address?", method="eth_chainId", code=0
        ) from None
    if chain_id != network.chain_id:
        raise InputError(
            f"the node is of chain {chain_id}, {network.title} is {network.chain_id}; name another node "
            "with --rpc, or another chain with --chain",
            reason=Reason.NODE_WRONG_CHAIN,
            chain_id=chain_id,
        )


async def _plan_list(
    node: Node, store: PoolStore, source: PoolSource, before: Progress | None, block: int
) -> Scan:
    count = await ask(node, length(source), hex(block))
    first = 0 if before is None else before.next
    if count < first:
        raise _another_chain(store, f"{source.name} lists {count} pools, {first} were read")
    return Scan(source, before, 0, first, count - 1)


async def _check_same_chain(node: Node, store: PoolStore, before: Progress) -> None:
    """Refuse to go on where the last block that was read is another one now."""
    number = before.next - 1
    answer = await node.call("eth_getBlockByNumber", [hex(number), False])
    if answer is None or head_from_json(answer).header.hash != before.block_hash:
        raise _another_chain(store, f"block {number} is another one than was read")


def _another_chain(store: PoolStore, detail: str) -> InputError:
    return InputError(
        f"the node's chain is not the one that {store.where} was filled from: {detail}; name another store "
        "with --db, or another node",
        store=store.where,
    )
