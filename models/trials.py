"""One trial of a search: a model with its settings, judged chunk by chunk as time would have it.

A trial is pure: it knows nothing of who runs it. What it reports of a chunk follows from the table, the
setting and the seed alone, and it goes on exactly from its :meth:`Trial.state`.
"""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from features.schema import FeatureSchema
from models.courses import Course, ranked_features
from models.experts import Frozen
from models.forecaster import Forecaster
from models.inputs import BASELINE
from models.label_stream import anchor_of
from models.online_lstm import OnlineLSTM
from models.scorecard import LOSSES, losses_of
from models.targets.table import TargetTable
from models.trial_settings import Setting, build_model

CHUNKS = 8
"""Equal parts of the judged rows; a search decides after each of them."""


class Trial:
    """A model on a target, one chunk of judged rows at a time.

    Parameters
    ----------
    table
        The target; its rows before ``first_judged`` are learned from at the start.
    setting
        What is tried.
    seed
        Seeds the model.
    anchor, features
        Baseline that is corrected, and features that are read; found on the learning rows where left out.
    frozen
        One more expert where a mix is tried; it has learned from no row that is judged.

    Raises
    ------
    ModelError
        If there is no such model for this kind of target.
    """

    def __init__(
        self,
        table: TargetTable,
        setting: Setting,
        seed: int,
        *,
        anchor: str = "",
        features: tuple[str, ...] = (),
        frozen: Frozen | None = None,
    ) -> None:
        self.setting = setting
        self.frozen = frozen
        self.course = Course(table, anchor or anchor_of(table))
        self.features = features or chosen_features(table, self.course.anchor, setting.features)
        schema = FeatureSchema((*self.features, BASELINE))
        self.forecaster = build_model(
            setting, schema, table.kind, seed, horizon=self.course.delay, frozen=frozen
        )
        after = np.arange(table.first_judged, len(table))
        self._chunks = np.array_split(after, CHUNKS)
        self._done = 0
        self._taught: int | None = None
        self._values = np.full(len(table), np.nan)

    @property
    def chunks_done(self) -> int:
        """Chunks judged so far."""
        return self._done

    @property
    def finished(self) -> bool:
        """Whether every chunk is judged."""
        return self._done == len(self._chunks)

    def adopt(self, forecaster: Forecaster, *, taught: bool) -> None:
        """Begin with a model that has learned elsewhere.

        Parameters
        ----------
        forecaster
            The model.
        taught
            Whether it has seen every label that is known when the first judged row is issued; if not, all
            but those that become known with that row.
        """
        self.forecaster = forecaster
        first = self.course.table.first_judged
        self._taught = self.course.known(first if taught else first - 1)

    def begin(self) -> None:
        """Learn from the labels known when the first judged row is issued, unless it has begun already."""
        if self._taught is None:
            self._taught = self._fit()

    def step(self) -> dict[str, float]:
        """Forecast one more chunk, learning as labels arrive, and return how it went.

        Returns
        -------
        dict
            ``skill`` so far and ``recent`` of the last two chunks, against the hardest baseline on the same
            rows; ``loss`` so far; ``rows`` judged so far; ``loss.NAME`` so far of each baseline.

        Raises
        ------
        ModelError
            If all chunks are judged, or the model forecasts no number.
        """
        if self.finished:
            raise ModelError("all chunks of this trial are judged", chunks=len(self._chunks))
        self.begin()
        taught = self._taught or 0
        for row in self._chunks[self._done].tolist():
            known = self.course.known(row)
            for at in self.course.arrivals(taught, known).tolist():
                if at % self.setting.every == 0:
                    self._learn(at)
            taught = max(taught, known)
            value = self.forecaster.predict_one(self.course.window(row, self.setting.window))
            if not math.isfinite(value):
                raise ModelError(f"{self.setting.model} forecasts no number on row {row}", row=row)
            self._values[row] = value
        self._taught = taught
        self._done += 1
        return self._report()

    def run(self) -> Self:
        """Judge all chunks that are left, and return the trial. Raises ``ModelError`` as :meth:`step`."""
        while not self.finished:
            self.step()
        return self

    def losses(self) -> tuple[NDArray[np.int64], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """Return the judged rows with a label so far, the trial's loss on each, and each baseline's."""
        return self._losses(0)

    def values(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the forecasts of rows, as served, in the target's unit."""
        return self._values[rows]

    def state(self) -> dict[str, Any]:
        """Return everything needed to go on exactly."""
        return {
            "done": self._done,
            "taught": self._taught,
            "values": self._values.copy(),
            "model": self.forecaster.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`, under the setting of this trial.

        Raises
        ------
        ModelError
            If it is the state of a trial on other rows, or with another shape of model.
        """
        if len(state["values"]) != len(self._values):
            raise ModelError("the saved trial was on other rows; restore it on the same target")
        self.forecaster.restore(state["model"])
        if isinstance(self.forecaster, OnlineLSTM):
            self.forecaster.rate = self.setting.rate
        self._done, self._taught = int(state["done"]), state["taught"]
        self._values = np.array(state["values"], dtype=np.float64)

    def _fit(self) -> int:
        known = self.course.known(self.course.table.first_judged)
        rows = self.course.arrivals(0, known)
        fit = getattr(self.forecaster, "fit", None)
        if fit is not None and len(rows):
            labels = self.course.table.label[rows].tolist()
            fit([self.course.window(row, self.setting.window) for row in rows.tolist()], labels)
        else:
            for row in rows.tolist():
                self._learn(row)
        return known

    def _learn(self, row: int) -> None:
        window = self.course.window(row, self.setting.window)
        self.forecaster.learn_one(window, float(self.course.table.label[row]))

    def _losses(
        self, first_chunk: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        table = self.course.table
        rows = np.concatenate((np.zeros(0, dtype=np.int64), *self._chunks[first_chunk : self._done]))
        rows = rows[np.isfinite(table.label[rows])]
        deciding, label = LOSSES[table.kind][0], table.label[rows]
        return (
            rows,
            losses_of(deciding, self._values[rows], label),
            {name: losses_of(deciding, said[rows], label) for name, said in table.baselines.items()},
        )

    def _report(self) -> dict[str, float]:
        rows, loss, baselines = self.losses()
        _, late, late_baselines = self._losses(max(self._done - 2, 0))
        if not len(rows):
            return {"skill": 0.0, "recent": 0.0, "loss": 0.0, "rows": 0.0}
        return {
            "skill": skill_against_hardest(loss, baselines),
            "recent": skill_against_hardest(late, late_baselines),
            "loss": float(loss.mean()),
            "rows": float(len(rows)),
            **{f"loss.{name}": float(each.mean()) for name, each in baselines.items()},
        }


def chosen_features(table: TargetTable, anchor: str, share: float) -> tuple[str, ...]:
    """Return the share of features, at least one, that tell most about the anchor's error."""
    ranked = ranked_features(table, anchor)
    return ranked[: max(1, math.ceil(share * len(ranked)))]


def skill_against_hardest(loss: NDArray[np.float64], baselines: dict[str, NDArray[np.float64]]) -> float:
    """Return ``1 - loss / loss of the baseline with the least``; 0 where nothing was judged.

    A perfect baseline cannot be beaten: the skill is then 0, or -1 for any loss at all, a number that a
    search can still compare.
    """
    total = float(loss.sum())
    hardest = min((float(each.sum()) for each in baselines.values()), default=0.0)
    if hardest > 0:
        return 1 - total / hardest
    return 0.0 if total == 0 else -1.0
