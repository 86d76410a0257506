"""The line of a stable pool's amplification, held against the value that the pool itself computes."""

from __future__ import annotations

from collections.abc import Sequence

from market.pools.amplification import Amplification


def line_through(ramp: Sequence[int], value: int, timestamp: int) -> Amplification | None:
    """Return a line if the pool's value at the block lies on it, ``None`` if it does not.

    Parameters
    ----------
    ramp
        Start, end and the times of both, in unix seconds.
    value
        What the pool says its amplification is.
    timestamp
        Of the block, in unix seconds; an update cannot start later.

    Examples
    --------
    >>> line_through((100, 200, 1_000, 2_000), 150, 1_500)
    Amplification(start=100, end=200, start_time=1000, end_time=2000)
    >>> line_through((100, 200, 1_000, 2_000), 151, 1_500)
    """
    start, end, start_time, end_time = ramp
    if min(start, end) < 1 or start_time > min(end_time, timestamp):
        return None
    line = Amplification(start, end, start_time, end_time)
    return line if line.at(timestamp) == value else None
