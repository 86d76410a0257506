from __future__ import annotations

import pytest

from core.errors import ModelError
from models.evaluation import Study, choose_winner, make_study


def rows(*errors: float, first: int = 10) -> list[tuple[float, ...]]:
    return [(first + i, 20.0, 20.0 + error, 19.0 + error, 21.0 + error) for i, error in enumerate(errors)]


def study(**models: list[tuple[float, ...]]) -> Study:
    baselines = {"persistence": rows(2, -2, 2, -2), "exact_formula": rows(1, 1, -1, -1)}
    return make_study("base_fee_gwei", 2, 0.9, models, baselines)


def test_scores_are_what_a_calculator_says() -> None:
    result = study(good=rows(0, 0.5, -0.5, 3))
    score = result.score("good")
    assert (score.mae, score.count, score.coverage, score.width) == (1.0, 4, 0.75, 2.0)
    assert score.rmse == pytest.approx((9.5 / 4) ** 0.5)
    assert score.skill == 0.0
    assert result.best_baseline == "exact_formula"
    assert result.score("persistence").skill == -1.0


def test_models_come_first_best_first() -> None:
    result = study(bad=rows(3, 3, 3, 3), good=rows(0, 0, 0, 1))
    assert [score.name for score in result.scores] == ["good", "bad", "exact_formula", "persistence"]


def test_the_winner_must_beat_every_baseline() -> None:
    assert choose_winner(study(bad=rows(3, 3, 3, 3), good=rows(0, 0, 0, 1))) == "good"
    assert choose_winner(study(same=rows(1, 1, 1, 1))) is None
    assert choose_winner(study()) is None


def test_a_study_without_persistence_is_refused() -> None:
    with pytest.raises(ModelError, match="persistence"):
        make_study("base_fee_gwei", 2, 0.9, {}, {"exact_formula": rows(1)})


def test_models_judged_on_other_blocks_are_refused() -> None:
    with pytest.raises(ModelError, match="other blocks"):
        study(late=rows(0, 0, 0, 0, first=11))


def test_steps_are_cumulative_and_end_with_the_last_forecast() -> None:
    steps = study(good=rows(0, 0.5, -0.5, 3)).steps("good", every=3)
    assert [block for block, _ in steps] == [12, 13]
    assert steps[0][1] == pytest.approx({"mae": 1 / 3, "skill": 2 / 3, "coverage": 1.0})
    assert steps[1][1] == pytest.approx({"mae": 1.0, "skill": 0.0, "coverage": 0.75})


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelError, match="has no model"):
        study().score("good")


def test_a_study_of_nothing_has_a_baseline_and_no_winner() -> None:
    empty = make_study("base_fee_gwei", 2, 0.9, {"m": []}, {"persistence": []})
    assert empty.best_baseline == "persistence"
    assert choose_winner(empty) is None
    assert empty.steps("m") == ()
