"""river's models: when they are renewed, and what the series forecasts."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import ModelError
from core.seams import Randomness
from features.feature import FeatureRow
from models import river_renewed
from models.rebuilding import rebuild
from models.river_logistic import RiverLogistic
from models.river_renewed import RiverSeries, RiverTree
from tests.models.stream_stories import SCHEMA, WINDOW, coin_stream, stream, walk, window_at


def test_a_renewed_tree_forgets_the_regime_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(river_renewed, "LIFE", 600)
    monkeypatch.setattr(river_renewed, "LEAD", 300)
    rows, labels = stream(1500, 4)
    turned = [2 * row["baseline"] - label for row, label in zip(rows, labels, strict=True)]
    model = RiverTree(SCHEMA, Randomness(1))
    walk(model, rows, labels, WINDOW, 700)
    answers = np.array(walk(model, rows, turned, 700, 1500))[-200:]
    base = np.array([row["baseline"] for row in rows[-200:]])
    truth = np.array(turned[-200:])
    assert np.abs(answers - truth).mean() < 0.8 * np.abs(base - truth).mean()


def test_the_series_forecasts_residuals_that_follow_each_other() -> None:
    random = np.random.default_rng(1)
    residual = [0.0]
    for _ in range(600):
        residual.append(0.9 * residual[-1] + float(random.normal()))
    rows = [FeatureRow(at + 1, 0, 0, SCHEMA.names, (0.0, 0.0, 50.0)) for at in range(601)]
    for horizon in (1, 3):
        model = RiverSeries(SCHEMA, Randomness(1), horizon=horizon)
        errors = []
        for at in range(WINDOW, 601):
            errors.append(model.predict_one(window_at(rows, at)) - 50 - residual[at])
            known = at + 1 - horizon
            if known >= WINDOW:
                model.learn_one(window_at(rows, known), 50 + residual[known])
        # the best forecast explains 0.9 ** (2 * horizon) of the variance
        explained = 1 - np.var(errors[200:]) / np.var(residual[200:])
        assert explained > 0.9 ** (2 * horizon) - 0.2


def test_a_series_of_another_horizon_is_refused() -> None:
    with pytest.raises(ModelError, match="labels ahead"):
        RiverSeries(SCHEMA, Randomness(1), horizon=2).restore(RiverSeries(SCHEMA, Randomness(1)).state())
    with pytest.raises(ModelError, match="horizon"):
        RiverSeries(SCHEMA, Randomness(1), horizon=0)


def test_the_logistic_learns_zeros_and_ones_only() -> None:
    rows, _ = coin_stream(10, 1)
    with pytest.raises(ModelError, match="0 and 1"):
        RiverLogistic(SCHEMA).learn_one(tuple(rows[:1]), 0.5)


def test_foreign_weights_of_the_logistic_are_refused() -> None:
    for damage in ({"stranger": 1.0}, {"signal": float("nan")}):
        state = RiverLogistic(SCHEMA).state() | {"weights": damage}
        with pytest.raises(ModelError):
            rebuild("river_logistic", state)


def test_the_logistic_s_probabilities_are_calibrated() -> None:
    rows, labels = coin_stream(3000, 2)
    answers = np.array(walk(RiverLogistic(SCHEMA), rows, labels, WINDOW, 3000))[-1500:]
    truth = np.array(labels[-1500:])
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        inside = (answers >= low) & (answers < high)
        assert abs(answers[inside].mean() - truth[inside].mean()) < 0.08
