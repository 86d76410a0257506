"""Raw logs as columns: positions, addresses by number, and all topics and data in two byte buffers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from chain.blocks import Address, RawLog

_WORD = 32

T = TypeVar("T", bound=np.generic)


class Hashes(Protocol):
    """Transaction hashes by place."""

    def __getitem__(self, place: int, /) -> bytes:
        """Return the hash of a log's transaction."""
        ...


@dataclass(frozen=True, slots=True)
class RawLogs:
    """Logs in order.

    Parameters
    ----------
    block_number, log_index, transaction_index
        Shape ``(n,)``, int64.
    address
        Place in ``addresses``, shape ``(n,)``, int32.
    addresses
        The different addresses.
    transaction_hashes
        32 bytes each.
    topics, data
        All bytes one after another, uint8.
    topics_at, data_at
        Where each log's begin, and at last the end: shape ``(n + 1,)``, int64. A log whose topics are not
        whole words has none here; ``odd`` holds it.
    odd
        Logs that do not fit columns, by their place.
    """

    block_number: NDArray[np.int64]
    log_index: NDArray[np.int64]
    transaction_index: NDArray[np.int64]
    address: NDArray[np.int32]
    addresses: tuple[Address, ...]
    transaction_hashes: Hashes
    topics: NDArray[np.uint8]
    topics_at: NDArray[np.int64]
    data: NDArray[np.uint8]
    data_at: NDArray[np.int64]
    odd: dict[int, RawLog]

    def __len__(self) -> int:
        return len(self.address)

    def log(self, place: int) -> RawLog:
        """Return one log."""
        if place in self.odd:
            return self.odd[place]
        topics = self.topics[self.topics_at[place] : self.topics_at[place + 1]].tobytes()
        return RawLog(
            int(self.block_number[place]),
            int(self.log_index[place]),
            int(self.transaction_index[place]),
            self.transaction_hashes[place],
            self.addresses[self.address[place]],
            tuple(topics[at : at + _WORD] for at in range(0, len(topics), _WORD)),
            self.data[self.data_at[place] : self.data_at[place + 1]].tobytes(),
        )


def raw_logs(logs: Sequence[RawLog]) -> RawLogs:
    """Return logs as columns."""
    places: dict[Address, int] = {}
    address = [places.setdefault(log.address, len(places)) for log in logs]
    sizes = {len(topic) for log in logs for topic in log.topics}
    odd = {} if sizes <= {_WORD} else {place: log for place, log in enumerate(logs) if _is_odd(log)}
    topics = [b"" if place in odd else b"".join(log.topics) for place, log in enumerate(logs)]
    data = [log.data for log in logs]
    return RawLogs(
        fixed(np.array([log.block_number for log in logs], dtype=np.int64)),
        fixed(np.array([log.log_index for log in logs], dtype=np.int64)),
        fixed(np.array([log.transaction_index for log in logs], dtype=np.int64)),
        fixed(np.array(address, dtype=np.int32)),
        tuple(places),
        [log.transaction_hash for log in logs],
        np.frombuffer(b"".join(topics), dtype=np.uint8),
        _ends(topics),
        np.frombuffer(b"".join(data), dtype=np.uint8),
        _ends(data),
        odd,
    )


def fixed(array: NDArray[T]) -> NDArray[T]:
    """Return an array that cannot be written, the only kind the decoder is compiled for."""
    array.flags.writeable = False
    return array


def _is_odd(log: RawLog) -> bool:
    return any(len(topic) != _WORD for topic in log.topics)


def _ends(parts: Sequence[bytes]) -> NDArray[np.int64]:
    ends = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=ends[1:])
    return fixed(ends)
