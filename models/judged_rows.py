"""Judged forecasts of one forecaster: sums over all of them, and the rows, all of them or the last ones."""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from market.state import JOURNAL_DEPTH

RECENT = 7200
"""Rows that are told of a run that may never end: a day of blocks of 12 seconds."""

_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Sums:
    """What judged forecasts add up to.

    Parameters
    ----------
    about
        Block that the last of them speaks about; -1 before the first.
    count, inside
        Forecasts, and how many intervals held their label.
    absolute, squared, width
        Absolute errors, squared errors and widths of intervals, in the target's unit.
    """

    about: int = -1
    count: int = 0
    inside: int = 0
    absolute: float = 0.0
    squared: float = 0.0
    width: float = 0.0

    def plus(self, about: int, label: float, value: float, lower: float, upper: float) -> Sums:
        """Return the sums with one more forecast."""
        error = label - value
        return Sums(
            about,
            self.count + 1,
            self.inside + (lower <= label <= upper),
            self.absolute + abs(error),
            self.squared + error * error,
            self.width + (upper - lower),
        )


class JudgedRows:
    """Judged forecasts in order; the last ``JOURNAL_DEPTH`` can be taken back.

    Parameters
    ----------
    remembered
        Rows that are told, the last ones; ``None`` for all of a stream that has an end. Each takes 40 bytes.
    sums
        What those before add up to, whose rows are not here.

    Examples
    --------
    >>> rows = JudgedRows(remembered=2)
    >>> for about in (7, 8, 9):
    ...     rows.add(about, 20.0, 21.0, 19.0, 23.0)
    >>> rows.table()[:, 0].tolist(), rows.sums.count, rows.whole
    ([8.0, 9.0], 3, False)
    >>> rows.rollback(8)
    >>> rows.table()[:, 0].tolist(), rows.sums.count
    ([7.0, 8.0], 2)
    """

    def __init__(self, remembered: int | None = RECENT, sums: Sums | None = None) -> None:
        self.remembered = remembered
        self._numbers = array("d")
        # kept as they were: taking floats away again would leave their rounding behind
        self._sums: deque[Sums] = deque([sums or Sums()], maxlen=JOURNAL_DEPTH + 1)

    @property
    def sums(self) -> Sums:
        """What all forecasts add up to, those that are no longer held included."""
        return self._sums[-1]

    @property
    def whole(self) -> bool:
        """Whether :meth:`table` has every forecast."""
        return len(self.table()) == self.sums.count

    def add(self, about: int, label: float, value: float, lower: float, upper: float) -> None:
        """Take in what a forecast about a block, which is later than the last one, came to."""
        self._numbers.extend((about, label, value, lower, upper))
        self._sums.append(self.sums.plus(about, label, value, lower, upper))
        if self.remembered is not None:
            # as many more as can be taken back; old ones go many at a time, for each time moves all others
            held = _COLUMNS * (self.remembered + JOURNAL_DEPTH)
            if len(self._numbers) > held + _COLUMNS * JOURNAL_DEPTH:
                del self._numbers[:-held]

    def rollback(self, to_number: int) -> None:
        """Forget forecasts about blocks above a height.

        Raises
        ------
        ModelError
            If that takes back more than ``JOURNAL_DEPTH`` of them; nothing has changed then.
        """
        if self._sums[0].about > to_number:
            raise ModelError(
                f"cannot take back forecasts about blocks after {to_number}: the last {JOURNAL_DEPTH} can be",
                to_number=to_number,
            )
        while self._sums[-1].about > to_number:
            self._sums.pop()
            del self._numbers[-_COLUMNS:]

    def table(self) -> NDArray[np.float64]:
        """Return a copy of the rows: block, label, value, lower and upper bound of each."""
        held = np.array(self._numbers, dtype=np.float64).reshape(-1, _COLUMNS)
        return held if self.remembered is None else held[-self.remembered :]
