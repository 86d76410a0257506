"""Logs of many blocks by ``eth_getLogs``, in ranges as large as the node allows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from chain.blocks import Address, RawLog
from chain.log_limits import Limit, limit_of, suggested_blocks
from chain.log_repair import ask_again, hash_field, placed_from_json, repair_logs
from chain.providers import Request
from core.errors import RpcError
from core.reasons import Reason, Refusal

Topics = bytes | Sequence[bytes] | None
"""What one topic may be: a value, one of several, or anything."""

_BUSY_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before a node that has too much to do is asked again."""
_WRONG_WAITS = (0.05, 0.2, 0.5)
"""Seconds before a node whose answer cannot be used is asked again."""
_STEADY = 4
"""Successes in a row after which a larger range is tried."""


class BatchNode(Protocol):
    """What asking for ranges needs of a node; :class:`chain.providers.Provider` has it."""

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Return the results of several requests, all from the same node."""
        ...


@dataclass(frozen=True, slots=True)
class LogRange:
    """Logs of consecutive blocks.

    Parameters
    ----------
    first, last
        Block numbers, both included.
    logs
        In order of block and log index, each once.
    hashes
        By number, the hash of every block that holds one of the logs, and of the last block: what a
        caller near the head compares with the branch it follows.
    repairs
        How many logs were put right, and how many answers could not be used, by reason.
    """

    first: int
    last: int
    logs: tuple[RawLog, ...]
    hashes: Mapping[int, bytes]
    repairs: Mapping[Reason, int]


async def logs_between(
    node: BatchNode,
    first: int,
    last: int,
    *,
    addresses: Sequence[Address] = (),
    topics: Sequence[Topics] = (),
    span: int = 2_000,
) -> AsyncIterator[LogRange]:
    """Deliver the logs of blocks ``first`` to ``last`` in order, without hole or overlap.

    A range that the node refuses is made smaller: to what the refusal suggests, or to half. After
    successes it grows again. The node shows the last block of a range together with its logs, so
    that a node which does not have that block yet cannot pass for one without logs.

    Parameters
    ----------
    node
        Where to ask.
    first, last
        Block numbers, both included; nothing is asked if ``last`` is below ``first``.
    addresses
        Contracts whose logs are wanted; none means all.
    topics
        By position, as ``eth_getLogs`` takes them.
    span
        Most blocks of one range.

    Raises
    ------
    RpcError
        If the node does not answer, refuses a single block, does not have a block, or goes on
        sending what cannot be used (``reason`` says what).
    """
    size = _RangeSize(span)
    criteria = _criteria(addresses, topics)
    while first <= last:
        end = min(first + size.blocks - 1, last)
        try:
            found = await _patient_range(node, first, end, criteria)
        except RpcError as error:
            if limit_of(error) is not Limit.SMALLER:
                raise
            if end == first:
                raise _alone(error, first) from error
            size.refused(error, first, end)
            continue
        yield found
        first = end + 1
        size.grow()


class _RangeSize:
    """How many blocks to ask for next: at once less after a refusal, slowly more after successes."""

    def __init__(self, most: int) -> None:
        self.blocks = self._most = max(most, 1)
        self._successes = 0

    def refused(self, error: RpcError, first: int, last: int) -> None:
        asked = last - first + 1
        suggested = suggested_blocks(error, first)
        self.blocks = suggested if suggested is not None and suggested < asked else asked // 2
        self._successes = 0

    def grow(self) -> None:
        self._successes += 1
        if self._successes % _STEADY == 0:
            self.blocks = min(self.blocks + self.blocks // 2 + 1, self._most)


async def _patient_range(node: BatchNode, first: int, last: int, criteria: Mapping[str, Any]) -> LogRange:
    """Ask for one range; again where the node is busy, or where its answer cannot be used."""
    busy, wrong = iter(_BUSY_WAITS), iter(_WRONG_WAITS)
    refused: Counter[Reason] = Counter()
    while True:
        try:
            found = await _range(node, first, last, criteria)
            return replace(found, repairs=refused + Counter(found.repairs))
        except RpcError as error:
            limit = limit_of(error)
            if limit not in (Limit.SLOWER, Limit.AGAIN):
                raise
            pause = next(busy if limit is Limit.SLOWER else wrong, None)
            if pause is None:
                raise
            if limit is Limit.AGAIN:
                refused[Reason(error.fields["reason"])] += 1
        await asyncio.sleep(pause)


async def _range(node: BatchNode, first: int, last: int, criteria: Mapping[str, Any]) -> LogRange:
    wanted = {"fromBlock": hex(first), "toBlock": hex(last), **criteria}
    ending = ("eth_getBlockByNumber", [hex(last), False])
    # the last block before and after, so that a reorganisation between the answers is seen
    before, answers, after = await node.batch([ending, ("eth_getLogs", [wanted]), ending])
    if not isinstance(before, dict) or not isinstance(after, dict):
        raise ask_again(Reason.NODE_BEHIND, f"the node does not have block {last} yet; ask another node")
    if not isinstance(answers, list) or not all(isinstance(fields, dict) for fields in answers):
        raise ask_again(Reason.CORRUPT_LOG, "the node's answer is no list of logs; ask another node")
    hashes = {last: hash_field(after, "hash")}
    if hash_field(before, "hash") != hashes[last]:
        raise ask_again(Reason.BLOCK_REPLACED, f"block {last} was replaced while its logs were asked for")
    placed = [placed_from_json(fields) for fields in answers]
    repaired = repair_logs(placed, first, last, hashes=hashes, addresses=criteria.get("address", ()))
    if isinstance(repaired, Refusal):
        raise ask_again(repaired.reason, f"{repaired}; the node contradicts itself, ask another node")
    hashes |= {item.log.block_number: item.block_hash for item in placed}
    return LogRange(first, last, repaired.logs, hashes, repaired.repairs)


def _criteria(addresses: Sequence[Address], topics: Sequence[Topics]) -> dict[str, Any]:
    criteria: dict[str, Any] = {"topics": [_topic(topic) for topic in topics]} if topics else {}
    if addresses:
        criteria["address"] = [address.lower() for address in addresses]
    return criteria


def _topic(topic: Topics) -> str | list[str] | None:
    if topic is None:
        return None
    if isinstance(topic, bytes):
        return "0x" + topic.hex()
    return ["0x" + choice.hex() for choice in topic]


def _alone(error: RpcError, number: int) -> RpcError:
    text = f"the node refuses the logs of block {number} alone ({error.fields.get('message')})"
    return RpcError(f"{text}; use another node", **{**error.fields, "message": text})
