"""A target walked through in time: the window of each row, and the labels that have arrived by then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from features.schema import FeatureSchema
from models.forecaster import Window
from models.inputs import BASELINE
from models.label_stream import feature_rows
from models.targets.table import TargetTable

FEWEST = 40
"""Learning rows with a label that a search needs at least."""


class Course:
    """Rows of a target with the labels that each of them finds newly known.

    Parameters
    ----------
    table
        The target.
    anchor
        Baseline that models correct; it becomes the feature ``baseline``.
    """

    def __init__(self, table: TargetTable, anchor: str) -> None:
        self.table = table
        self.anchor = anchor
        self._rows = feature_rows(table, anchor)
        arrival = np.searchsorted(table.issued, table.known, side="left")
        labelled = np.flatnonzero(np.isfinite(table.label))
        order = np.lexsort((labelled, table.known[labelled], arrival[labelled]))
        self._arrived = labelled[order]
        self._arrival = arrival[self._arrived]
        self.delay = max(1, int(np.median(arrival - np.arange(len(table)))))

    def window(self, row: int, length: int) -> Window:
        """Return the ``length`` rows up to ``row``; before the first one, the first one again."""
        first = row + 1 - length
        if first >= 0:
            return tuple(self._rows[first : row + 1])
        return (self._rows[0],) * -first + tuple(self._rows[: row + 1])

    def matrix(self, schema: FeatureSchema) -> NDArray[np.float64]:
        """Return ``float64[row, feature]`` of all rows, ``baseline`` among the features a schema may name."""
        return schema.matrix(self._rows)

    def known(self, row: int) -> int:
        """Return how many labels have arrived when ``row`` is issued."""
        return int(np.searchsorted(self._arrival, row, side="right"))

    def arrivals(self, first: int, last: int) -> NDArray[np.int64]:
        """Return the rows of arrivals number ``first`` to ``last`` (exclusive), as they come."""
        return self._arrived[first:last]


def search_part(table: TargetTable, most: int) -> TargetTable:
    """Return the rows before judging begins, of which the second half is judged in a search.

    What is searched for is then judged on rows that no search has seen. Labels that would only be known
    after judging begins are left out as if they never came.

    Parameters
    ----------
    table
        The target.
    most
        Rows at most, the last ones.

    Raises
    ------
    ModelError
        If there are too few rows with a label.
    """
    end = table.first_judged
    kept = slice(max(end - most, 0), end)
    limit = table.issued[end] if end < len(table) else table.known.max()
    label = np.where(table.known[kept] <= limit, table.label[kept], np.nan)
    first = len(label) // 2
    if min(np.isfinite(label[:first]).sum(), np.isfinite(label[first:]).sum()) < FEWEST:
        raise ModelError(
            f"{table.name} has only {np.isfinite(label).sum()} labels to search on before judging begins; "
            "use a longer recording",
            target=table.name,
        )
    return replace(
        table,
        values=table.values[kept],
        label=label,
        issued=table.issued[kept],
        known=table.known[kept],
        baselines={name: forecast[kept] for name, forecast in table.baselines.items()},
        first_judged=first,
    )


def ranked_features(table: TargetTable, anchor: str) -> tuple[str, ...]:
    """Return features by how much they tell about the anchor's error, most first.

    Measured as rank correlation on the labels known before judging begins; equal ones by name.
    """
    known = (table.known <= table.issued[table.first_judged]) & np.isfinite(table.label)
    residual = _ranks((table.label - table.baselines[anchor])[known])
    values = table.values[known]
    told = {
        name: -abs(_correlation(_ranks(values[:, place]), residual)) for place, name in enumerate(table.names)
    }
    return tuple(
        sorted((name for name in table.names if name != BASELINE), key=lambda name: (told[name], name))
    )


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # equal values share a rank: a column that never moves then tells nothing
    _, place = np.unique(values, return_inverse=True)
    return place.astype(np.float64)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread > 0 else 0.0
