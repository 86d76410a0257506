"""Pools and refusals of one file, gathered entry by entry: a bad entry costs itself only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from core.errors import MarketError
from core.reasons import Reason, Refusal
from market.pools.pool import Pool
from market.snapshots.fields import Unusable


@dataclass(slots=True)
class Collected:
    """What could be read so far, and why the rest could not."""

    refused: dict[str, Refusal] = field(default_factory=dict)
    _pools: dict[str, Pool] = field(default_factory=dict)

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The pools that are there once, in order."""
        return tuple(pool for pool in self._pools.values() if pool.pool_id not in self.refused)

    def take(self, name: str, build: Callable[[], Pool]) -> None:
        """Add the pool that ``build`` returns, or a refusal under ``name``.

        Of two pools with one id neither is kept: nothing tells which is right.
        """
        try:
            pool = build()
        except Unusable as error:
            self.refused[name] = error.refusal
            return
        except MarketError as error:
            self.refused[name] = Refusal(Reason.IMPOSSIBLE_STATE, error.message)
            return
        if pool.pool_id in self._pools:
            self.refused[pool.pool_id] = Refusal(Reason.DUPLICATE_ID, "two entries are this pool")
        self._pools[pool.pool_id] = pool
