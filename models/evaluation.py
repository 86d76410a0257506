"""Score forecasts as served: error, skill against the best baseline, coverage, width.

Skill is ``1 - MAE / MAE of the best baseline`` over the same blocks. A table of errors
without it says nothing: on a calm day everything looks accurate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from models.judged_rows import Sums

Rows = Sequence[tuple[float, ...]] | NDArray[np.float64]
"""Judged forecasts: block, truth, value, lower and upper bound of each."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Judged forecasts of one model, in order; arrays of one length.

    Parameters
    ----------
    blocks
        ``int64``: the block a forecast speaks about.
    truth, prediction, lower, upper
        ``float64``, in the target's unit.
    """

    blocks: NDArray[np.int64]
    truth: NDArray[np.float64]
    prediction: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelScore:
    """How one model did.

    Parameters
    ----------
    name, baseline
        Model, and whether it is a baseline.
    count
        Judged forecasts.
    mae, rmse, width
        Mean absolute error, root mean square error and mean interval width, in the target's unit.
    skill
        ``1 - mae / mae of the best baseline``.
    coverage
        Share of intervals that held their label.
    """

    name: str
    baseline: bool
    count: int
    mae: float
    rmse: float
    skill: float
    coverage: float
    width: float


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Result of a prequential study.

    Parameters
    ----------
    target, horizon_blocks, nominal
        What was forecast, how far ahead, and the coverage aimed at.
    scores
        Models first, then baselines, each best MAE first.
    series
        Judged forecasts by name; of a run that may never end the last ones.
    """

    target: str
    horizon_blocks: int
    nominal: float
    scores: tuple[ModelScore, ...]
    series: Mapping[str, Series]

    @property
    def best_baseline(self) -> str:
        """Name of the baseline with the smallest MAE."""
        return next(score.name for score in self.scores if score.baseline)

    def score(self, name: str) -> ModelScore:
        """Return a model's score.

        Raises
        ------
        ModelError
            If the study has no such model.
        """
        for score in self.scores:
            if score.name == name:
                return score
        known = [score.name for score in self.scores]
        raise ModelError(f"the study has no model {name!r}; it has {', '.join(known)}", known=known)

    def steps(self, name: str, every: int = 100) -> tuple[tuple[int, dict[str, float]], ...]:
        """Return cumulative ``mae``, ``skill`` and ``coverage`` after each ``every`` forecasts.

        The last forecast is always among them. Skill is against the baseline that is best over
        the whole study.
        """
        series, base = self.series[name], self.series[self.best_baseline]
        count = np.arange(1, len(series.blocks) + 1)
        mae = np.cumsum(np.abs(series.truth - series.prediction)) / count
        base_mae = np.cumsum(np.abs(base.truth - base.prediction)) / count
        covered = np.cumsum((series.lower <= series.truth) & (series.truth <= series.upper)) / count
        places = sorted({*range(every - 1, len(count), every), *([len(count) - 1] if len(count) else [])})
        return tuple(
            (
                int(series.blocks[at]),
                {
                    "mae": float(mae[at]),
                    "skill": _skill(mae[at], base_mae[at]),
                    "coverage": float(covered[at]),
                },
            )
            for at in places
        )


def make_study(
    target: str,
    horizon_blocks: int,
    nominal: float,
    models: Mapping[str, Rows],
    baselines: Mapping[str, Rows],
    sums: Mapping[str, Sums] | None = None,
) -> Study:
    """Score judged forecasts.

    Parameters
    ----------
    target, horizon_blocks, nominal
        What was forecast, how far ahead, and the coverage aimed at.
    models, baselines
        Forecasts by name.
    sums
        By name, what is scored instead where forecasts are only the last ones.

    Raises
    ------
    ModelError
        If persistence is not among the baselines, or models were judged on different blocks.
    """
    if "persistence" not in baselines:
        raise ModelError("a study needs the baseline 'persistence'; without it skill means nothing")
    series = {name: _series(rows) for name, rows in {**models, **baselines}.items()}
    reference = series["persistence"]
    for name, one in series.items():
        same = np.array_equal(one.blocks, reference.blocks) and np.array_equal(one.truth, reference.truth)
        if not same:
            raise ModelError(f"{name} was judged on other blocks than persistence", name=name)
    if sums is None:
        best = min(_mae(series[name]) for name in baselines)
        scores = [_score(name, one, name in baselines, best) for name, one in series.items()]
    else:
        best = min(sums[name].absolute / sums[name].count for name in baselines)
        scores = [_score_of_sums(name, one, name in baselines, best) for name, one in sums.items()]
    scores.sort(key=lambda score: (score.baseline, score.mae, score.name))
    return Study(target, horizon_blocks, nominal, tuple(scores), series)


def choose_winner(study: Study) -> str | None:
    """Return the model with the smallest MAE if its skill is positive, else ``None``.

    ``None`` means: serve ``study.best_baseline``.
    """
    models = [score for score in study.scores if not score.baseline and score.skill > 0]
    return min(models, key=lambda score: (score.mae, score.name)).name if models else None


def _series(rows: Rows) -> Series:
    table: NDArray[Any] = np.array(rows, dtype=np.float64).reshape(len(rows), 5)
    return Series(table[:, 0].astype(np.int64), *(table[:, column].copy() for column in range(1, 5)))


def _mae(series: Series) -> float:
    return float(np.abs(series.truth - series.prediction).mean()) if len(series.blocks) else math.nan


def _skill(mae: float, base_mae: float) -> float:
    if base_mae == 0:
        # a perfect baseline cannot be beaten, only matched
        return 0.0 if mae == 0 else -math.inf
    return float(1 - mae / base_mae)


def _score(name: str, series: Series, baseline: bool, best: float) -> ModelScore:
    if not len(series.blocks):
        return ModelScore(name, baseline, 0, math.nan, math.nan, math.nan, math.nan, math.nan)
    error = series.truth - series.prediction
    mae = _mae(series)
    return ModelScore(
        name=name,
        baseline=baseline,
        count=len(error),
        mae=mae,
        rmse=float(np.sqrt((error * error).mean())),
        skill=_skill(mae, best),
        coverage=float(((series.lower <= series.truth) & (series.truth <= series.upper)).mean()),
        width=float((series.upper - series.lower).mean()),
    )


def _score_of_sums(name: str, sums: Sums, baseline: bool, best: float) -> ModelScore:
    mae = sums.absolute / sums.count
    return ModelScore(
        name=name,
        baseline=baseline,
        count=sums.count,
        mae=mae,
        rmse=math.sqrt(sums.squared / sums.count),
        skill=_skill(mae, best),
        coverage=sums.inside / sums.count,
        width=sums.width / sums.count,
    )
