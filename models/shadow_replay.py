"""Put versions through recent blocks as if they had served them, and judge none on what it has seen."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.reasons import Refusal
from features.feature import FeatureRow
from features.registry import LIVE_SCHEMA, SCHEMA
from models.baselines import ExactFormula, Persistence
from models.evaluation import Series
from models.forecaster import Forecaster, Window
from models.snapshot import Snapshot
from models.trial_data import Labels, TrialData

SkewCheck = Callable[[Sequence[FeatureRow]], Refusal | None]
"""Recomputes rows by the batch path; a refusal names the first row that differs in a bit."""

_NEVER_LIVE = frozenset(SCHEMA.names) - frozenset(LIVE_SCHEMA.names)
"""Features that recordings know and no live run: what reads them would be judged on more than it gets."""


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

    @property
    def unit_of_time(self) -> str:
        """Positions are heights."""
        return "block"

    @property
    def checked(self) -> bool:
        """Whether there is a check of the rows."""
        return self.skew is not None

    @property
    def has_intervals(self) -> bool:
        """Always: the target is a number."""
        return True

    @property
    def positions(self) -> NDArray[np.int64]:
        """Heights of the rows, ``int64[row]``."""
        return np.array([row.block_number for row in self.rows], dtype=np.int64)

    def labels(self, horizon: int) -> Labels:
        """Return the truths ``horizon`` blocks on, under the height that they speak about."""
        truths = np.array(self.truths, dtype=np.float64)[horizon:]
        return Labels(self.positions[horizon:], truths, np.arange(len(truths)) + horizon)

    def missing(self, snapshot: Snapshot) -> list[str]:
        """Return the features that a version reads and that the rows lack, or that no live run ever fills."""
        there = set(self.rows[0].names) - _NEVER_LIVE
        return [name for name in snapshot.schema.names if name not in there]

    def skew_refusal(self) -> Refusal | None:
        """Return what the check of the rows says."""
        return self.skew(self.rows) if self.skew is not None else None

    def window(self, snapshot: Snapshot, place: int) -> Window:
        """Return as many rows up to ``place`` as the version reads."""
        return tuple(self.rows[place - snapshot.window + 1 : place + 1])

    def baseline_values(self, places: range) -> Mapping[str, NDArray[np.float64]]:
        """Return what the cheap forecasts say. Raises ``ModelError`` if the rows lack what one needs."""
        return {
            one.name: np.array([one.predict_one((self.rows[place],)) for place in places])
            for one in self.baselines
        }

    def loss(self, series: Series) -> NDArray[np.float64]:
        """Return absolute errors."""
        return np.abs(series.truth - series.prediction)


def issue_places(
    trial: TrialData, candidate: Snapshot, incumbent: Snapshot | None, horizon: int, last: int
) -> range:
    """Return the places of the last rows on which a candidate can be judged.

    They lie above the last block that it has learned from: those prove nothing for it. The incumbent may
    have learned from them; see :func:`places_learned`.

    Parameters
    ----------
    trial
        Rows.
    candidate, incumbent
        The versions that are compared; they need as many rows as the longer window.
    horizon
        Blocks ahead.
    last
        Forecasts at most.
    """
    window = max(candidate.window, incumbent.window if incumbent else 1)
    start = max(window - 1, _first_unseen(trial, candidate))
    stop = len(trial.labels(horizon).value)
    return range(max(start, stop - last), max(start, stop))


def places_learned(trial: TrialData, snapshot: Snapshot, places: range) -> int:
    """Return how many of the places a version has learned from."""
    return len(range(places.start, min(places.stop, _first_unseen(trial, snapshot))))


def _first_unseen(trial: TrialData, snapshot: Snapshot) -> int:
    # a formula learns nothing, so it has seen nothing
    if not snapshot.forecaster.state():
        return 0
    return int(np.searchsorted(trial.positions, snapshot.state_block, side="right"))


def serve(snapshot: Snapshot, trial: TrialData, places: range) -> Series:
    """Return the forecasts a version would have served, each with the interval of that moment.

    The model stays as it is, as it does where it serves. Its intervals go on learning from their labels,
    each once it is known. A probability has no interval, and both bounds are its value.

    Raises
    ------
    ModelError
        If the version cannot read the rows, or forecasts no number.
    """
    labels, conformal = trial.labels(snapshot.horizon_blocks), snapshot.conformal.copy()
    value, lower, upper = np.empty((3, len(places)))
    waiting: list[tuple[int, int]] = []
    for at, place in enumerate(places):
        while waiting and waiting[0][0] <= place:
            known = heapq.heappop(waiting)[1]
            served = (float(value[known]), float(lower[known]), float(upper[known]))
            conformal.update(*served, float(labels.value[places[known]]))
        window = trial.window(snapshot, place)
        said = snapshot.forecaster.predict_one(window)
        if not math.isfinite(said):
            raise ModelError(
                f"{snapshot.forecaster.name} forecasts {said} on {trial.unit_of_time} "
                f"{window[-1].block_number}",
                block=window[-1].block_number,
            )
        value[at] = lower[at] = upper[at] = said
        if trial.has_intervals:
            lower[at], upper[at] = conformal.interval(said)
            if math.isfinite(labels.value[place]):
                heapq.heappush(waiting, (int(labels.arrival[place]), at))
    return labels.series(places, value, lower, upper)
