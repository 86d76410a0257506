"""Online store: the last rows of every subject, in this process or in Redis.

Both have the same verbs. The Redis client is the caller's, so this room opens no connection.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Protocol

from core.errors import InputError
from features.feature import FeatureRow
from features.feature_set import FeatureSet
from features.frames import check_names

DEPTH = 256
"""Rows that are kept per subject."""


class OnlineStore(Protocol):
    """The last rows of every subject."""

    def put(self, row: FeatureRow) -> None:
        """Keep a row; one of a block that is there already replaces it."""
        ...

    def latest(self, count: int, subject: str = "") -> tuple[FeatureRow, ...]:
        """Return up to ``count`` rows, oldest first."""
        ...

    def rollback(self, to_number: int, subject: str = "") -> None:
        """Forget a subject's rows above a height."""
        ...


class RingStore:
    """Rows in this process.

    Parameters
    ----------
    features
        Feature set of the rows.
    depth
        Rows that are kept per subject.
    """

    def __init__(self, features: FeatureSet, depth: int = DEPTH) -> None:
        self._features = features
        self._depth = depth
        self._rows: dict[str, deque[FeatureRow]] = {}

    def put(self, row: FeatureRow) -> None:
        """Keep a row; rows of its block and above are replaced by it."""
        check_names(row, self._features)
        self.rollback(row.block_number - 1, row.subject)
        self._rows.setdefault(row.subject, deque(maxlen=self._depth)).append(row)

    def latest(self, count: int, subject: str = "") -> tuple[FeatureRow, ...]:
        """Return up to ``count`` rows, oldest first."""
        kept = tuple(self._rows.get(subject, ()))
        return kept[max(len(kept) - count, 0) :]

    def rollback(self, to_number: int, subject: str = "") -> None:
        """Forget a subject's rows above a height."""
        kept = self._rows.get(subject)
        while kept and kept[-1].block_number > to_number:
            kept.pop()


class RedisStore:
    """Rows in Redis: one sorted set per subject, scored by height.

    Keys carry the hash of the feature set, so that rows of other definitions are never read.

    Parameters
    ----------
    client
        A ``redis.Redis``.
    features
        Feature set of the rows.
    depth
        Rows that are kept per subject.
    prefix
        First part of every key.
    """

    def __init__(
        self, client: Any, features: FeatureSet, depth: int = DEPTH, prefix: str = "omniarb:features"
    ) -> None:
        self._client = client
        self._features = features
        self._depth = depth
        self._prefix = f"{prefix}:{features.name}:{features.digest[:16]}"

    def put(self, row: FeatureRow) -> None:
        """Keep a row; rows of its block and above are replaced by it, in one transaction."""
        check_names(row, self._features)
        key = self._key(row.subject)
        with self._client.pipeline(transaction=True) as together:
            together.zremrangebyscore(key, row.block_number, "+inf")
            together.zadd(key, {_encode(row): row.block_number})
            together.zremrangebyrank(key, 0, -self._depth - 1)
            together.execute()

    def latest(self, count: int, subject: str = "") -> tuple[FeatureRow, ...]:
        """Return up to ``count`` rows, oldest first.

        Raises
        ------
        InputError
            If what is stored is no row.
        """
        found = self._client.zrange(self._key(subject), -count, -1) if count > 0 else ()
        return tuple(_decode(text, self._features) for text in found)

    def rollback(self, to_number: int, subject: str = "") -> None:
        """Forget a subject's rows above a height."""
        self._client.zremrangebyscore(self._key(subject), f"({to_number}", "+inf")

    def _key(self, subject: str) -> str:
        return f"{self._prefix}:{subject}"


def _encode(row: FeatureRow) -> str:
    # Python writes the shortest text that reads back as the same float
    head = [row.block_number, row.event_time, row.known_at_ns]
    return json.dumps([*head, row.values, row.missing, row.subject])


def _decode(text: bytes | str, features: FeatureSet) -> FeatureRow:
    try:
        number, event_time, known_at_ns, values, missing, subject = json.loads(text)
        row = FeatureRow(
            int(number),
            int(event_time),
            int(known_at_ns),
            features.names,
            tuple(map(float, values)),
            tuple(map(str, missing)),
            str(subject),
        )
    except (ValueError, TypeError) as error:
        raise InputError("a stored feature row is damaged; delete its key", detail=str(error)) from None
    if len(row.values) != len(features.names):
        raise InputError("a stored feature row has too few values; delete its key", values=len(row.values))
    return row
