"""Arbitrum's sequencer feed: every transaction in the order it was given, before there is a block.

Arbitrum has no mempool; what its sequencer announces will be executed in that order.

References
----------
Arbitrum documentation, "How to read the sequencer feed"; Nitro, ``arbos/parse_l2.go``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from chain.freshness import FreshnessSnapshot
from chain.message_stream import MessageStream
from core.reasons import Reason, Refusal
from core.seams import Clock

MESSAGE_SECONDS = 0.25
"""Usual time between two messages, one for each block."""
VERSION = 1
_L2_MESSAGE = 3  # the header's kind of a message that holds transactions of the chain itself
_UNSIGNED, _BATCH, _SIGNED = (0, 1), 3, 4  # kinds within such a message
_MOST_MESSAGES = 2**64
_LONGEST_JUMP = 100_000
"""Messages, seven hours of them; a number further away is believed once its successor follows."""
_LENGTH_BYTES = 8
_DEEPEST = 16
_MOST_BYTES = 256 * 1024
_BLOB_TYPE = 3


@dataclass(frozen=True, slots=True)
class SequencedTransaction:
    """A signed transaction and its place in the order.

    Parameters
    ----------
    sequence_number
        Number of the message it came in; the chain makes one block of each message.
    index
        Place within the message.
    hash
        32 bytes.
    raw
        Signed bytes.
    l1_block_number
        Block of the chain below that the message names, which contracts see as ``block.number``.
    timestamp
        Seconds since the epoch, of the message.
    known_at_ns
        Wall-clock nanoseconds at which the message came.
    """

    sequence_number: int
    index: int
    hash: bytes
    raw: bytes
    l1_block_number: int
    timestamp: int
    known_at_ns: int


class SequenceReader:
    """Turns messages into transactions in order; a pure state machine on what arrives."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._far: int | None = None  # the last number that was too far away to believe
        self.missed = 0
        """Sequence numbers that never came."""
        self.unread = 0
        """Messages without signed transactions: deposits, retryable tickets, reports of batches."""

    def take(
        self, message: Mapping[str, Any], known_at_ns: int
    ) -> tuple[list[SequencedTransaction], list[Refusal]]:
        """Return the transactions of a broadcast, and what was wrong with it."""
        if "messages" not in message:
            return [], []  # only confirms what was sent before
        if message.get("version") != VERSION or not isinstance(message["messages"], list):
            return [], [_corrupt(f"a broadcast of version {message.get('version')}, not {VERSION}")]
        found: list[SequencedTransaction] = []
        problems: list[Refusal] = []
        for item in message["messages"]:
            try:
                number = int(item["sequenceNumber"])
                if not 0 <= number < _MOST_MESSAGES:
                    raise ValueError(f"sequence number {number}")
                problem = self._place(number)
                if problem is not None:
                    problems.append(problem)
                    if problem.reason is not Reason.SEQUENCE_GAP:
                        continue
                found += self._transactions(number, item["message"]["message"], known_at_ns)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                detail = f"a message cannot be read ({type(error).__name__}: {error})"
                problems.append(_corrupt(detail))
        return found, problems

    def _place(self, number: int) -> Refusal | None:
        expected, far = self._next, self._far
        self._far = None
        if expected is not None and abs(number - expected) > _LONGEST_JUMP:
            if far is None or number != far + 1:
                self._far = number
                return _corrupt(f"message {number} came where {expected} was due")
            self._next = number + 1
            self.missed += max(number - expected, 0)
            return Refusal(Reason.SEQUENCE_GAP, f"the sequence goes on at {number}, not at {expected}")
        self._next = max(number + 1, expected or 0)
        if expected is None or number == expected:
            return None
        if number < expected:
            return Refusal(Reason.SEQUENCE_DUPLICATE, f"message {number} came again")
        self.missed += number - expected
        return Refusal(Reason.SEQUENCE_GAP, f"messages {expected} to {number - 1} did not come")

    def _transactions(
        self, number: int, message: Mapping[str, Any], known_at_ns: int
    ) -> list[SequencedTransaction]:
        header = message["header"]
        if int(header["kind"]) != _L2_MESSAGE:
            self.unread += 1
            return []
        try:
            payload = base64.b64decode(message["l2Msg"], validate=True)
        except binascii.Error as error:
            raise ValueError(f"message {number} is no base64") from error
        if len(payload) > _MOST_BYTES:
            raise ValueError(f"message {number} has {len(payload)} bytes, more than the chain takes")
        block, timestamp = int(header["blockNumber"]), int(header["timestamp"])
        return [
            SequencedTransaction(number, index, keccak(raw), raw, block, timestamp, known_at_ns)
            for index, raw in enumerate(signed_transactions(payload))
        ]


def signed_transactions(payload: bytes, depth: int = 0) -> Iterator[bytes]:
    """Yield the signed transactions of a message, in order.

    A message starts with its kind: a signed transaction, or a batch of messages, each after its
    length in eight bytes. The chain ignores what stands after the last whole message of a batch;
    unsigned transactions, which come from the chain below, are passed over.

    Raises
    ------
    ValueError
        If a message is empty, nested too deeply, of a kind that cannot hold signed transactions, or
        holds a blob transaction, which the chain refuses.

    Examples
    --------
    >>> one = bytes([4]) + b"abc"
    >>> list(signed_transactions(bytes([3]) + len(one).to_bytes(8, "big") + one))
    [b'abc']
    """
    if not payload:
        raise ValueError("an empty message")
    kind, body = payload[0], payload[1:]
    if kind == _SIGNED:
        if not body or body[0] == _BLOB_TYPE:
            raise ValueError("a signed transaction that the chain refuses")
        yield body
    elif kind == _BATCH:
        if depth >= _DEEPEST:
            raise ValueError("batches nested too deeply")
        while len(body) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "big")
            if end > len(body):
                return
            yield from signed_transactions(body[_LENGTH_BYTES:end], depth + 1)
            body = body[end:]
    elif kind not in _UNSIGNED:
        raise ValueError(f"a message of kind {kind}")


class SequencerFeed:
    """Follows the sequencer's order over a WebSocket.

    Parameters
    ----------
    urls
        Addresses of feed relays, the own ones first.
    clock
        Stamps transactions, and measures how fresh the stream is.
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
        silence_seconds: float = 10.0,
        give_up_seconds: float = 300.0,
    ) -> None:
        self.stream = MessageStream(
            urls,
            MESSAGE_SECONDS,
            clock,
            silence_seconds=silence_seconds,
            give_up_seconds=give_up_seconds,
        )
        self.reader = SequenceReader()
        self._clock = clock

    @property
    def freshness(self) -> FreshnessSnapshot:
        """Age of the last message; one should come every 0.25 s."""
        return self.stream.freshness

    async def transactions(self) -> AsyncIterator[SequencedTransaction]:
        """Deliver transactions in order; what was wrong is counted in ``stream.reasons``.

        Raises
        ------
        FeedError
            If there is no server for too long.
        """
        async for message in self.stream.messages():
            found, problems = self.reader.take(message, self._clock.now_ns())
            for problem in problems:
                self.stream.reasons[problem.reason] += 1
            for transaction in found:
                yield transaction


def _corrupt(detail: str) -> Refusal:
    return Refusal(Reason.MESSAGE_CORRUPT, detail)
