"""Test, then train: forecast every block, learn only from labels that have really arrived."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.errors import ModelError
from core.reasons import Reason
from features.feature import FeatureRow
from features.schema import FeatureSchema
from market.state import JOURNAL_DEPTH
from models.conformal import AdaptiveConformal
from models.evaluation import Study
from models.forecaster import Forecast, Forecaster, Window
from models.judged_rows import RECENT
from models.judgements import Judgements
from models.labels import DelayedLabels, Issued
from models.learner_stream import StreamState
from models.row_checks import check_row, check_values
from models.snapshot import Snapshot, rebuild
from models.unlearning import Unlearning

REHEARSED = 1000
"""Last rows of warm-up history that are forecast as if live, so that intervals start calibrated."""


@dataclass(frozen=True, slots=True)
class _Passed:
    """Forecasts whose block has passed, with or without a label, and every interval as it was before."""

    issued: Issued
    intervals: Mapping[str, AdaptiveConformal]


class PrequentialLearner:
    """Runs models and baselines side by side over a stream of rows.

    On each block it first takes in the label that this block makes known: the forecasts about
    it are judged as they were served, then the models learn from the very windows they had
    forecast on. Only then are new forecasts made. A block without a usable row is passed over;
    windows are of consecutive blocks, so forecasts begin again when a window is whole.

    Parameters
    ----------
    forecasters
        Models; nobody else may teach them.
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
    intervals
        By name, where they stood; new ones without.
    remembered
        Judged forecasts of each that a study tells, the last ones; ``None`` for all of a stream with an end.

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
        intervals: Mapping[str, AdaptiveConformal] | None = None,
        remembered: int | None = RECENT,
    ) -> None:
        self._all = tuple(Unlearning(one) for one in (*forecasters, *baselines))
        self.models = tuple(one.name for one in forecasters)
        self.baselines = tuple(one.name for one in baselines)
        names = [*self.models, *self.baselines]
        if len(set(names)) != len(names) or "persistence" not in self.baselines:
            raise ModelError("models need different names, and persistence among the baselines", names=names)
        if window < 1:
            raise ModelError(f"a window holds at least one row, got {window}", window=window)
        self._schema = schema
        self._target = target
        self._nominal = nominal
        self._window = window
        self._labels = DelayedLabels(horizon)
        self._conformal = dict(intervals or {name: AdaptiveConformal(nominal) for name in names})
        self._rows: deque[FeatureRow] = deque(maxlen=window + JOURNAL_DEPTH)
        self._passed: deque[_Passed] = deque(maxlen=JOURNAL_DEPTH)
        self._oldest = 0
        self._judged = Judgements(self.models, self.baselines, remembered)
        self.head: int | None = None
        """Height of the last block that was taken in."""
        self.missed = 0
        """Blocks whose forecasts were given up because their truth never came."""

    def warm_up(self, rows: Sequence[FeatureRow], truths: Sequence[float]) -> None:
        """Train on history that ends before the first row to be judged.

        Models that can be fitted in batches are fitted on all but the last ``REHEARSED`` rows;
        those are then stepped through like live rows, without being judged.

        Parameters
        ----------
        rows, truths
            Consecutive rows and the target of each row's own block; :meth:`step` goes on after the last.

        Raises
        ------
        ModelError
            If rows were already seen, or rows and truths differ in number.
        """
        if self.head is not None:
            raise ModelError("warm up before the first step; history cannot follow the present")
        if len(rows) != len(truths):
            raise ModelError(f"{len(rows)} rows need as many truths, got {len(truths)}")
        horizon = self._labels.horizon
        # a fitted row's label must not lie among the rehearsed ones
        fitted = range(self._window, max(len(rows) - REHEARSED - horizon, 0) + 1)
        windows: list[Window] = [tuple(rows[end - self._window : end]) for end in fitted]
        labels = [truths[end - 1 + horizon] for end in fitted]
        for one in self._all if windows else ():
            one.fit(windows, labels)
        start = max(len(rows) - REHEARSED, 0)
        for row, truth in zip(rows[start:], truths[start:], strict=True):
            self.step(row, truth, judged=False)

    def step(self, row: FeatureRow, truth: float | None, *, judged: bool = True) -> tuple[Forecast, ...]:
        """Learn what this block makes known, then forecast.

        Parameters
        ----------
        row
            Features of the block that follows the last one.
        truth
            The target's value of that very block, in the target's unit; ``None`` if it never comes.
        judged
            Whether the new forecasts count in the study.

        Returns
        -------
        tuple of Forecast
            One per model, then per baseline; empty while there are fewer rows than a window.

        Raises
        ------
        ModelError
            If the row is not of the next block or :func:`models.row_checks.check_row` refuses it, or the
            truth is not finite; nothing has changed then, and ``fields['reason']`` says why. If a model
            forecasts no number; the label is learned then, and nothing issued.
        """
        check_row(row, self._schema, self._rows[-1] if self._rows else None)
        self.learn(row.block_number, truth)
        self._rows.append(row)
        window = tuple(self._rows)[-self._window :]
        if len(window) < self._window or row.block_number - window[0].block_number >= self._window:
            return ()
        forecasts = self._forecast(window)
        self._labels.add(Issued(window, forecasts, judged))
        return forecasts

    def learn(self, number: int, truth: float | None) -> None:
        """Take in a block without a row: learn its label, and forecast nothing on it.

        Parameters
        ----------
        number
            Height of the block that follows the last one.
        truth
            The target's value of that block; ``None`` if it never comes, and then what was said about it
            is neither judged nor learned.

        Raises
        ------
        ModelError
            If it is not the next block or the truth is not finite; nothing has changed then.
        """
        if truth is not None and not math.isfinite(truth):
            detail = f"the truth of block {number} is {truth}; a label must be a finite number"
            raise ModelError(detail, block=number, reason=Reason.LABEL_MISSING)
        if self.head is not None and number != self.head + 1:
            detail = f"block {number} does not follow block {self.head}; roll back or give the blocks between"
            raise ModelError(detail, expected=self.head + 1, got=number)
        self._oldest = max(number - 1 if self.head is None else self._oldest, number - JOURNAL_DEPTH)
        self.head = number
        issued = self._labels.release(number)
        if issued is None:
            return
        before = {name: conformal.copy() for name, conformal in self._conformal.items()}
        self._passed.append(_Passed(issued, before))
        if truth is None:
            self.missed += 1
        else:
            self._teach(issued, truth)

    def rollback(self, to_number: int) -> None:
        """Forget blocks above height ``to_number``, as if they had never been seen.

        Their rows, the forecasts issued on them, and what their labels taught models and intervals go,
        to the bit; forecasts about them that older blocks had issued wait again for the label of the
        new branch.

        Raises
        ------
        ModelError
            If that is deeper than the journal, or before the first row; nothing has changed then.
        """
        if self.head is None or self.head <= to_number:
            return
        if to_number < self._oldest:
            raise ModelError(
                f"cannot go back to block {to_number}: the learner remembers back to block {self._oldest}; "
                "make a new one and warm it up",
                to_number=to_number,
                oldest=self._oldest,
            )
        self.head = to_number
        while self._rows and self._rows[-1].block_number > to_number:
            self._rows.pop()
        self._labels.rollback(to_number)
        for one in self._all:
            one.unlearn(to_number - self._labels.horizon + 1)
        while self._passed and self._about(self._passed[-1].issued) > to_number:
            passed = self._passed.pop()
            self._conformal = dict(passed.intervals)
            if passed.issued.issued_block <= to_number:
                self._labels.add(passed.issued)
        self._judged.rollback(to_number)

    def study(self) -> Study:
        """Return the scores of everything judged so far."""
        return self._judged.study(self._target, self._labels.horizon, self._nominal)

    def snapshot(self, name: str) -> Snapshot:
        """Return a copy of a model or baseline as it stands now; learning on does not change it.

        Raises
        ------
        ModelError
            If there is no such model, or nothing was seen yet.
        """
        found = {one.name: one for one in self._all}
        if name not in found or self.head is None:
            known = ", ".join(found)
            detail = f"no snapshot of {name!r}: there are {known}, and at least one block must be seen"
            raise ModelError(detail, name=name)
        return Snapshot(
            forecaster=rebuild(name, found[name].state()),
            conformal=self._conformal[name].copy(),
            schema=self._schema,
            window=self._window,
            target=self._target,
            horizon_blocks=self._labels.horizon,
            state_block=self.head,
        )

    def stream(self) -> StreamState:
        """Return where it stands; with a snapshot of each model and baseline, :meth:`resume` goes on from it.

        Raises
        ------
        ModelError
            If nothing was seen yet.
        """
        if self.head is None:
            raise ModelError("a learner that has seen no block stands nowhere yet")
        waiting = self._labels.waiting
        oldest = min((one.window[0].block_number for one in waiting), default=self.head)
        needed = min(oldest, self.head - self._window + 1)
        rows = tuple(row for row in self._rows if row.block_number >= needed)
        return StreamState(self.head, self.missed, rows, waiting, self._judged.sums())

    def resume(self, stream: StreamState) -> None:
        """Go on from a place on a stream, with the models and intervals of that moment.

        The next steps are those of a learner that never stopped. It cannot go back before that place.

        Raises
        ------
        ModelError
            If it has seen a block already, or the place is that of other models.
        """
        if self.head is not None:
            raise ModelError("resume before the first step", head=self.head)
        self._judged.resume(stream.sums)
        self._rows.extend(stream.rows)
        for issued in stream.waiting:
            self._labels.add(issued)
        self.head, self.missed, self._oldest = stream.head, stream.missed, stream.head

    def _teach(self, issued: Issued, label: float) -> None:
        for one, forecast in zip(self._all, issued.forecasts, strict=True):
            served = (forecast.value, forecast.lower, forecast.upper)
            if issued.judged:
                self._judged.add(one.name, self._about(issued), label, served)
            self._conformal[one.name].update(*served, label)
            one.learn_one(issued.window, label)

    def _about(self, issued: Issued) -> int:
        return issued.issued_block + self._labels.horizon

    def _forecast(self, window: Window) -> tuple[Forecast, ...]:
        values = {one.name: one.predict_one(window) for one in self._all}
        check_values(values, window[-1].block_number)
        best = self._judged.best_baseline
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
