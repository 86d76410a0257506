"""Curves of a study, for pictures: how honest its intervals are, and how skill came about."""

from __future__ import annotations

import numpy as np

from models.evaluation import Series, Study

POINTS_AT_MOST = 200
"""Metric steps and picture points per model; more only costs time in a browser."""

NOMINAL_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def reliability_curve(series: Series, nominal: float) -> tuple[list[float], list[float]]:
    """Return coverage aimed at, and reached, at several levels.

    At ``nominal`` it is the coverage of the intervals as served. For another level they are
    widened or narrowed by one factor, taken from the first half of the series and judged on
    the second, so that no error judges itself.
    """
    levels = sorted({*NOMINAL_LEVELS, nominal})
    half_width = (series.upper - series.lower) / 2
    usable = half_width > 0
    relative = np.abs(series.truth - series.prediction)[usable] / half_width[usable]
    first, second = np.array_split(relative, 2)
    if not len(second):
        return [], []
    inside = (series.lower <= series.truth) & (series.truth <= series.upper)
    reached = [
        float(inside.mean() if level == nominal else (second <= np.quantile(first, level)).mean())
        for level in levels
    ]
    return levels, reached


def skill_so_far(study: Study) -> tuple[list[int], dict[str, list[float]]]:
    """Return blocks and, per model, skill against the best baseline over everything up to there."""
    base = study.series[study.best_baseline]
    base_error = np.cumsum(np.abs(base.truth - base.prediction))
    keep = np.unique(np.linspace(0, len(base_error) - 1, min(len(base_error), POINTS_AT_MOST)).astype(int))
    skills = {}
    for score in study.scores:
        series = study.series[score.name]
        error = np.cumsum(np.abs(series.truth - series.prediction))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(base_error > 0, 1 - error / base_error, 0.0)
        if score.name != study.best_baseline:
            skills[score.name] = ratio[keep].tolist()
    return base.blocks[keep].tolist(), skills
