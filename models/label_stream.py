"""A target as a stream: rows as models read them, and which labels each one finds newly known."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.feature import FeatureRow
from models.forecaster import Window
from models.inputs import BASELINE
from models.targets.table import Kind, TargetTable

HALF_LIFE = 50
"""Labels after which an error counts half in the typical error."""


def anchor_of(table: TargetTable) -> str:
    """Return the baseline with the smallest error on labels known before anything is judged.

    The mean absolute error for a number, the mean squared one for a probability; the first
    baseline where no label is known by then.
    """
    limit = table.issued[min(table.first_judged, len(table) - 1)]
    known = (table.known <= limit) & np.isfinite(table.label)
    if not known.any():
        return next(iter(table.baselines))
    power = 2 if table.kind is Kind.PROBABILITY else 1
    errors = {
        name: float((np.abs(forecast - table.label)[known] ** power).mean())
        for name, forecast in table.baselines.items()
    }
    return min(errors, key=lambda name: errors[name])


def typical_error(table: TargetTable, anchor: str) -> NDArray[np.float64]:
    """Return the anchor's exponentially weighted absolute error as known when each row is issued.

    Parameters
    ----------
    table, anchor
        A target and one of its baselines.

    Returns
    -------
    ndarray
        ``float64[row]``, in the target's unit; positive, 1 until a label with an error is known.
    """
    errors = np.abs(table.label - table.baselines[anchor])
    step = 1 - 0.5 ** (1 / HALF_LIFE)
    typical = np.ones(len(table))
    mean, count = 0.0, 0
    for row, arrived in arrivals(table, 0):
        for at in arrived:
            count += 1
            mean += max(1 / count, step) * (float(errors[at]) - mean)
        typical[row] = mean if mean > 0 else 1.0
    return typical


def feature_rows(table: TargetTable, anchor: str) -> list[FeatureRow]:
    """Return the table's rows as models read them: its features, then the anchor's forecast.

    Targets know positions and no times, so ``event_time`` counts the rows.
    """
    names = (*table.names, BASELINE)
    values = np.column_stack((table.values, table.baselines[anchor])).tolist()
    return [
        FeatureRow(position, row, 0, names, tuple(numbers))
        for row, (position, numbers) in enumerate(zip(table.issued.tolist(), values, strict=True))
    ]


@dataclass(frozen=True, slots=True, eq=False)
class LabelStream:
    """A target's rows, in windows.

    Parameters
    ----------
    table, rows
        The target, and its rows as models read them.
    length
        Rows of a window.
    start
        First row that is stepped through; those before are for fitting.
    every
        Labels are learned from those of every so many rows.
    """

    table: TargetTable
    rows: list[FeatureRow]
    length: int
    start: int
    every: int = 1

    def window(self, row: int) -> Window:
        """Return the rows up to ``row``; before the first one, the first one again."""
        first = row + 1 - self.length
        if first >= 0:
            return tuple(self.rows[first : row + 1])
        return (self.rows[0],) * -first + tuple(self.rows[: row + 1])


def arrivals(table: TargetTable, start: int) -> list[tuple[int, list[int]]]:
    """Return each row from ``start`` on with the rows whose labels it finds newly known.

    The labels known at the first of them are among its arrivals.
    """
    waiting: list[tuple[int, int]] = [
        (int(table.known[row]), row) for row in range(start) if math.isfinite(table.label[row])
    ]
    heapq.heapify(waiting)
    found = []
    for row in range(start, len(table)):
        arrived = []
        while waiting and waiting[0][0] <= table.issued[row]:
            arrived.append(heapq.heappop(waiting)[1])
        found.append((row, arrived))
        if math.isfinite(table.label[row]):
            heapq.heappush(waiting, (int(table.known[row]), row))
    return found
