"""Two public series under our evaluation: a sanity check that others' published figures can be held against.

Both come with river. Its own evaluation compares the forecast of the next step with the step after it,
so a perfect forecaster of a straight line errs by one; published figures carry that shift. Each
series is therefore judged under both protocols: ``aligned``, where a forecast is compared with what it
speaks about, and ``one_late``, river's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from river import datasets

from models.forecaster import Forecaster
from models.prequential import run_prequential
from models.targets.table import Kind, TargetTable

HORIZON = 3
GRACE = 12
"""Values seen before the first judged forecast."""
_LAGS = (1, 2, 3, 12)

Make = Callable[[TargetTable], Sequence[Forecaster]]
"""Returns fresh forecasters for a target."""


class Protocol(StrEnum):
    """What a forecast is compared with."""

    ALIGNED = "aligned"
    ONE_LATE = "one_late"


@dataclass(frozen=True, slots=True)
class TrackScore:
    """One forecaster on one series.

    Parameters
    ----------
    track, protocol, forecaster
        Series, what forecasts are compared with, and who forecasts.
    mae
        Mean absolute error, averaged over 1, 2 and 3 steps ahead, in the series' unit.
    """

    track: str
    protocol: Protocol
    forecaster: str
    mae: float


def tracks() -> dict[str, NDArray[np.float64]]:
    """Return the series by name, ``float64[step]``: per cent of approval, thousands of passengers."""
    both = (datasets.TrumpApproval(), datasets.AirlinePassengers())  # type: ignore[no-untyped-call]
    return {type(one).__name__: np.array([value for _, value in one], dtype=np.float64) for one in both}


def score_track(
    track: str, series: NDArray[np.float64], make: Make, *, window: int = 16
) -> Iterator[TrackScore]:
    """Yield the scores of persistence and of models on a series, under both protocols.

    Parameters
    ----------
    track, series
        Name, and ``float64[step]`` of at least ``GRACE + 2 * HORIZON`` steps.
    make
        Returns fresh models for a target; each horizon has its own.
    window
        Rows a model is given.
    """
    for protocol in Protocol:
        errors: dict[str, list[float]] = {}
        for horizon in range(1, HORIZON + 1):
            table = track_table(track, series, horizon, protocol)
            results = run_prequential(table, make(table), window=window)
            for name, served in results.served.items():
                errors.setdefault(name, []).append(float(np.abs(served.value - results.label).mean()))
        for name, each in sorted(errors.items()):
            yield TrackScore(track, protocol, name, float(np.mean(each)))


def track_table(track: str, series: NDArray[np.float64], horizon: int, protocol: Protocol) -> TargetTable:
    """Return a series as a target: its value ``horizon`` steps ahead, over persistence.

    Only rows whose label exists for every horizon are kept, so that all horizons are judged on
    the same ones.

    Examples
    --------
    >>> table = track_table("line", np.arange(20.0), 1, Protocol.ONE_LATE)
    >>> float(table.label[0] - table.baselines["persistence"][0])
    2.0
    """
    shift = 1 if protocol is Protocol.ONE_LATE else 0
    count = len(series) - HORIZON - shift
    steps = np.arange(count, dtype=np.int64)
    ahead = horizon + shift
    changes = [series[steps] - series[np.maximum(steps - lag, 0)] for lag in _LAGS]
    return TargetTable(
        name=f"{track}_{horizon}",
        unit="",
        horizon=f"{horizon} steps",
        kind=Kind.NUMBER,
        names=tuple(f"change_{lag}" for lag in _LAGS),
        values=np.column_stack(changes),
        label=series[steps + ahead],
        issued=steps,
        known=steps + ahead,
        baselines={"persistence": series[steps]},
        first_judged=GRACE - 1,
        source="river",
    )
