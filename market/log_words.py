"""Words of a log, read one by one; what does not fit its type is an error that names the log's position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from chain.blocks import Address, RawLog
from core.errors import TapeError
from market.pools.v3_math import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK

E = TypeVar("E")
Decoders = Mapping[bytes, tuple[int, Callable[[RawLog], E]]]
"""First topic to the number of topics that its kind has, and what builds the event."""


def decoded(log: RawLog, decoders: Decoders[E]) -> E | None:
    """Return what the decoder of a log's first topic makes of it, ``None`` if there is none.

    Parameters
    ----------
    log
        One log.
    decoders
        What each kind of log is decoded by.

    Raises
    ------
    TapeError
        If topics or data do not fit the kind; ``fields`` hold block, log index and address.
    """
    decoder = decoders.get(log.topics[0]) if log.topics else None
    if decoder is None:
        return None
    count, build = decoder
    if len(log.topics) != count:
        raise malformed(log, f"expected {count} topics, got {len(log.topics)}")
    if len(log.data) % 32 or any(len(topic) != 32 for topic in log.topics):
        raise malformed(log, "topics and data must be whole 32-byte words")
    return build(log)


def malformed(log: RawLog, why: str) -> TapeError:
    """Return the error of a log that does not fit its kind."""
    return TapeError(
        f"log {log.log_index} of block {log.block_number} is malformed: {why}; fetch the block again",
        block=log.block_number,
        log_index=log.log_index,
        address=log.address,
    )


class LogWords:
    """Reads ABI words of one log and refuses those that do not fit their type.

    Parameters
    ----------
    log
        The log.
    count
        How many words its data must have; ``None`` if it has arrays.
    """

    __slots__ = ("data", "log")

    def __init__(self, log: RawLog, count: int | None) -> None:
        self.log = log
        self.data = log.data
        if count is not None and len(log.data) != 32 * count:
            raise malformed(log, f"expected {count} words of data, got {len(log.data) / 32:g}")

    def unsigned(self, index: int, bits: int = 256) -> int:
        """Return an unsigned word that fits so many bits."""
        value = int.from_bytes(self.data[32 * index : 32 * index + 32], "big")
        if value >> bits:
            raise malformed(self.log, f"word {index} exceeds {bits} bits")
        return value

    def signed(self, index: int, bits: int = 256) -> int:
        """Return a signed word that fits so many bits."""
        value = int.from_bytes(self.data[32 * index : 32 * index + 32], "big", signed=True)
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise malformed(self.log, f"word {index} exceeds {bits} bits")
        return value

    def tick(self, index: int) -> int:
        """Return a tick inside the range."""
        return checked_tick(self.log, self.signed(index))

    def sqrt_price(self, index: int) -> int:
        """Return a square-root price inside the range of ticks."""
        value = self.unsigned(index, 160)
        if not MIN_SQRT_RATIO <= value < MAX_SQRT_RATIO:
            raise malformed(self.log, f"price {value} is outside the range of ticks")
        return value

    def array(self, head: int) -> tuple[int, int]:
        """Return (index of first element, length) of a dynamic array."""
        offset = self.unsigned(head)
        if offset % 32 or offset + 32 > len(self.data):
            raise malformed(self.log, f"array offset {offset} is outside the data")
        length = self.unsigned(offset // 32)
        if offset + 32 + 32 * length > len(self.data):
            raise malformed(self.log, f"array of {length} elements runs past the data")
        return offset // 32 + 1, length

    def address(self, index: int) -> Address:
        """Return an address."""
        return f"0x{self.unsigned(index, 160):040x}"


def checked_tick(log: RawLog, value: int) -> int:
    """Return a tick that is inside the range."""
    if not MIN_TICK <= value <= MAX_TICK:
        raise malformed(log, f"tick {value} is out of range")
    return value


def topic_address(log: RawLog, index: int) -> Address:
    """Return the address in a topic."""
    if any(log.topics[index][:12]):
        raise malformed(log, f"topic {index} is not an address")
    return "0x" + log.topics[index][12:].hex()


def place(log: RawLog) -> tuple[str, Address, int, int, int]:
    """Return pool, contract and position in the chain of a log that the pool's own contract wrote."""
    return log.address, log.address, log.block_number, log.log_index, log.transaction_index


def place_in_vault(log: RawLog) -> tuple[str, Address, int, int, int]:
    """Return the same of a log that names the pool in its first indexed argument."""
    return "0x" + log.topics[1].hex(), *place(log)[1:]


def position_ticks(log: RawLog) -> tuple[int, int]:
    """Return the ticks of a position, from the last two topics."""
    lower, upper = (checked_tick(log, int.from_bytes(topic, "big", signed=True)) for topic in log.topics[2:4])
    if lower >= upper:
        raise malformed(log, f"tick {lower} is not below {upper}")
    return lower, upper
