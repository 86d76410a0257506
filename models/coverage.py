"""How often intervals held their label: on all judged rows, by how wrong forecasts were, and after breaks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.breaks import breaks_of, rows_after
from models.prequential import Results, Served
from models.targets.table import Kind

OFF = 0.01
"""How far from the nominal one coverage over all judged rows should lie at most."""
AFTER_BREAKS = 0.85
"""Coverage that intervals which aim at 0.9 should keep in the rows after a break."""


def inside(served: Served, label: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether each interval held its label."""
    held: NDArray[np.bool_] = (served.lower <= label) & (label <= served.upper)
    return held


def coverage_by_tercile(results: Results, served: Served) -> tuple[float, float, float]:
    """Return coverage where the typical error at issue was low, middling and high; nan where no row is."""
    held = inside(served, results.label)
    low, high = np.quantile(results.typical, (1 / 3, 2 / 3))
    groups = (results.typical <= low, (results.typical > low) & (results.typical <= high))
    shares = [float(held[group].mean()) if group.any() else math.nan for group in groups]
    last = results.typical > high
    return shares[0], shares[1], float(held[last].mean()) if last.any() else math.nan


def after_breaks(results: Results, baseline: str) -> tuple[int, NDArray[np.bool_]]:
    """Return how often a baseline's error has risen, and which judged rows come soon after such a break.

    None for probabilities, which have no intervals.
    """
    count = len(results.rows)
    if results.table.kind is not Kind.NUMBER:
        return 0, np.zeros(count, dtype=np.bool_)
    breaks = breaks_of(results, baseline)
    return len(breaks), rows_after(breaks, count)


def shortfalls(nominal: float, coverage: float | None, after: float | None) -> tuple[str, ...]:
    """Return in words what coverage, over all rows and after breaks, falls short of.

    Examples
    --------
    >>> shortfalls(0.9, 0.904, 0.84)
    ('0.840 after breaks',)
    """
    short = []
    if coverage is not None and abs(coverage - nominal) > OFF:
        short.append(f"{coverage:.3f} over all rows")
    if after is not None and after < AFTER_BREAKS:
        short.append(f"{after:.3f} after breaks")
    return tuple(short)
