"""Ray Train gives what one process gives: exactly for one worker, but for rounding for two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import ModelError
from models.boosting import Boosting
from models.forecaster import Forecaster
from models.trial_settings import Setting
from models.trials import Trial
from pipeline.evolution.training import averaged, train_model
from tests.models.target_tables import number_table

TABLE = number_table(700, first_judged=500)


def trial(model: str) -> Trial:
    return Trial(TABLE, Setting(TABLE.name, model, 1.0, 4, 8, 1e-3, 1), 7)


def trained(model: str, workers: int, folder: Path) -> list[float]:
    fresh = trial(model)
    rows = fresh.course.arrivals(0, fresh.course.known(500))
    return said(train_model(fresh.forecaster, fresh.course, rows, workers=workers, seed=7, folder=folder))


def said(model: Forecaster) -> list[float]:
    course = trial("river_tree").course
    return [model.predict_one(course.window(row, 4)) for row in range(500, 700)]


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.filterwarnings("default")
def test_two_workers_take_the_steps_of_one(tmp_path: Path) -> None:
    one = trained("quantile_lstm", 1, tmp_path / "one")
    two = trained("quantile_lstm", 2, tmp_path / "two")
    assert one == pytest.approx(two, abs=1e-4)
    assert np.abs(np.array(one) - TABLE.label[500:]).mean() < np.abs(TABLE.label[500:]).mean()


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.filterwarnings("default")
def test_one_worker_grows_the_trees_that_fit_grows(tmp_path: Path) -> None:
    alone = trial("boosting")
    rows = alone.course.arrivals(0, alone.course.known(500)).tolist()
    model = alone.forecaster
    assert isinstance(model, Boosting)
    model.fit([alone.course.window(row, 4) for row in rows], TABLE.label[rows].tolist())
    assert trained("boosting", 1, tmp_path) == said(model)


def test_a_model_that_ray_does_not_train_is_refused(tmp_path: Path) -> None:
    fresh = trial("river_tree")
    with pytest.raises(ModelError, match="not trained by Ray Train"):
        train_model(fresh.forecaster, fresh.course, np.arange(100), workers=1, seed=7, folder=tmp_path)


def test_too_few_labels_for_so_many_workers_are_refused(tmp_path: Path) -> None:
    fresh = trial("boosting")
    with pytest.raises(ModelError, match="too few for 9 workers"):
        train_model(fresh.forecaster, fresh.course, np.arange(100), workers=9, seed=7, folder=tmp_path)


def test_an_averaged_forest_says_the_mean() -> None:
    leaf = {"roots": [0], "left": [0], "right": [0], "feature": [-1], "threshold": [0.0]}
    parts = [
        {**{name: np.array(array) for name, array in leaf.items()}, "value": np.array([value]), **unit}
        for value, unit in ((2.0, {"start": 1.0, "size": 4.0}), (6.0, {"start": 0.0, "size": 2.0}))
    ]
    forest = averaged(parts, 2.0)
    assert forest["roots"].tolist() == [0, 1]
    # in the label's unit: (1 + 2) * 4 and (0 + 6) * 2
    assert (forest["start"] + forest["value"].sum()) * 2.0 == 12.0
