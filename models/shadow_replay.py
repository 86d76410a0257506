"""Put versions through recent blocks as if they had served them, and judge none on what it has seen."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import ModelError
from core.reasons import Refusal
from features.feature import FeatureRow
from models.baselines import ExactFormula, Persistence
from models.evaluation import Series
from models.forecaster import Forecaster
from models.snapshot import Snapshot

SkewCheck = Callable[[Sequence[FeatureRow]], Refusal | None]
"""Recomputes rows by the batch path; a refusal names the first row that differs in a bit."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Recent blocks on which versions are compared.

    Parameters
    ----------
    rows
        Rows of consecutive blocks, oldest first.
    truths
        The target's value of each row's own block, in the target's unit; NaN where it never came.
    source, data_hash
        Name of the recording, and the hash of its content.
    target
        What the truths are, with unit.
    baselines
        Cheap forecasts of the same target.
    skew
        Checks that the rows are what the batch path computes; ``None`` if nobody could check.

    Raises
    ------
    ModelError
        If rows and truths differ in number, blocks do not follow each other, or a feature is not finite.
    """

    rows: Sequence[FeatureRow]
    truths: Sequence[float]
    source: str
    data_hash: str
    target: str = "base_fee_gwei"
    baselines: tuple[Forecaster, ...] = (ExactFormula(), Persistence())
    skew: SkewCheck | None = None

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.truths) or not self.rows:
            raise ModelError(
                f"a trial needs rows and as many truths, got {len(self.rows)} and {len(self.truths)}"
            )
        first = self.rows[0]
        for place, row in enumerate(self.rows):
            if row.block_number != first.block_number + place or row.names != first.names:
                raise ModelError(
                    f"the row of block {row.block_number} does not follow the one before; give consecutive "
                    "blocks with the same features",
                    block=row.block_number,
                )
            if not all(map(math.isfinite, row.values)):
                raise ModelError(
                    f"a feature of block {row.block_number} is not finite; fill unknown values with nulls",
                    block=row.block_number,
                )


def issue_places(trial: Trial, snapshots: Sequence[Snapshot], horizon: int, last: int) -> range:
    """Return the places of the last rows on which every version can be judged fairly.

    They lie above every version's own last block: what a model has learned from proves nothing.

    Parameters
    ----------
    trial, snapshots
        Rows, and the versions that are compared.
    horizon
        Blocks ahead.
    last
        Forecasts at most.
    """
    # a formula learns nothing, so it has seen nothing
    seen = max((one.state_block for one in snapshots if one.forecaster.state()), default=-1)
    window = max((snapshot.window for snapshot in snapshots), default=1)
    start = max(window - 1, seen + 1 - trial.rows[0].block_number)
    stop = len(trial.rows) - horizon
    return range(max(start, stop - last), max(start, stop))


def serve(snapshot: Snapshot, trial: Trial, places: range) -> Series:
    """Return the forecasts a version would have served, each with the interval of that moment.

    The model stays as it is, as it does where it serves. Its intervals go on learning from their labels,
    each once it is known.

    Raises
    ------
    ModelError
        If the version cannot read the rows, or forecasts no number.
    """
    conformal = snapshot.conformal.copy()
    waiting: deque[tuple[int, float, float, float]] = deque()
    judged: list[tuple[float, ...]] = []
    for place in places:
        while waiting and waiting[0][0] <= place:
            about, value, lower, upper = waiting.popleft()
            if math.isfinite(trial.truths[about]):
                conformal.update(value, lower, upper, trial.truths[about])
        window = tuple(trial.rows[place - snapshot.window + 1 : place + 1])
        value = snapshot.forecaster.predict_one(window)
        if not math.isfinite(value):
            raise ModelError(
                f"{snapshot.forecaster.name} forecasts {value} on block {window[-1].block_number}",
                block=window[-1].block_number,
            )
        lower, upper = conformal.interval(value)
        about = place + snapshot.horizon_blocks
        waiting.append((about, value, lower, upper))
        judged.append((trial.rows[about].block_number, trial.truths[about], value, lower, upper))
    return _series(judged)


def serve_baseline(baseline: Forecaster, trial: Trial, places: range, horizon: int) -> Series:
    """Return what a baseline says; it has no intervals.

    Raises
    ------
    ModelError
        If the rows lack what it needs.
    """
    judged: list[tuple[float, ...]] = []
    for place in places:
        value = baseline.predict_one((trial.rows[place],))
        about = place + horizon
        judged.append((trial.rows[about].block_number, trial.truths[about], value, value, value))
    return _series(judged)


def _series(judged: Sequence[tuple[float, ...]]) -> Series:
    """Return forecasts whose label came."""
    table = np.array(judged, dtype=np.float64).reshape(len(judged), 5)
    table = table[np.isfinite(table[:, 1])]
    return Series(table[:, 0].astype(np.int64), *(table[:, column].copy() for column in range(1, 5)))
