"""The amplification of a stable pool, which its owner moves in a straight line over time."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import MarketError


@dataclass(frozen=True, slots=True)
class Amplification:
    """A line between two moments; level before an update is started and after it has ended.

    Parameters
    ----------
    start, end
        Amplification in the contract's unit: times 1000 at Balancer, itself or times 100 at Curve.
    start_time, end_time
        Seconds since 1970.

    Examples
    --------
    >>> Amplification(100_000, 200_000, 1_000, 87_400).at(44_200)
    150000
    >>> Amplification.constant(100_000).at(44_200)
    100000
    """

    start: int
    end: int
    start_time: int
    end_time: int

    def __post_init__(self) -> None:
        if min(self.start, self.end) < 1 or self.end_time < self.start_time:
            raise MarketError(
                "an amplification is positive, and its update ends after its start",
                amplification=self,
            )

    @classmethod
    def constant(cls, value: int) -> Amplification:
        """Return an amplification that does not change."""
        return cls(value, value, 0, 0)

    def at(self, timestamp: int) -> int:
        """Return the value in a block, rounded toward the start."""
        if timestamp >= self.end_time:
            return self.end
        passed, whole = max(timestamp - self.start_time, 0), self.end_time - self.start_time
        if self.end > self.start:
            return self.start + (self.end - self.start) * passed // whole
        return self.start - (self.start - self.end) * passed // whole
