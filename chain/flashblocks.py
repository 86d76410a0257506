"""Flashblocks: the parts of the next block of Base and OP, as the sequencer builds them.

These chains have no public mempool; what is pending there is the block under construction. It comes
in parts: part 0 names the block, each later one adds transactions. A part is a promise of the
sequencer and no block: deliver blocks with a :class:`~chain.feeds.Feed`, and use parts to see earlier.

References
----------
OP Stack specification, "Flashblocks"; Base documentation, "Flashblocks WebSocket".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from chain.blocks import RawLog
from chain.freshness import FreshnessSnapshot
from chain.message_stream import MessageStream
from core.reasons import Reason, Refusal
from core.seams import Clock

PART_SECONDS = 0.2
"""Usual time between two parts."""
_SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newFlashblocks"]}


@dataclass(frozen=True, slots=True)
class PartialBlock:
    """One part of a block that is being built.

    Parameters
    ----------
    number
        Height of the block.
    index
        Which part; 0 is the first.
    parent_hash
        Hash of the block before, 32 bytes.
    timestamp
        Seconds since the epoch, of the block.
    base_fee
        Wei per gas.
    transactions
        Signed bytes of the transactions that this part adds, in order.
    logs
        Logs of these transactions with their places in the block; None where the message holds no
        receipts for all of them.
    known_at_ns
        Wall-clock nanoseconds at which the part came.
    """

    number: int
    index: int
    parent_hash: bytes
    timestamp: int
    base_fee: int
    transactions: tuple[bytes, ...]
    logs: tuple[RawLog, ...] | None
    known_at_ns: int


@dataclass(slots=True)
class _Building:
    """The block that parts are being received of."""

    payload_id: str
    base: Mapping[str, Any]
    next_index: int = 0
    transactions: int = 0
    logs: int | None = 0  # None once receipts were missing: later logs have no known place

    @property
    def number(self) -> int:
        return int(self.base["block_number"], 16)


class FlashblockAssembler:
    """Turns messages into parts in order; a pure state machine on what arrives.

    A part stands on the parts before it. Where one is missing, the rest of its block is refused, and
    the next block starts afresh.
    """

    def __init__(self) -> None:
        self._building: _Building | None = None

    def take(self, message: Mapping[str, Any], known_at_ns: int) -> PartialBlock | Refusal:
        """Return the part that a message holds, or why it cannot be used.

        Returns
        -------
        PartialBlock | Refusal
            ``flashblock_missing``, ``flashblock_duplicate`` or ``message_corrupt``.
        """
        try:
            payload_id, index = str(message["payload_id"]), int(message["index"])
            transactions = [_bytes(text) for text in message["diff"]["transactions"]]
            receipts = (message.get("metadata") or {}).get("receipts")
            if index == 0 and not self._known(payload_id):
                self._building = _started(payload_id, message["base"])
            building = self._building
            if building is None or building.payload_id != payload_id:
                return _missing(f"part {index} came without the first part of its block")
            if index < building.next_index:
                detail = f"part {index} of block {building.number} came again"
                return Refusal(Reason.FLASHBLOCK_DUPLICATE, detail)
            if index > building.next_index:
                return _missing(f"block {building.number} lacks part {building.next_index}, {index} came")
            logs = _logs(building, transactions, receipts)
            part = _part(building, index, transactions, logs, known_at_ns)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            detail = f"a flashblock cannot be read ({type(error).__name__}: {error})"
            return Refusal(Reason.MESSAGE_CORRUPT, detail)
        building.next_index += 1
        building.transactions += len(transactions)
        known = building.logs is not None and logs is not None
        building.logs = building.logs + len(logs) if known else None  # type: ignore[operator,arg-type]
        return part

    def _known(self, payload_id: str) -> bool:
        return self._building is not None and self._building.payload_id == payload_id


class FlashblocksFeed:
    """Follows the parts of blocks over a WebSocket.

    Parameters
    ----------
    urls
        Addresses of servers that send flashblocks as JSON text.
    clock
        Stamps parts, and measures how fresh the stream is.
    subscribe
        Ask with ``eth_subscribe`` first, as a node wants it; a bare stream sends unasked.
    silence_seconds
        Time without a message after which the connection is given up.
    give_up_seconds
        How long there may be no connection before ``FeedError``.
    """

    def __init__(
        self,
        urls: Sequence[str],
        clock: Clock,
        *,
        subscribe: bool = False,
        silence_seconds: float = 5.0,
        give_up_seconds: float = 300.0,
    ) -> None:
        self.stream = MessageStream(
            urls,
            PART_SECONDS,
            clock,
            greeting=_SUBSCRIBE if subscribe else None,
            silence_seconds=silence_seconds,
            give_up_seconds=give_up_seconds,
        )
        self._clock = clock
        self._assembler = FlashblockAssembler()

    @property
    def freshness(self) -> FreshnessSnapshot:
        """Age of the last message; one should come every 0.2 s."""
        return self.stream.freshness

    async def parts(self) -> AsyncIterator[PartialBlock]:
        """Deliver parts in order; what cannot be used is counted in ``stream.reasons``.

        Raises
        ------
        FeedError
            If there is no server for too long.
        """
        async for message in self.stream.messages():
            if "result" in message:
                continue  # the subscription was taken
            params = message.get("params")
            payload = params.get("result") if isinstance(params, dict) else message
            taken = self._assembler.take(payload or {}, self._clock.now_ns())
            if isinstance(taken, Refusal):
                self.stream.reasons[taken.reason] += 1
            else:
                yield taken


def _missing(detail: str) -> Refusal:
    return Refusal(Reason.FLASHBLOCK_MISSING, detail)


def _started(payload_id: str, base: Mapping[str, Any]) -> _Building:
    building = _Building(payload_id, base)
    if building.number < 0 or len(_bytes(base["parent_hash"])) != 32:
        raise ValueError("the first part names no parent")
    return building


def _part(
    building: _Building,
    index: int,
    transactions: Sequence[bytes],
    logs: Sequence[RawLog] | None,
    known_at_ns: int,
) -> PartialBlock:
    return PartialBlock(
        number=building.number,
        index=index,
        parent_hash=_bytes(building.base["parent_hash"]),
        timestamp=int(building.base["timestamp"], 16),
        base_fee=int(building.base["base_fee_per_gas"], 16),
        transactions=tuple(transactions),
        logs=None if logs is None else tuple(logs),
        known_at_ns=known_at_ns,
    )


def _logs(
    building: _Building, transactions: Sequence[bytes], receipts: Mapping[str, Any] | None
) -> list[RawLog] | None:
    """Return the logs of a part; their places follow from counting, because receipts name none."""
    if building.logs is None:
        return None
    logs: list[RawLog] = []
    by_hash = {name.lower(): receipt for name, receipt in (receipts or {}).items()}
    for place, transaction in enumerate(transactions, building.transactions):
        digest = keccak(transaction)
        receipt = by_hash.get("0x" + digest.hex())
        if receipt is None:
            return None
        if "logs" not in receipt:  # an older form names the kind of receipt around it
            (receipt,) = receipt.values()
        for fields in receipt["logs"]:
            logs.append(
                RawLog(
                    block_number=building.number,
                    log_index=building.logs + len(logs),
                    transaction_index=place,
                    transaction_hash=digest,
                    address=fields["address"].lower(),
                    topics=tuple(_bytes(topic) for topic in fields["topics"]),
                    data=_bytes(fields["data"]),
                )
            )
    return logs


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
