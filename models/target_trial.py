"""Rows of a target on which versions are compared: forecasts when issued, labels when they are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.reasons import Refusal
from models.courses import Course
from models.evaluation import Series
from models.forecaster import Window
from models.inputs import BASELINE
from models.scorecard import LOSSES, losses_of
from models.snapshot import Snapshot
from models.targets.table import Kind, TargetTable
from models.trial_data import Labels


@dataclass(frozen=True, slots=True, eq=False)
class TargetTrial:
    """A target as the gate reads it.

    A version reads its own features and, as ``baseline``, what the baseline says that it corrects. The loss
    is the one that decides about the target's kind. Nobody else computes these rows, so they are not checked.

    Parameters
    ----------
    table
        The target.
    data_hash
        Hash of its content.
    """

    table: TargetTable
    data_hash: str
    _courses: dict[str, Course] = field(default_factory=dict, init=False, repr=False)

    @property
    def source(self) -> str:
        """Recordings that the target is made of."""
        return self.table.source

    @property
    def target(self) -> str:
        """Name of the target."""
        return self.table.name

    @property
    def unit_of_time(self) -> str:
        """Positions are blocks of one target and events of another."""
        return "position"

    @property
    def checked(self) -> bool:
        """Never: a recorded target has one path."""
        return False

    @property
    def has_intervals(self) -> bool:
        """Whether labels are numbers."""
        return self.table.kind is Kind.NUMBER

    @property
    def positions(self) -> NDArray[np.int64]:
        """Positions at which the rows are issued, ``int64[row]``."""
        return self.table.issued

    def labels(self, horizon: int) -> Labels:
        """Return the target's labels; the target knows by itself how far ahead they are."""
        arrival = np.searchsorted(self.table.issued, self.table.known, side="left")
        return Labels(self.table.issued, self.table.label, arrival.astype(np.int64))

    def missing(self, snapshot: Snapshot) -> list[str]:
        """Return the features and the baseline that a version reads and the target lacks."""
        there = {*self.table.names, BASELINE}
        missing = [name for name in snapshot.schema.names if name not in there]
        if snapshot.corrects not in self.table.baselines:
            missing.append(f"the baseline {snapshot.corrects or 'that it corrects, which it does not name'}")
        return missing

    def skew_refusal(self) -> Refusal | None:
        """Return nothing: nobody can say."""
        return None

    def window(self, snapshot: Snapshot, place: int) -> Window:
        """Return the rows up to ``place``, with the forecasts of the baseline that the version corrects."""
        anchor = snapshot.corrects
        if anchor not in self._courses:
            self._courses[anchor] = Course(self.table, anchor)
        return self._courses[anchor].window(place, snapshot.window)

    def baseline_values(self, places: range) -> Mapping[str, NDArray[np.float64]]:
        """Return the target's baselines on rows."""
        rows = slice(places.start, places.stop)
        return {name: said[rows] for name, said in self.table.baselines.items()}

    def loss(self, series: Series) -> NDArray[np.float64]:
        """Return the absolute error of a number, the squared one of a probability."""
        return losses_of(LOSSES[self.table.kind][0], series.prediction, series.truth)
