"""What every forecaster promises, checked on each of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.errors import ModelError
from core.seams import Randomness
from features.feature import FeatureRow
from features.schema import FeatureSchema
from models.baselines import ExactFormula, Persistence, baseline_by_name
from models.forecaster import Forecaster
from models.lstm import ResidualLSTM, torch_threads
from models.river_models import RiverResidual
from models.snapshot import rebuild
from tests.stories import SCHEMA, story

WINDOW = 4
Build = Callable[[int], Forecaster]
LEARNING: dict[str, Build] = {
    "lstm": lambda seed: ResidualLSTM(SCHEMA, Randomness(seed), window=WINDOW, hidden=8),
    "river": lambda seed: RiverResidual(SCHEMA),
}
BUILDS: dict[str, Build] = {
    **LEARNING,
    "persistence": lambda seed: Persistence(),
    "formula": lambda seed: ExactFormula(),
}
ROWS, FEES = story(900, 5)


@pytest.fixture(params=BUILDS, name="build")
def _build(request: pytest.FixtureRequest) -> Build:
    return BUILDS[request.param]


@pytest.fixture(params=LEARNING, name="learning")
def _learning(request: pytest.FixtureRequest) -> Build:
    return LEARNING[request.param]


def window_at(place: int) -> tuple[FeatureRow, ...]:
    return tuple(ROWS[place - WINDOW + 1 : place + 1])


def run(model: Forecaster, start: int, stop: int) -> list[float]:
    answers = []
    for place in range(start, stop):
        answers.append(model.predict_one(window_at(place)))
        model.learn_one(window_at(place), FEES[place + 2])
    return answers


def test_predicting_changes_nothing(build: Build) -> None:
    asked, quiet = build(1), build(1)
    for place in range(WINDOW, 60):
        for _ in range(3):
            asked.predict_one(window_at(place + 7))
        asked.learn_one(window_at(place), FEES[place + 2])
        quiet.learn_one(window_at(place), FEES[place + 2])
    assert asked.predict_one(window_at(70)) == quiet.predict_one(window_at(70))


def test_the_same_seed_and_calls_give_the_same_numbers(build: Build) -> None:
    assert run(build(3), WINDOW, 60) == run(build(3), WINDOW, 60)


def test_after_restore_the_next_hundred_steps_are_identical(build: Build) -> None:
    model = build(3)
    run(model, WINDOW, 80)
    copy = rebuild(model.name, model.state())
    assert run(copy, 80, 180) == run(model, 80, 180)


def test_a_state_does_not_change_when_the_model_goes_on(build: Build) -> None:
    model = build(3)
    run(model, WINDOW, 80)
    state = model.state()
    expected = run(rebuild(model.name, state), 80, 100)
    run(model, 80, 140)
    assert run(rebuild(model.name, state), 80, 100) == expected


def test_a_fresh_model_says_what_the_formula_says(learning: Build) -> None:
    assert learning(1).predict_one(window_at(20)) == ROWS[20]["next_base_fee_gwei"]


def test_it_learns_what_the_formula_does_not_know(learning: Build) -> None:
    model = learning(1)
    answers = np.array(run(model, WINDOW, 890))[-300:]
    truth = np.array(FEES)[592:892]
    formula = np.array([row["next_base_fee_gwei"] for row in ROWS])[590:890]
    skill = 1 - np.abs(answers - truth).mean() / np.abs(formula - truth).mean()
    assert skill > 0.25


def test_it_never_strays_further_from_the_formula_than_labels_have(learning: Build) -> None:
    model = learning(1)
    for place in range(WINDOW, 200):
        model.learn_one(window_at(place), ROWS[place]["next_base_fee_gwei"] * 1.01)
    last = ROWS[300]
    wild = FeatureRow(301, 0, 0, last.names, (20.0, 20.0, 1e9, -1e9))
    answer = model.predict_one((*window_at(299)[-WINDOW + 1 :], wild))
    assert abs(answer / 20.0 - 1) <= 0.0101


def test_a_feature_that_never_moved_has_no_influence(learning: Build) -> None:
    model = learning(1)
    names = (*SCHEMA.names, "still")
    wide = FeatureSchema(names)
    model = (
        ResidualLSTM(wide, Randomness(1), window=WINDOW, hidden=8)
        if "lstm" in model.name
        else RiverResidual(wide)
    )

    def widen(window: tuple[FeatureRow, ...], still: float) -> tuple[FeatureRow, ...]:
        return tuple(FeatureRow(r.block_number, 0, 0, names, (*r.values, still)) for r in window)

    for place in range(WINDOW, 100):
        model.learn_one(widen(window_at(place), 7.0), FEES[place + 2])
    assert model.predict_one(widen(window_at(120), 7.0)) == model.predict_one(widen(window_at(120), 1e6))


def test_fitting_on_history_helps_the_first_forecast(learning: Build) -> None:
    fitted, fresh = learning(1), learning(1)
    places = range(WINDOW, 600)
    fitted.fit([window_at(p) for p in places], [FEES[p + 2] for p in places])  # type: ignore[attr-defined]
    errors = {
        id(model): np.mean([abs(model.predict_one(window_at(p)) - FEES[p + 2]) for p in range(610, 700)])
        for model in (fitted, fresh)
    }
    assert errors[id(fitted)] < 0.97 * errors[id(fresh)]


def test_a_fitted_model_resumes_exactly(learning: Build) -> None:
    model = learning(1)
    places = range(WINDOW, 300)
    model.fit([window_at(p) for p in places], [FEES[p + 2] for p in places])  # type: ignore[attr-defined]
    copy = rebuild(model.name, model.state())
    assert run(copy, 300, 400) == run(model, 300, 400)


def test_a_base_fee_of_zero_teaches_nothing(learning: Build) -> None:
    model = learning(1)
    run(model, WINDOW, 40)
    before = model.predict_one(window_at(50))
    model.learn_one(window_at(41), 0.0)
    assert model.predict_one(window_at(50)) == before


def test_a_state_of_other_features_is_refused(learning: Build) -> None:
    model = learning(1)
    state = model.state()
    state["names"] = ["base_fee_gwei", "next_base_fee_gwei"]
    with pytest.raises(ModelError):
        model.restore(state)


def test_a_mutilated_state_is_refused(learning: Build) -> None:
    model = learning(1)
    run(model, WINDOW, 40)
    for key in model.state():
        state = model.state()
        del state[key]
        with pytest.raises(ModelError):
            learning(1).restore(state)


def test_rows_without_the_formula_are_refused(build: Build) -> None:
    row = FeatureRow(1, 0, 0, ("signal",), (1.0,))
    with pytest.raises(ModelError):
        build(1).predict_one((row,) * WINDOW)


def test_too_short_a_window_is_refused_by_the_lstm() -> None:
    with pytest.raises(ModelError, match="reads 4 rows, got 2"):
        LEARNING["lstm"](1).predict_one(window_at(20)[:2])


def test_an_unknown_baseline_is_refused() -> None:
    assert baseline_by_name("exact_formula").name == "exact_formula"
    with pytest.raises(ModelError, match="no baseline"):
        baseline_by_name("oracle")


def test_the_number_of_threads_is_put_back() -> None:
    import torch

    before = torch.get_num_threads()
    with torch_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
