"""Clock, randomness and ids come through here, so that a seed replays a run bit for bit."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


class Clock(Protocol):
    """Source of time."""

    def now_ns(self) -> int:
        """Return wall-clock nanoseconds since the epoch."""
        ...

    def monotonic_ns(self) -> int:
        """Return nanoseconds that never go backwards, for latencies."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Return wall-clock nanoseconds since the epoch."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return nanoseconds that never go backwards."""
        return time.perf_counter_ns()


@dataclass(slots=True)
class ManualClock:
    """A clock that moves only when told to.

    Examples
    --------
    >>> clock = ManualClock(now=5)
    >>> clock.advance(7)
    >>> clock.now_ns(), clock.monotonic_ns()
    (12, 12)
    """

    now: int = 0

    def now_ns(self) -> int:
        """Return the time last set, in nanoseconds."""
        return self.now

    def monotonic_ns(self) -> int:
        """Return the time last set, in nanoseconds."""
        return self.now

    def advance(self, nanoseconds: int) -> None:
        """Move the clock forward.

        Raises
        ------
        ValueError
            If asked to go back.
        """
        if nanoseconds < 0:
            raise ValueError("a clock does not go back")
        self.now += nanoseconds


@dataclass(frozen=True, slots=True)
class Randomness:
    """Independent random streams, one per name, all derived from one seed.

    A new consumer asks for a new name, so adding one never shifts the draws of another.

    Examples
    --------
    >>> a = Randomness(7).stream("flow").integers(0, 100, 3).tolist()
    >>> b = Randomness(7).stream("flow").integers(0, 100, 3).tolist()
    >>> c = Randomness(7).stream("bots").integers(0, 100, 3).tolist()
    >>> a == b, a == c
    (True, False)
    """

    seed: int

    def stream(self, name: str) -> np.random.Generator:
        """Return the generator that belongs to ``name``."""
        return np.random.Generator(np.random.PCG64(self.derive(name)))

    def derive(self, name: str) -> int:
        """Return a 64-bit seed that belongs to ``name``, for libraries that want an integer."""
        digest = hashlib.sha256(f"{self.seed}:{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big")


@dataclass(slots=True)
class Ids:
    """Short ids that repeat with the seed: ``decision-000001``, ``bundle-000001`` and so on.

    Examples
    --------
    >>> ids = Ids()
    >>> ids.next("bundle"), ids.next("bundle"), ids.next("decision")
    ('bundle-000001', 'bundle-000002', 'decision-000001')
    """

    _counts: dict[str, int] = field(default_factory=dict)

    def next(self, kind: str) -> str:
        """Return the next id of this kind."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}-{self._counts[kind]:06d}"
