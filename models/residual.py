"""What models learn here: by how much the exact formula, held on, will be wrong.

The base fee of the next block is arithmetic. Every model therefore forecasts the log of
the label over that number, and says "no change" before it has learned anything.
"""

from __future__ import annotations

import math

from core.errors import ModelError
from models.forecaster import Window

FORMULA = "next_base_fee_gwei"
SCALE = 0.05
"""Log units that make one unit of a model's target; about the spread at two blocks."""


def formula(window: Window) -> float:
    """Return the exact base fee of the block after the window, in gwei.

    Raises
    ------
    ModelError
        If the window is empty or its rows lack ``next_base_fee_gwei``.
    """
    if not window:
        raise ModelError("a window holds at least one row")
    try:
        return window[-1][FORMULA]
    except ValueError:
        raise ModelError(f"rows lack the feature {FORMULA}", missing=[FORMULA]) from None


def target(window: Window, label: float) -> float | None:
    """Return the label as a model's target; ``None`` where a base fee is zero and no log exists."""
    base = formula(window)
    return math.log(label / base) / SCALE if base > 0 and label > 0 else None


def forecast(window: Window, output: float, limit: float) -> float:
    """Return a model's output as a base fee in gwei, kept within ``limit`` units of the formula."""
    return formula(window) * math.exp(SCALE * min(max(output, -limit), limit))
