"""A trial forecasts as the judge of models does and goes on exactly; a search sees no judged row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelError
from core.seams import Randomness
from features.schema import FeatureSchema
from models.courses import Course, ranked_features, search_part
from models.inputs import BASELINE
from models.prequential import REHEARSED, run_prequential
from models.quantile_lstm import QuantileLSTM
from models.targets.table import Kind, TargetTable
from models.trial_settings import MODELS, Setting, build_model, draw_settings, explore
from models.trials import CHUNKS, Trial, skill_against_hardest
from tests.models.target_tables import number_table, probability_table

TREE = Setting("a_number", "river_tree", 1.0, 4, 8, 1e-3, 1)


def finished(trial: Trial) -> Trial:
    while not trial.finished:
        trial.step()
    return trial


def test_a_trial_forecasts_what_the_judge_of_models_sees() -> None:
    table = number_table(1200, first_judged=REHEARSED + 300)
    trial = finished(Trial(table, TREE, 7))
    schema = FeatureSchema((*trial.features, BASELINE))
    model = build_model(TREE, schema, table.kind, 7, horizon=trial.course.delay)
    results = run_prequential(table, [model], window=4)
    assert trial.course.anchor == results.anchor
    assert trial.values(results.rows).tolist() == results.served["river_tree"].value.tolist()


@pytest.mark.parametrize("model", ["river_tree", "river_forest", "river_series", "boosting"])
def test_a_trial_goes_on_exactly_from_its_state(model: str) -> None:
    table, setting = number_table(), replace(TREE, model=model)
    whole, first = Trial(table, setting, 7), Trial(table, setting, 7)
    for _ in range(3):
        whole.step()
        first.step()
    second = Trial(table, setting, 7)
    second.restore(first.state())
    assert [second.step() for _ in range(CHUNKS - 3)] == [whole.step() for _ in range(CHUNKS - 3)]


def test_what_another_has_learned_is_taken_over_under_one_s_own_learning_rate() -> None:
    table, setting = number_table(), replace(TREE, model="quantile_lstm")
    first, second = Trial(table, setting, 7), Trial(table, replace(setting, rate=4e-3), 7)
    first.step()
    second.restore(first.state())
    assert isinstance(second.forecaster, QuantileLSTM)
    assert second.forecaster.rate == 4e-3
    # up to the next label both say the same
    row = second.course.window(120, 4)
    assert second.forecaster.predict_one(row) == first.forecaster.predict_one(row)


def test_a_finished_trial_refuses_another_step() -> None:
    trial = finished(Trial(number_table(), TREE, 7))
    with pytest.raises(ModelError, match="all chunks"):
        trial.step()


def test_a_state_of_other_rows_is_refused() -> None:
    state = Trial(number_table(), TREE, 7).state()
    with pytest.raises(ModelError, match="other rows"):
        Trial(number_table(200), TREE, 7).restore(state)


def test_nothing_after_judging_begins_reaches_a_search() -> None:
    table = number_table(600, first_judged=400)
    spoiled = replace(
        table,
        label=np.where(table.known > table.issued[400], 1e9, table.label),
        values=np.where(np.arange(600)[:, None] < 400, table.values, 1e9),
    )
    one, other = search_part(table, 1000), search_part(spoiled, 1000)
    assert np.array_equal(one.label, other.label, equal_nan=True)
    assert np.array_equal(one.values, other.values)
    assert len(one) == 400
    assert np.isfinite(one.label).sum() < 400


def test_a_target_too_short_to_search_on_is_refused() -> None:
    with pytest.raises(ModelError, match="labels to search on"):
        search_part(number_table(100, first_judged=50), 1000)


@given(delay=st.integers(1, 9), row=st.integers(0, 79))
@settings(deadline=None, max_examples=30)
def test_a_label_arrives_with_the_first_row_issued_when_it_is_known(delay: int, row: int) -> None:
    table = number_table(80, delay=delay, first_judged=40)
    course = Course(table, "zero")
    arrived = set(course.arrivals(0, course.known(row)).tolist())
    assert arrived == set(np.flatnonzero(table.known <= table.issued[row]).tolist())


def test_the_feature_that_tells_most_comes_first() -> None:
    table = number_table(400)
    noise = np.random.default_rng(3).normal(0, 1, (400, 2))
    wide = replace(table, names=("a", "b", "feature"), values=np.column_stack((noise, table.values)))
    assert ranked_features(wide, "zero")[0] == "feature"


@pytest.mark.parametrize("table", [number_table(), probability_table()], ids=lambda table: table.kind.value)
def test_every_model_of_a_kind_is_drawn_and_can_be_built(table: TargetTable) -> None:
    drawn = draw_settings({table.name: table.kind}, Randomness(7), len(MODELS[table.kind]))
    built = [build_model(one, FeatureSchema(("feature",)), table.kind, 7, horizon=3) for one in drawn]
    assert tuple(model.name for model in built) == MODELS[table.kind]


def test_targets_take_turns() -> None:
    drawn = draw_settings({"near": Kind.NUMBER, "far": Kind.NUMBER}, Randomness(7), 4)
    assert [(one.target, one.model) for one in drawn] == [
        ("near", "quantile_lstm"),
        ("far", "quantile_lstm"),
        ("near", "boosting"),
        ("far", "boosting"),
    ]


def test_a_model_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ModelError, match="none of the models fits"):
        draw_settings({"far": Kind.NUMBER}, Randomness(7), 2, ["river_logistic"])
    series = replace(TREE, model="river_series")
    with pytest.raises(ModelError, match="forecasts a probability"):
        build_model(series, FeatureSchema(("a",)), Kind.PROBABILITY, 7, horizon=1)


def test_exploring_keeps_the_shape_of_the_model() -> None:
    random = np.random.default_rng(1)
    near = [explore(TREE, random) for _ in range(20)]
    assert {replace(one, rate=TREE.rate, every=TREE.every) for one in near} == {TREE}
    assert len({one.rate for one in near}) > 1


def test_a_perfect_baseline_can_only_be_matched() -> None:
    perfect = {"perfect": np.zeros(3)}
    assert skill_against_hardest(np.zeros(3), perfect) == 0
    assert skill_against_hardest(np.ones(3), perfect) == -1
