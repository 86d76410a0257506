"""The last rows of a run while it goes on: in this process, and in Redis where one is named.

Redis is a mirror. What it does not take is counted, and given to it again when it answers: the rows of this
process are there for that. Whatever Redis does, it ends nothing.
"""

from __future__ import annotations

import structlog

from core.errors import InputError
from core.reasons import Reason
from features.feature import FeatureRow
from features.feature_set import FeatureSet
from features.online import DEPTH, OnlineStore, RedisStore, RingStore

SLOWEST_SECONDS = 0.25
"""How long Redis may take to answer."""
LEFT_ALONE = 16
"""Rows that a Redis which has failed is not asked to take."""

log = structlog.get_logger(__name__)


class OnlineRows:
    """The last rows of one feature set.

    Parameters
    ----------
    features
        The set.
    mirror
        Where the rows shall be found by other processes, too; it is emptied first. ``None`` for nowhere.
    """

    def __init__(self, features: FeatureSet, mirror: OnlineStore | None = None) -> None:
        self.rows = RingStore(features)
        self.missed = 0
        """Rows that the mirror did not take when they came."""
        self._name = features.name
        self._mirror = mirror
        # from this height on the mirror may hold other rows; all of them are of an earlier run at first
        self._behind: int | None = 0
        self._left_alone = 0

    def put(self, row: FeatureRow) -> None:
        """Keep a row; rows of its block and above are replaced by it."""
        self.rows.put(row)
        self._owe(row.block_number)
        if self._mirror is not None and not self._caught_up():
            self.missed += 1

    def rollback(self, to_number: int) -> None:
        """Forget rows above a height; the mirror does so with the next row."""
        self.rows.rollback(to_number)
        self._owe(to_number + 1)

    def close(self) -> None:
        """Give the mirror what it lacks, if it answers now."""
        self._left_alone = 0
        if self._mirror is not None and self._behind is not None:
            self._caught_up()

    def _owe(self, number: int) -> None:
        self._behind = number if self._behind is None else min(self._behind, number)

    def _caught_up(self) -> bool:
        """Give the mirror the rows that it lacks; return whether it took them."""
        if self._left_alone:
            self._left_alone -= 1
            return False
        behind, mirror = self._behind or 0, self._mirror
        assert mirror is not None
        try:
            mirror.rollback(behind - 1)
            for row in self.rows.latest(DEPTH):
                if row.block_number >= behind:
                    mirror.put(row)
        except Exception as error:  # somebody else's server: no way in which it fails may end a run
            log.warning(
                "online store failed",
                reason=Reason.ONLINE_STORE_FAILED.value,
                set=self._name,
                detail=str(error),
            )
            # it may come back empty, so it is given all of them
            self._left_alone, self._behind = LEFT_ALONE, 0
            return False
        self._behind = None
        return True


def redis_store(url: str, features: FeatureSet) -> RedisStore:
    """Return the store of a set in Redis; it connects with its first row.

    Raises
    ------
    InputError
        If the client is not installed, or the URL is none of Redis.
    """
    try:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise InputError(
            "storage.redis_url needs the Redis client; install it with `pip install redis`, or leave it out"
        ) from None
    try:
        client = Redis.from_url(
            url,
            socket_timeout=SLOWEST_SECONDS,
            socket_connect_timeout=SLOWEST_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise InputError(f"storage.redis_url is no URL of Redis: {error}") from None
    return RedisStore(client, features)
