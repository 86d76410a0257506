"""What the gate needs of a recording, whatever it is: rows to forecast on, labels, and who else forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.reasons import Refusal
from models.evaluation import Series
from models.forecaster import Window
from models.snapshot import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What came of each row; arrays as long as there are rows that can be judged, the first ones.

    Parameters
    ----------
    position
        ``int64[row]``: block or event that a forecast on the row is written down under.
    value
        ``float64[row]``: the label, in the target's unit; NaN where it never came.
    arrival
        ``int64[row]``: first row that is issued when the label is known.
    """

    position: NDArray[np.int64]
    value: NDArray[np.float64]
    arrival: NDArray[np.int64]

    def arrivals(self, places: range) -> NDArray[np.int64]:
        """Return the first forecast that is issued when each label is known.

        Forecasts among the places whose label came are counted from 0, as in :meth:`series`.
        """
        rows = np.arange(places.start, places.stop)
        rows = rows[np.isfinite(self.value[rows])]
        return np.maximum(np.searchsorted(rows, self.arrival[rows]), np.arange(len(rows)) + 1)

    def series(
        self,
        places: range,
        value: NDArray[np.float64],
        lower: NDArray[np.float64] | None = None,
        upper: NDArray[np.float64] | None = None,
    ) -> Series:
        """Return the forecasts whose label came; bounds left out are the forecast itself."""
        rows = np.arange(places.start, places.stop)
        came = np.isfinite(self.value[rows])
        low, high = (value if bound is None else bound for bound in (lower, upper))
        return Series(self.position[rows][came], self.value[rows][came], value[came], low[came], high[came])


class TrialData(Protocol):
    """Recent rows on which versions are compared, oldest first."""

    @property
    def source(self) -> str:
        """Name of the recording."""
        ...

    @property
    def data_hash(self) -> str:
        """Hash of its content."""
        ...

    @property
    def target(self) -> str:
        """What is forecast."""
        ...

    @property
    def unit_of_time(self) -> str:
        """What positions count, for people: ``block`` or ``position``."""
        ...

    @property
    def checked(self) -> bool:
        """Whether somebody can say if the rows are what the batch path computes."""
        ...

    @property
    def has_intervals(self) -> bool:
        """Whether forecasts have intervals, which a probability has not."""
        ...

    @property
    def positions(self) -> NDArray[np.int64]:
        """Block or event on which each row is issued, ``int64[row]``, ascending."""
        ...

    def labels(self, horizon: int) -> Labels:
        """Return what came of the rows, for forecasts so many blocks ahead."""
        ...

    def missing(self, snapshot: Snapshot) -> list[str]:
        """Return what a version reads and the rows lack."""
        ...

    def skew_refusal(self) -> Refusal | None:
        """Return why the rows are not what the batch path computes; nothing if they are or none can say."""
        ...

    def window(self, snapshot: Snapshot, place: int) -> Window:
        """Return what a version reads to forecast on the row at ``place``."""
        ...

    def baseline_values(self, places: range) -> Mapping[str, NDArray[np.float64]]:
        """Return the cheap forecasts on rows, by name. Raises ``ModelError`` if rows lack what one needs."""
        ...

    def loss(self, series: Series) -> NDArray[np.float64]:
        """Return the loss of each forecast, ``float64[forecast]``."""
        ...
