"""What it means that a table knows nothing of the future."""

from __future__ import annotations

import numpy as np

from models.targets.table import TargetTable


def assert_past_only(told: TargetTable, otherwise: TargetTable, until: int) -> None:
    """Hold two tables against each other whose recordings agree up to a time and differ after it.

    Rows issued up to then are the same, bit for bit, and so are labels that were known by then.
    """
    rows = int(np.searchsorted(told.issued, until, side="right"))
    assert rows > 10, "too few rows to say anything"
    np.testing.assert_array_equal(told.issued[:rows], otherwise.issued[:rows])
    np.testing.assert_array_equal(told.values[:rows], otherwise.values[:rows])
    for name, forecast in told.baselines.items():
        np.testing.assert_array_equal(forecast[:rows], otherwise.baselines[name][:rows], err_msg=name)
    settled = told.known[:rows] <= until
    np.testing.assert_array_equal(told.label[:rows][settled], otherwise.label[:rows][settled])
    came = np.isfinite(told.label[rows:]) & np.isfinite(otherwise.label[rows:])[: len(told.label[rows:])]
    assert (told.label[rows:][came] != otherwise.label[rows:][came]).any(), "the future did not differ"
