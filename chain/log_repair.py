"""What a node sends as the logs of some blocks, put right: order and duplicates, by name.

What cannot be put right without guessing is refused, and the caller asks the node again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chain.blocks import Address, RawLog
from chain.wire import log_from_json
from core.errors import RpcError
from core.reasons import Reason, Refusal

_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class PlacedLog:
    """A log, and the hash of the block that it names."""

    block_hash: bytes
    log: RawLog


@dataclass(frozen=True, slots=True)
class RepairedLogs:
    """Logs in order, each once.

    Parameters
    ----------
    logs
        Ordered by block number, then log index.
    duplicates
        Identical copies that were dropped.
    displaced
        Logs that came after one with a higher position.
    """

    logs: tuple[RawLog, ...]
    duplicates: int = 0
    displaced: int = 0

    @property
    def repairs(self) -> Mapping[Reason, int]:
        """How many logs were put right, by reason; empty where nothing was wrong."""
        counts = {Reason.DUPLICATE_LOG: self.duplicates, Reason.REORDERED_LOG: self.displaced}
        return {reason: count for reason, count in counts.items() if count}


def placed_from_json(fields: Mapping[str, Any]) -> PlacedLog:
    """Read a log together with its block's hash.

    Raises
    ------
    RpcError
        If a field is missing, no hex or too short; ``reason`` is ``corrupt_log``.
    """
    try:
        log = log_from_json(fields)
    except RpcError as error:
        raise _corrupt(error.message) from None
    block_hash = hash_field(fields, "blockHash")
    if len(log.address) != 42 or len(log.topics) > 4 or any(len(topic) != 32 for topic in log.topics):
        raise _corrupt(f"the node sent a log whose address or topics are cut short, {_place(log)}")
    return PlacedLog(block_hash, log)


def repair_logs(
    placed: Iterable[PlacedLog],
    first: int,
    last: int,
    *,
    hashes: Mapping[int, bytes] | None = None,
    addresses: Collection[Address] = (),
) -> RepairedLogs | Refusal:
    """Return the logs of blocks ``first`` to ``last`` in order and each once, or why that is impossible.

    Parameters
    ----------
    placed
        Logs as they arrived.
    first, last
        Numbers of the blocks they were asked for, both included.
    hashes
        By block number, the hash that a block must have; a block that is not named may have any,
        but only one.
    addresses
        Contracts that were asked for; none means all.

    Returns
    -------
    RepairedLogs | Refusal
        ``foreign_log`` where a log belongs to another block, branch or contract, ``contradictory_log`` where
        two different logs claim one position.

    Examples
    --------
    >>> log = RawLog(7, 0, 0, b"t", "0x" + "00" * 20, (), b"")
    >>> repaired = repair_logs([PlacedLog(b"h", log), PlacedLog(b"h", log)], 7, 7)
    >>> len(repaired.logs), repaired.repairs
    (1, {<Reason.DUPLICATE_LOG: 'duplicate_log'>: 1})
    >>> print(repair_logs([PlacedLog(b"h", log)], 8, 9))
    foreign_log: a log of block 7 came among those of blocks 8 to 9
    """
    branch = dict(hashes or {})
    found: dict[tuple[int, int], RawLog] = {}
    duplicates = displaced = 0
    furthest = (-1, -1)
    for item in placed:
        log, position = item.log, (item.log.block_number, item.log.log_index)
        if not first <= log.block_number <= last:
            return _foreign(f"a log of block {log.block_number} came among those of blocks {first} to {last}")
        if branch.setdefault(log.block_number, item.block_hash) != item.block_hash:
            return _foreign(f"a log of another branch came, {_place(log)}")
        if addresses and log.address not in addresses:
            return _foreign(f"a log of {log.address} came, which was not asked for")
        if position in found:
            if found[position] != log:
                return Refusal(Reason.CONTRADICTORY_LOG, f"two logs claim {_place(log)}")
            duplicates += 1
            continue
        found[position] = log
        displaced += position < furthest
        furthest = max(furthest, position)
    return RepairedLogs(tuple(found[position] for position in sorted(found)), duplicates, displaced)


def hear(heard: dict[int, RawLog | None], log: RawLog) -> Reason | None:
    """Add an announced log to those of its block, and tell what was wrong with it, if anything.

    Where two announcements contradict each other neither is kept: only the node's answer to a
    direct question can tell which is right, and the None in their place makes sure that it is asked.
    """
    index = log.log_index
    if index not in heard:
        late = bool(heard) and index < next(reversed(heard))
        heard[index] = log
        return Reason.REORDERED_LOG if late else None
    if heard[index] == log:
        return Reason.DUPLICATE_LOG
    heard[index] = None
    return Reason.CONTRADICTORY_LOG


def hash_field(fields: Mapping[str, Any], name: str) -> bytes:
    """Return a field of 32 bytes.

    Raises
    ------
    RpcError
        If it is missing, no hex, or of another length.
    """
    with suppress(ValueError):
        value = bytes.fromhex(str(fields.get(name)).removeprefix("0x"))
        if len(value) == _HASH_BYTES:
            return value
    raise _corrupt(f"the node sent a {name} that is no hash")


def ask_again(reason: Reason, message: str) -> RpcError:
    """Return the error for an answer that must not be used, with the code of the reason in its fields."""
    return RpcError(message, method="eth_getLogs", code=0, message=message, data=None, reason=reason.value)


def _corrupt(message: str) -> RpcError:
    return ask_again(Reason.CORRUPT_LOG, message)


def _foreign(detail: str) -> Refusal:
    return Refusal(Reason.FOREIGN_LOG, detail)


def _place(log: RawLog) -> str:
    return f"index {log.log_index} of block {log.block_number}"
