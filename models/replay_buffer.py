"""A fixed number of past examples, each seen one with equal chance: what an online model rehearses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError


class ReplayBuffer:
    """A reservoir sample of ``(rows, residual)`` (Vitter's algorithm R).

    After ``n`` additions each of the ``n`` examples is kept with probability ``capacity / n``, so old regimes
    are rehearsed as often as new ones.

    Parameters
    ----------
    capacity
        Examples that are kept.
    shape
        Rows and features of an example.
    random
        Decides what is kept and what is drawn.

    References
    ----------
    Vitter, "Random Sampling with a Reservoir" (1985).

    Examples
    --------
    >>> buffer = ReplayBuffer(2, (1, 1), np.random.default_rng(0))
    >>> for number in range(5):
    ...     buffer.add(np.full((1, 1), number), float(number))
    >>> len(buffer), buffer.draw(3)[1].shape
    (2, (3,))
    """

    def __init__(self, capacity: int, shape: tuple[int, int], random: np.random.Generator) -> None:
        self._random = random
        self._rows = np.zeros((capacity, *shape))
        self._residuals = np.zeros(capacity)
        self._seen = 0

    def __len__(self) -> int:
        return min(self._seen, len(self._residuals))

    def add(self, rows: NDArray[np.float64], residual: float) -> None:
        """Take in one example, ``float64[row, feature]``; it may push out another or be passed over."""
        place = self._seen
        if place >= len(self._residuals):
            place = int(self._random.integers(0, self._seen + 1))
        if place < len(self._residuals):
            self._rows[place], self._residuals[place] = rows, residual
        self._seen += 1

    def draw(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return ``float64[count, row, feature]`` and ``float64[count]``, drawn with replacement.

        An empty buffer gives none.
        """
        known = len(self)
        chosen = self._random.integers(0, known, count) if known else np.zeros(0, dtype=np.int64)
        return self._rows[chosen], self._residuals[chosen]

    def state(self) -> dict[str, Any]:
        """Return examples, count and random state."""
        known = len(self)
        return {
            "rows": self._rows[:known].copy(),
            "residuals": self._residuals[:known].copy(),
            "seen": self._seen,
            "random": self._random.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`; the next draws are identical.

        Raises
        ------
        ModelError
            If the examples do not fit, or are not finite.
        """
        rows, residuals = np.asarray(state["rows"], dtype=np.float64), np.asarray(state["residuals"])
        seen = int(state["seen"])
        known = min(seen, len(self._residuals))
        if rows.shape != (known, *self._rows.shape[1:]) or residuals.shape != (known,):
            raise ModelError(
                f"the saved replay buffer has examples of shape {rows.shape}; build the model alike"
            )
        if not (np.isfinite(rows).all() and np.isfinite(residuals).all()):
            raise ModelError(
                "the saved replay buffer holds a number that is not finite; save the model again"
            )
        self._random.bit_generator.state = state["random"]
        self._rows[:known], self._residuals[:known], self._seen = rows, residuals, seen
