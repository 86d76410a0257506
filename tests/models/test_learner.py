"""The learner tests before it trains, and learns only what has really become known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ModelError
from core.seams import Randomness
from features.feature import FeatureRow
from features.registry import SCHEMA as FULL
from features.stream import FeatureStream
from market.history import load_before, load_day
from market.recorded import Recorded
from models.baselines import ExactFormula, Persistence
from models.evaluation import choose_winner
from models.forecaster import Forecaster, Window
from models.learner import PrequentialLearner
from models.lstm import ResidualLSTM, torch_threads
from models.river_models import RiverResidual
from tests.stories import SCHEMA, story

BASELINES = (ExactFormula(), Persistence())


class Oracle:
    """Knows every base fee, and remembers what it was told when."""

    name = "oracle"

    def __init__(self, fees: list[float], horizon: int) -> None:
        self.fees, self.horizon = fees, horizon
        self.told: list[tuple[int, float]] = []
        self.fitted: list[tuple[int, float]] = []

    def predict_one(self, window: Window) -> float:
        return self.fees[window[-1].block_number - 1 + self.horizon]

    def learn_one(self, window: Window, label: float) -> None:
        self.told.append((window[-1].block_number, label))

    def fit(self, windows: list[Window], labels: list[float]) -> None:
        self.fitted = [
            (window[-1].block_number, label) for window, label in zip(windows, labels, strict=True)
        ]

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


def learner_of(*models: Forecaster, horizon: int = 2, window: int = 4) -> PrequentialLearner:
    return PrequentialLearner(models, BASELINES, SCHEMA, horizon=horizon, window=window)


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_a_perfect_forecaster_scores_no_error(horizon: int) -> None:
    rows, fees = story(100, 1)
    learner = learner_of(Oracle(fees + [0.0] * 5, horizon), horizon=horizon)
    for row, fee in zip(rows, fees, strict=True):
        learner.step(row, fee)
    study = learner.study()
    score = study.score("oracle")
    # one block ahead the formula is just as perfect, and nothing beats perfection
    assert (score.mae, score.rmse, score.skill) == (0.0, 0.0, 1.0 if horizon > 1 else 0.0)
    assert score.count == 100 - horizon - 3


def test_persistence_is_off_by_exactly_the_change_over_the_horizon() -> None:
    rows, fees = story(100, 2)
    learner = learner_of(horizon=2, window=1)
    for row, fee in zip(rows, fees, strict=True):
        learner.step(row, fee)
    expected = np.abs(np.array(fees[2:]) - np.array(fees[:-2])).mean()
    assert learner.study().score("persistence").mae == pytest.approx(expected)


def test_no_model_is_told_a_label_before_its_block_is_there() -> None:
    rows, fees = story(60, 3)
    oracle = Oracle(fees + [0.0] * 5, 2)
    learner = learner_of(oracle)
    for row, fee in zip(rows, fees, strict=True):
        learner.step(row, fee)
        known = [(block, fees[block + 1]) for block in range(4, row.block_number - 1)]
        assert oracle.told == known


def test_what_a_forecast_says_does_not_depend_on_later_labels() -> None:
    rows, fees = story(200, 4)
    changed = fees[:150] + [fee * 2 for fee in fees[150:]]

    def forecasts(labels: list[float]) -> list[Any]:
        learner = learner_of(RiverResidual(SCHEMA), ResidualLSTM(SCHEMA, Randomness(1), window=4, hidden=4))
        return [learner.step(row, fee) for row, fee in zip(rows, labels, strict=True)]

    assert forecasts(fees)[:150] == forecasts(changed)[:150]


def test_a_forecast_stands_beside_the_best_baseline() -> None:
    rows, fees = story(50, 5)
    learner = learner_of(RiverResidual(SCHEMA))
    last: tuple[Any, ...] = ()
    for row, fee in zip(rows, fees, strict=True):
        last = learner.step(row, fee)
    forecast = last[0]
    assert [one.model_version for one in last] == ["river_residual", "exact_formula", "persistence"]
    assert (forecast.issued_block, forecast.horizon_blocks) == (50, 2)
    assert forecast.baseline == "exact_formula"
    assert forecast.baseline_value == rows[-1]["next_base_fee_gwei"]
    assert forecast.lower <= forecast.value <= forecast.upper


def test_there_is_no_forecast_until_the_window_is_full() -> None:
    rows, fees = story(5, 6)
    learner = learner_of()
    assert [len(learner.step(row, fee)) for row, fee in zip(rows, fees, strict=True)] == [0, 0, 0, 2, 2]


def test_unjudged_forecasts_are_learned_from_but_do_not_count() -> None:
    rows, fees = story(60, 7)
    oracle = Oracle(fees + [0.0] * 5, 2)
    learner = learner_of(oracle)
    for row, fee in zip(rows, fees, strict=True):
        learner.step(row, fee, judged=row.block_number > 30)
    study = learner.study()
    assert study.series["oracle"].blocks.tolist() == list(range(33, 61))
    assert len(oracle.told) > 50


def test_warm_up_never_fits_on_a_label_of_the_rehearsed_rows() -> None:
    rows, fees = story(1200, 8)
    oracle = Oracle(fees + [0.0] * 50, 2)
    learner = learner_of(oracle)
    learner.warm_up(rows[:1100], fees[:1100])
    assert max(block for block, _ in oracle.fitted) + 2 <= 100
    assert all(label == fees[block + 1] for block, label in oracle.fitted)
    assert learner.study().score("oracle").count == 0
    assert learner.step(rows[1100], fees[1100])
    with pytest.raises(ModelError, match="warm up before"):
        learner.warm_up(rows[:10], fees[:10])


def test_warm_up_with_little_history_is_only_stepped_through() -> None:
    rows, fees = story(30, 8)
    learner = learner_of(RiverResidual(SCHEMA))
    learner.warm_up(rows[:20], fees[:20])
    assert len(learner.step(rows[20], fees[20])) == 3


def test_a_row_out_of_order_is_refused() -> None:
    rows, fees = story(10, 9)
    learner = learner_of()
    learner.step(rows[0], fees[0])
    with pytest.raises(ModelError, match="does not follow"):
        learner.step(rows[2], fees[2])


def test_a_study_without_persistence_is_refused() -> None:
    with pytest.raises(ModelError, match="persistence"):
        PrequentialLearner([], [ExactFormula()], SCHEMA)


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(ModelError, match="different names"):
        learner_of(RiverResidual(SCHEMA), RiverResidual(SCHEMA))


def test_a_snapshot_stands_still_while_the_learner_goes_on() -> None:
    rows, fees = story(120, 11)
    learner = learner_of(RiverResidual(SCHEMA), ResidualLSTM(SCHEMA, Randomness(1), window=4, hidden=4))
    for row, fee in zip(rows[:80], fees[:80], strict=True):
        learner.step(row, fee)
    window = tuple(rows[76:80])
    snapshots = [learner.snapshot(name) for name in ("river_residual", "residual_lstm", "persistence")]
    before = [one.answer(window) for one in snapshots]
    served = learner.step(rows[80], fees[80])
    assert [one.answer(tuple(rows[77:81])) for one in snapshots][2][0] == served[3].value
    for row, fee in zip(rows[81:], fees[81:], strict=True):
        learner.step(row, fee)
    assert [one.answer(window) for one in snapshots] == before
    assert snapshots[0].state_block == 80


def test_an_unknown_model_has_no_snapshot() -> None:
    with pytest.raises(ModelError, match="no snapshot"):
        learner_of().snapshot("oracle")


def _walk(stream: FeatureStream, recorded: Recorded) -> tuple[list[FeatureRow], list[float]]:
    state = recorded.initial_state()
    rows, fees = [], []
    for block, context in recorded.blocks():
        rows.append(stream.update(block, context, state, state.apply(block)))
        fees.append(block.header.base_fee / 10**9)
    return rows, fees


@pytest.mark.data
@pytest.mark.slow
def test_both_models_beat_the_exact_formula_on_the_recorded_day(data_root: Path) -> None:
    day = load_day(data_root)
    first = next(day.blocks())[0].number
    stream = FeatureStream(day.tokens, day.specs)
    before, today = _walk(stream, load_before(data_root, first)), _walk(stream, day)
    learner = PrequentialLearner(
        [ResidualLSTM(FULL, Randomness(7)), RiverResidual(FULL)], BASELINES, FULL, horizon=2
    )
    with torch_threads(1):
        learner.warm_up(*before)
        for row, fee in zip(*today, strict=True):
            learner.step(row, fee)
    study = learner.study()
    assert choose_winner(study) == "residual_lstm"
    assert study.best_baseline == "exact_formula"
    assert study.score("residual_lstm").skill > 0.09
    assert study.score("river_residual").skill > 0.08
    assert all(abs(score.coverage - 0.9) < 0.01 for score in study.scores)


def test_intervals_are_made_from_errors_as_served_and_not_as_known_later() -> None:
    class Memoriser(Oracle):
        """Wrong by a tenth when it serves, right about every window it has learned."""

        name = "memoriser"

        def predict_one(self, window: Window) -> float:
            truth = super().predict_one(window)
            learned = window[-1].block_number in {block for block, _ in self.told}
            return truth if learned else truth * 1.1

    rows, fees = story(80, 12)
    learner = learner_of(Memoriser(fees + [0.0] * 5, 2))
    for row, fee in zip(rows, fees, strict=True):
        last = learner.step(row, fee)
    assert (last[0].upper - last[0].lower) / 2 == pytest.approx(last[0].value / 11)
