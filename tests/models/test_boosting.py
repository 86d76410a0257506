"""Boosted trees as arrays say what scikit-learn says; damaged ones are refused."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from core.errors import ModelError
from models import boosting
from models.boosted_trees import BoostedTrees, export_trees, no_trees, restore_trees
from models.boosting import Boosting
from models.targets.table import Kind
from tests.models.stream_stories import SCHEMA, WINDOW, stream, walk, window_at


@cache
def grown(loss: str) -> tuple[Any, BoostedTrees]:
    random = np.random.default_rng(1)
    rows = random.normal(size=(600, 6))
    labels = np.tanh(rows[:, 0]) * rows[:, 1] + 0.1 * random.normal(size=600)
    with threadpool_limits(1):
        fitted = HistGradientBoostingRegressor(loss=loss, max_iter=15, random_state=0).fit(rows, labels)
    return fitted, export_trees(fitted)


@pytest.mark.parametrize("loss", ["absolute_error", "squared_error"])
def test_exported_trees_say_exactly_what_scikit_learn_says(loss: str) -> None:
    fitted, trees = grown(loss)
    rows = np.random.default_rng(2).normal(size=(400, 6))
    assert [trees.output(row) for row in rows] == fitted.predict(rows).tolist()
    assert no_trees().output(rows[0]) == 0.0


@pytest.mark.parametrize(
    ("part", "at", "value"),
    [
        ("left", 0, 0),
        ("right", 0, 10**9),
        ("feature", 0, 6),
        ("roots", 0, -1),
        ("value", 3, np.nan),
        ("threshold", 0, np.nan),
    ],
)
def test_trees_that_would_not_end_or_read_elsewhere_are_refused(part: str, at: int, value: float) -> None:
    state = {name: np.copy(array) for name, array in grown("absolute_error")[1].state().items()}
    state[part][at] = value
    with pytest.raises(ModelError, match="damaged"):
        restore_trees(state, 6)


def test_it_trains_every_so_often_on_the_last_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosting, "EVERY", 150)
    rows, labels = stream(400, 2)
    model = Boosting(SCHEMA)
    answers = walk(model, rows, labels, WINDOW, 400)
    trained_at = WINDOW + 150
    assert answers[:150] == [row["baseline"] for row in rows[WINDOW:trained_at]]
    assert answers[150:] != [row["baseline"] for row in rows[trained_at:]]


def test_history_is_trained_on_at_once() -> None:
    rows, labels = stream(400, 2)
    model = Boosting(SCHEMA)
    model.fit([window_at(rows, at) for at in range(WINDOW, 300)], labels[WINDOW:300])
    window = window_at(rows, 350)
    assert model.predict_one(window) != window[-1]["baseline"]


def test_a_state_of_another_kind_is_refused() -> None:
    with pytest.raises(ModelError, match="forecasts a number"):
        Boosting(SCHEMA, Kind.PROBABILITY).restore(Boosting(SCHEMA).state())
