"""Hard baselines as vectors: what a model has to beat, made from what was known at issue alone.

An easy baseline makes any model look good, so a table carries several, and :func:`hardest` names the one
that counts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.targets.past import Floats, Integers, ew_mean, rolling_median, seen_by
from models.targets.table import Kind, TargetTable

LAST_ROWS = 20
ALWAYS = 0.9
SURE = 0.98
"""What a forecast from the last outcome says; certainty would cost it everything the first time it errs."""

_EIP1559_TARGET = 2
_EIP1559_STEP = 8


def exact_next_base_fee(base_fee: Integers, gas_used: Integers, gas_limit: Integers) -> Integers:
    """Return the base fee of each block's child, in wei, exact by EIP-1559.

    Examples
    --------
    >>> wei = np.array([10**9, 10**9])
    >>> exact_next_base_fee(wei, np.array([30_000_000, 0]), np.array([30_000_000, 30_000_000])).tolist()
    [1125000000, 875000000]
    """
    target = gas_limit // _EIP1559_TARGET
    # a fee of more than some 600 gwei times gas exceeds 64 bits: Python's integers here
    change = base_fee.astype(object) * np.abs(gas_used - target).astype(object) // target // _EIP1559_STEP
    rise = np.maximum(change, 1)
    signed = np.where(gas_used > target, rise, np.where(gas_used < target, -change, 0))
    return (base_fee.astype(object) + signed).astype(np.int64)


def last_percentile(values: Floats, percent: float, rows: int = LAST_ROWS) -> Floats:
    """Return the percentile of the last ``rows`` values, the row's own among them.

    Examples
    --------
    >>> last_percentile(np.array([1.0, 2.0, 3.0]), 100, rows=2).tolist()
    [1.0, 2.0, 3.0]
    """
    if percent == 50:
        return rolling_median(values, rows)
    return pd.Series(values).rolling(rows, min_periods=1).quantile(percent / 100).to_numpy(np.float64)


def always(count: int) -> Floats:
    """Return the forecast of who always says 90 %."""
    return np.full(count, ALWAYS)


def rate_so_far(label: Floats, known: Integers, issued: Integers) -> Floats:
    """Return the share of ones among labels known at issue, begun at one half; ``known`` ascends.

    Examples
    --------
    >>> rate_so_far(np.array([1.0, 1.0, np.nan]), np.array([2, 3, 4]), np.array([1, 2, 3])).round(3).tolist()
    [0.5, 0.667, 0.75]
    """
    came = np.isfinite(label)
    ones = np.concatenate([[0.0], np.cumsum(label[came])])
    seen = seen_by(known[came], issued)
    return (ones[seen] + 1) / (seen + 2)


def last_outcome(label: Floats, known: Integers, issued: Integers) -> Floats:
    """Return nearly the newest label known at issue, one half before the first; ``known`` ascends."""
    came = np.isfinite(label)
    outcomes = np.concatenate([[0.5], np.where(label[came] > 0, SURE, 1 - SURE)])
    return outcomes[seen_by(known[came], issued)]


def recent_rate(label: Floats, known: Integers, issued: Integers, half_life: float = 10) -> Floats:
    """Return the exponentially weighted share of ones known at issue, one half before the first."""
    came = np.isfinite(label)
    shares = np.concatenate([[0.5], ew_mean(label[came], half_life)])
    return shares[seen_by(known[came], issued)]


def losses(table: TargetTable, forecast: Floats) -> Floats:
    """Return each row's loss: absolute error of a number, Brier score of a probability; NaN if censored."""
    error = forecast - table.label
    return np.abs(error) if table.kind is Kind.NUMBER else error * error


def hardest(table: TargetTable) -> str:
    """Return the name of the baseline with the smallest mean loss over judged rows; the first of equals."""
    means = {name: _judged_mean(losses(table, forecast), table) for name, forecast in table.baselines.items()}
    return min(means, key=lambda name: means[name])


def is_degenerate(table: TargetTable) -> bool:
    """Tell whether every label that came is the same: then there is nothing to learn."""
    came = table.label[np.isfinite(table.label)]
    return bool(len(came) == 0 or (came == came[0]).all())


def _judged_mean(loss: NDArray[np.float64], table: TargetTable) -> float:
    judged = loss[table.first_judged :]
    judged = judged[np.isfinite(judged)]
    return float(judged.mean()) if len(judged) else float("inf")
