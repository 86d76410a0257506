"""A registered version gives, through MLflow alone, what the snapshot gave before."""

from __future__ import annotations

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from models.champion import load_champion
from models.tracking import TrackingStore
from tests.registry_fixtures import SCHEMA, WINDOW, snapshot, window


@pytest.fixture
def loaded(registered: TrackingStore, monkeypatch: pytest.MonkeyPatch) -> mlflow.pyfunc.PyFuncModel:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registered.uri)
    return mlflow.pyfunc.load_model("models:/base-fee-h2@champion")


def test_any_client_gets_value_and_interval_from_a_tensor(loaded: mlflow.pyfunc.PyFuncModel) -> None:
    windows = [window(20.0), window(35.5)]
    batch = np.stack([SCHEMA.matrix(rows) for rows in windows])
    answers = loaded.predict(batch)
    assert answers.shape == (2, 3)
    assert answers.dtype == np.float64
    np.testing.assert_array_equal(answers, [snapshot().answer(rows) for rows in windows])


def test_signature_is_a_tensor_and_the_columns_are_named(loaded: mlflow.pyfunc.PyFuncModel) -> None:
    assert loaded.metadata.get_input_schema().inputs[0].shape == (-1, WINDOW, len(SCHEMA.names))
    assert loaded.metadata.get_output_schema().inputs[0].shape == (-1, 3)
    assert loaded.metadata.metadata["features"] == list(SCHEMA.names)


@pytest.mark.parametrize("shape", [(1, WINDOW - 1, 2), (1, WINDOW, 3), (WINDOW, 2)])
def test_another_shape_is_refused(loaded: mlflow.pyfunc.PyFuncModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(MlflowException, match="schema"):
        loaded.predict(np.ones(shape))


def test_unwrapped_champion_answers_the_same(registered: TrackingStore) -> None:
    champion = load_champion(registered, "base-fee-h2")
    assert champion.version == "1"
    assert champion.baseline == "persistence"
    assert champion.forecaster.name == "persistence"
    assert champion.snapshot.answer(window()) == snapshot().answer(window())
