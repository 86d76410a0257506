"""How old the newest message of a stream is, against how often one should come."""

from __future__ import annotations

from dataclasses import dataclass

from core.seams import Clock


@dataclass(frozen=True, slots=True)
class FreshnessSnapshot:
    """Freshness of a stream at a moment.

    Parameters
    ----------
    age_seconds
        Time since the last message; None before the first.
    expected_seconds
        Usual time between two messages.
    longest_seconds
        Longest time between two messages so far.
    messages
        Messages so far.
    """

    age_seconds: float | None
    expected_seconds: float
    longest_seconds: float
    messages: int

    @property
    def fresh(self) -> bool:
        """Whether the last message is no older than five usual pauses."""
        return self.age_seconds is not None and self.age_seconds <= 5 * self.expected_seconds


class FreshnessGauge:
    """Measures the age of the last message.

    Parameters
    ----------
    expected_seconds
        Usual time between two messages.
    clock
        Source of time.

    Examples
    --------
    >>> from core.seams import ManualClock
    >>> clock = ManualClock()
    >>> gauge = FreshnessGauge(0.2, clock)
    >>> gauge.snapshot().fresh
    False
    >>> gauge.touch()
    >>> clock.advance(1_500_000_000)
    >>> gauge.snapshot().age_seconds, gauge.snapshot().fresh
    (1.5, False)
    """

    def __init__(self, expected_seconds: float, clock: Clock) -> None:
        self._expected = expected_seconds
        self._clock = clock
        self._last_ns: int | None = None
        self._longest = 0.0
        self._messages = 0

    def touch(self) -> None:
        """Note that a message came now."""
        age = self._age()
        self._longest = max(self._longest, age or 0.0)
        self._last_ns = self._clock.monotonic_ns()
        self._messages += 1

    def snapshot(self) -> FreshnessSnapshot:
        """Return the age of the last message now."""
        return FreshnessSnapshot(self._age(), self._expected, self._longest, self._messages)

    def _age(self) -> float | None:
        return None if self._last_ns is None else (self._clock.monotonic_ns() - self._last_ns) / 1e9
