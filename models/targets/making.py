"""Small steps every builder of a table shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from models.targets.past import Floats
from models.targets.table import TargetTable

LEARNT_SHARE = 0.6
"""Share of rows before the first judged one, where one recording has to serve for both."""

_SHORT_LEARNT, _SHORT_JUDGED = 1200, 800


def split(count: int) -> int:
    """Return the first judged row of ``count``: the last 40 % by time are judged."""
    return int(count * LEARNT_SHARE)


def stacked(features: Mapping[str, Floats]) -> tuple[tuple[str, ...], Floats]:
    """Return names and ``float64[row, feature]``."""
    return tuple(features), np.column_stack(list(features.values()))


def shortened(table: TargetTable) -> TargetTable:
    """Return the rows around the first judged one, 1,200 before and 800 from it, for quick looks."""
    first = max(0, table.first_judged - _SHORT_LEARNT)
    rows = slice(first, min(len(table), table.first_judged + _SHORT_JUDGED))
    return replace(
        table,
        values=table.values[rows],
        label=table.label[rows],
        issued=table.issued[rows],
        known=table.known[rows],
        baselines={name: forecast[rows] for name, forecast in table.baselines.items()},
        first_judged=table.first_judged - first,
    )
