"""Where forecasting became harder: breaks in a baseline's loss, and the rows that come after them.

What intervals do just after a break is their test. Breaks are found from a baseline's losses alone, in the
order of rows and never from a later one, so that neither the intervals nor what happens afterwards can
choose the rows.
"""

from __future__ import annotations

from bisect import insort
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN

from models.prequential import Results

AFTER = 150
"""Judged rows after a break on which intervals are looked at once more."""


def find_breaks(losses: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the rows at which a loss is found to have risen.

    Parameters
    ----------
    losses
        ``float64[row]``, at least 0, in any unit; each is held against those before it.

    Returns
    -------
    ndarray
        ``int64``: rows with whose loss ADWIN raised an alarm, ascending; a fall raises none.

    References
    ----------
    Bifet and Gavalda, "Learning from Time-Changing Data with Adaptive Windowing" (2007).

    Examples
    --------
    >>> losses = np.where(np.arange(900) % 600 < 300, 1.0, 3.0)
    >>> bool(300 <= find_breaks(losses)[0] < 400)
    True
    """
    found = []
    detector: Any = ADWIN()  # type: ignore[no-untyped-call]
    for row, loss in enumerate(_bounded(losses).tolist()):
        mean = detector.estimation
        detector.update(loss)
        if detector.drift_detected and detector.estimation > mean:
            found.append(row)
    return np.array(found, dtype=np.int64)


def rows_after(breaks: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Return which of so many rows are among the first ``AFTER`` after a break.

    Examples
    --------
    >>> int(rows_after(np.array([10, 20]), 1000).sum())
    160
    """
    after = np.zeros(count, dtype=np.bool_)
    for row in breaks.tolist():
        after[row + 1 : row + 1 + AFTER] = True
    return after


def breaks_of(results: Results, baseline: str) -> NDArray[np.int64]:
    """Return the judged rows, counted from 0, at which a baseline's absolute error is found to have risen.

    The rows for learning are what the first of them is held against.
    """
    table = results.table
    labelled = np.flatnonzero(np.isfinite(table.label))
    errors = np.abs(table.label - table.baselines[baseline])[labelled]
    learned = int(np.searchsorted(labelled, table.first_judged))
    breaks = find_breaks(errors) - learned
    return breaks[breaks >= 0]


def _bounded(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return losses between 0 and 1, which the detector needs; a half is their median so far."""
    so_far: list[float] = []
    scaled = np.zeros(len(losses))
    for row, loss in enumerate(losses.tolist()):
        insort(so_far, loss)
        usual = so_far[len(so_far) // 2]
        scaled[row] = loss / (loss + usual) if loss > 0 else 0.0
    return scaled
