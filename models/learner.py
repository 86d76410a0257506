"""Test, then train: forecast every block, learn only from labels that have really arrived."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.errors import ModelError
from features.feature import FeatureRow
from features.schema import FeatureSchema
from market.state import JOURNAL_DEPTH
from models.conformal import AdaptiveConformal
from models.evaluation import Study, make_study
from models.forecaster import Forecast, Forecaster, Window
from models.labels import DelayedLabels, Issued
from models.snapshot import Snapshot, rebuild

REHEARSED = 1000
"""Last rows of warm-up history that are forecast as if live, so that intervals start calibrated."""


@dataclass(frozen=True, slots=True)
class _Learned:
    """A label that arrived: the forecasts it judged, and every interval as it was before."""

    issued: Issued
    intervals: Mapping[str, AdaptiveConformal]


class PrequentialLearner:
    """Runs models and baselines side by side over a stream of rows.

    On each block it first takes in the label that this block makes known: the forecasts about
    it are judged as they were served, then the models learn from the very windows they had
    forecast on. Only then are new forecasts made.

    Parameters
    ----------
    forecasters
        Models.
    baselines
        Cheap forecasts beside them; ``persistence`` must be among them.
    schema
        Columns of the windows that are served later.
    horizon
        Blocks ahead.
    target
        Name of what is forecast, with its unit.
    nominal
        Coverage the intervals aim at.
    window
        Rows in a window.

    Raises
    ------
    ModelError
        If two have one name, or there is no persistence.
    """

    def __init__(
        self,
        forecasters: Sequence[Forecaster],
        baselines: Sequence[Forecaster],
        schema: FeatureSchema,
        *,
        horizon: int = 2,
        target: str = "base_fee_gwei",
        nominal: float = 0.9,
        window: int = 16,
    ) -> None:
        self._all = (*forecasters, *baselines)
        names = [one.name for one in self._all]
        self._baselines = [one.name for one in baselines]
        if len(set(names)) != len(names) or "persistence" not in self._baselines:
            raise ModelError("models need different names, and persistence among the baselines", names=names)
        if window < 1:
            raise ModelError(f"a window holds at least one row, got {window}", window=window)
        self._schema = schema
        self._target = target
        self._nominal = nominal
        self._window = window
        self._labels = DelayedLabels(horizon)
        self._conformal = {name: AdaptiveConformal(nominal) for name in names}
        self._rows: deque[FeatureRow] = deque(maxlen=window + JOURNAL_DEPTH)
        self._learned: deque[_Learned] = deque(maxlen=JOURNAL_DEPTH)
        self._oldest: int | None = None
        self._judged: dict[str, list[tuple[float, ...]]] = {name: [] for name in names}
        self._errors = dict.fromkeys(self._baselines, 0.0)

    def warm_up(self, rows: Sequence[FeatureRow], truths: Sequence[float]) -> None:
        """Train on history that ends before the first row to be judged.

        Models that can be fitted in batches are fitted on all but the last ``REHEARSED`` rows;
        those are then stepped through like live rows, without being judged.

        Parameters
        ----------
        rows, truths
            Consecutive rows and the target of each row's own block; the next row given to
            :meth:`step` must be the block after them.

        Raises
        ------
        ModelError
            If rows were already seen, or rows and truths differ in number.
        """
        if self._rows:
            raise ModelError("warm up before the first step; history cannot follow the present")
        if len(rows) != len(truths):
            raise ModelError(f"{len(rows)} rows need as many truths, got {len(truths)}")
        horizon = self._labels.horizon
        # a fitted row's label must not lie among the rehearsed ones
        fitted = range(self._window, max(len(rows) - REHEARSED - horizon, 0) + 1)
        windows: list[Window] = [tuple(rows[end - self._window : end]) for end in fitted]
        labels = [truths[end - 1 + horizon] for end in fitted]
        for one in self._all:
            fit = getattr(one, "fit", None)
            if fit is not None and windows:
                fit(windows, labels)
        start = max(len(rows) - REHEARSED, 0)
        for row, truth in zip(rows[start:], truths[start:], strict=True):
            self.step(row, truth, judged=False)

    def step(self, row: FeatureRow, truth: float, *, judged: bool = True) -> tuple[Forecast, ...]:
        """Learn what this block makes known, then forecast.

        Parameters
        ----------
        row
            Features of the block that follows the last one.
        truth
            The target's value of that very block, in the target's unit; a finite number.
        judged
            Whether the new forecasts count in the study.

        Returns
        -------
        tuple of Forecast
            One per model, then per baseline; empty while there are fewer rows than a window.

        Raises
        ------
        ModelError
            If the row is not of the next block or the truth is not finite; nothing has changed
            then. If a model forecasts no number; the label is learned then, and nothing issued.
        """
        if not math.isfinite(truth):
            raise ModelError(
                f"the truth of block {row.block_number} is {truth}; a label must be a finite number",
                block=row.block_number,
            )
        if self._rows and row.block_number != self._rows[-1].block_number + 1:
            raise ModelError(
                f"row of block {row.block_number} does not follow block {self._rows[-1].block_number}; "
                "roll back or give the rows between",
                expected=self._rows[-1].block_number + 1,
                got=row.block_number,
            )
        issued = self._labels.release(row.block_number)
        if issued is not None:
            self._learn(issued, truth)
        self._rows.append(row)
        earliest = row.block_number if self._oldest is None else self._oldest
        self._oldest = max(earliest, row.block_number - JOURNAL_DEPTH)
        if len(self._rows) < self._window:
            return ()
        window = tuple(self._rows)[-self._window :]
        forecasts = self._forecast(window)
        self._labels.add(Issued(window, forecasts, judged))
        return forecasts

    def rollback(self, to_number: int) -> None:
        """Forget blocks above height ``to_number``.

        Their rows, the forecasts issued on them and what they taught the intervals go;
        forecasts about them that older blocks had issued wait again for the label of the new
        branch. A gradient step already taken on an orphaned label stays taken.

        Raises
        ------
        ModelError
            If that is deeper than the journal, or before the first row; nothing has changed
            then.
        """
        if not self._rows or self._rows[-1].block_number <= to_number:
            return
        if self._oldest is None or to_number < self._oldest:
            raise ModelError(
                f"cannot go back to block {to_number}: the learner remembers back to block {self._oldest}; "
                "make a new one and warm it up",
                to_number=to_number,
                oldest=self._oldest,
            )
        while self._rows[-1].block_number > to_number:
            self._rows.pop()
        self._labels.rollback(to_number)
        while self._learned and self._about(self._learned[-1].issued) > to_number:
            learned = self._learned.pop()
            self._conformal = dict(learned.intervals)
            if learned.issued.issued_block <= to_number:
                self._labels.add(learned.issued)
        for judgements in self._judged.values():
            while judgements and judgements[-1][0] > to_number:
                judgements.pop()
        # added up anew: taking floats away again would leave their rounding behind
        self._errors = {name: _total_error(self._judged[name]) for name in self._baselines}

    def study(self) -> Study:
        """Return the scores of everything judged so far."""
        models = {name: rows for name, rows in self._judged.items() if name not in self._baselines}
        baselines = {name: self._judged[name] for name in self._baselines}
        return make_study(self._target, self._labels.horizon, self._nominal, models, baselines)

    def snapshot(self, name: str) -> Snapshot:
        """Return a copy of a model or baseline as it stands now; learning on does not change it.

        Raises
        ------
        ModelError
            If there is no such model, or nothing was seen yet.
        """
        found = {one.name: one for one in self._all}
        if name not in found or not self._rows:
            raise ModelError(
                f"no snapshot of {name!r}: there are {', '.join(found)}, and at least one row must be seen",
                name=name,
            )
        return Snapshot(
            forecaster=rebuild(name, found[name].state()),
            conformal=self._conformal[name].copy(),
            schema=self._schema,
            window=self._window,
            target=self._target,
            horizon_blocks=self._labels.horizon,
            state_block=self._rows[-1].block_number,
        )

    def _about(self, issued: Issued) -> int:
        return issued.issued_block + self._labels.horizon

    def _learn(self, issued: Issued, label: float) -> None:
        about = self._about(issued)
        before = {name: conformal.copy() for name, conformal in self._conformal.items()}
        self._learned.append(_Learned(issued, before))
        for one, forecast in zip(self._all, issued.forecasts, strict=True):
            served = (forecast.value, forecast.lower, forecast.upper)
            if issued.judged:
                self._judged[one.name].append((about, label, *served))
                if one.name in self._errors:
                    self._errors[one.name] += abs(label - forecast.value)
            self._conformal[one.name].update(*served, label)
            one.learn_one(issued.window, label)

    def _forecast(self, window: Window) -> tuple[Forecast, ...]:
        values = {one.name: one.predict_one(window) for one in self._all}
        for name, value in values.items():
            if not math.isfinite(value):
                raise ModelError(
                    f"{name} forecasts {value} on block {window[-1].block_number}; "
                    "train it again or leave it out",
                    name=name,
                    block=window[-1].block_number,
                )
        best = min(self._baselines, key=lambda name: self._errors[name])
        forecasts = []
        for name, value in values.items():
            lower, upper = self._conformal[name].interval(value)
            forecasts.append(
                Forecast(
                    target=self._target,
                    issued_block=window[-1].block_number,
                    horizon_blocks=self._labels.horizon,
                    value=value,
                    lower=lower,
                    upper=upper,
                    nominal=self._nominal,
                    model_version=name,
                    baseline=best,
                    baseline_value=values[best],
                )
            )
        return tuple(forecasts)


def _total_error(judgements: Sequence[tuple[float, ...]]) -> float:
    """Return the sum of absolute errors, added in the order in which they came."""
    total = 0.0
    for _, truth, value, *_ in judgements:
        total += abs(truth - value)
    return total
