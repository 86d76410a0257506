"""The table says who is better by how much, against the hardest baseline, and is sure of it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from models.prequential import run_prequential
from models.scorecard import Loss, label_overlap, losses_of, make_scorecard
from models.targets.table import Kind
from tests.models.target_tables import Knows, make_table, number_table, probability_table


def test_a_model_that_knows_the_signal_is_the_best_and_one_that_does_not_is_not() -> None:
    table = number_table(2000)
    signal = dict(zip(table.issued.tolist(), table.values[:, 0].tolist(), strict=True))
    noise = {position: 0.48 * value for position, value in signal.items()}
    card = make_scorecard(run_prequential(table, [Knows(signal, "good"), Knows(noise, "worse")]), seed=1)
    assert [line.name for line in card.lines] == ["good", "worse", "half", "zero"]
    assert card.hardest == {Loss.MAE: "half", Loss.MSE: "half"}
    assert card.best == "good"
    assert card.line("good").skills[Loss.MAE].clear
    assert not card.line("worse").skills[Loss.MAE].clear
    assert card.line("half").skills[Loss.MAE].value == 0.0
    # E|e| of the signal's noise is 0.5 * sqrt(2 / pi); half the signal adds variance 1/4
    assert card.line("good").losses[Loss.MAE] == pytest.approx(0.5 * math.sqrt(2 / math.pi), rel=0.05)
    assert card.line("half").losses[Loss.MSE] == pytest.approx(0.5, rel=0.1)


def test_the_baseline_is_the_best_where_no_interval_is_clear_of_zero() -> None:
    table = number_table(2000)
    random = np.random.default_rng(2)
    wobble = table.baselines["half"] + 1e-3 * random.normal(size=2000)
    same = dict(zip(table.issued.tolist(), wobble.tolist(), strict=True))
    card = make_scorecard(run_prequential(table, [Knows(same, "same")]), seed=1)
    assert card.best == "half"
    assert abs(card.line("same").skills[Loss.MAE].value) < 0.01


def test_each_loss_has_its_own_hardest_baseline() -> None:
    # rare large labels: the median is best for absolute errors, the mean for squared ones
    label = np.where(np.arange(1000) % 5 == 0, 10.0, 0.0)
    baselines = {"median": np.zeros(1000), "mean": np.full(1000, 2.0)}
    table = make_table(Kind.NUMBER, label, label, baselines, 1, 100)
    assert make_scorecard(run_prequential(table, []), seed=1).hardest == {
        Loss.MAE: "median",
        Loss.MSE: "mean",
    }


def test_probabilities_are_charged_by_brier_and_log_loss_and_have_no_coverage() -> None:
    table = probability_table(2000)
    chance = dict(zip(table.issued.tolist(), table.values[:, 0].tolist(), strict=True))
    card = make_scorecard(run_prequential(table, [Knows(chance, "chance")]), seed=1)
    line = card.line("chance")
    # the mean of p (1 - p) over uniform p is 1/6
    assert line.losses[Loss.BRIER] == pytest.approx(1 / 6, rel=0.1)
    assert (line.coverage, line.width, line.coverage_by_tercile) == (None, None, None)
    assert card.best == "chance"


def test_a_probability_of_zero_that_comes_true_is_charged_finitely() -> None:
    charge = losses_of(Loss.LOG, np.array([0.0, 1.0]), np.array([1.0, 1.0]))
    assert charge.tolist() == pytest.approx([-math.log(1e-3), -math.log(1 - 1e-3)])


@pytest.mark.parametrize("delay", [1, 4, 9])
def test_overlap_counts_the_forecasts_issued_before_a_label_is_known(delay: int) -> None:
    assert label_overlap(run_prequential(number_table(delay=delay), [])) == delay


def test_the_document_is_json_whatever_the_numbers() -> None:
    label = np.zeros(200)
    table = make_table(Kind.NUMBER, label, label, {"zero": np.zeros(200)}, 1, 100)
    card = make_scorecard(run_prequential(table, [Knows(dict.fromkeys(table.issued.tolist(), 1.0))]), seed=1)
    document = json.loads(json.dumps(card.to_dict(), allow_nan=False))
    assert document["best"] == "zero"
    assert document["forecasters"][0]["skill"]["mae"]["value"] is None
    assert document["judged"] == 100


def test_the_same_seed_gives_the_same_table() -> None:
    results = run_prequential(number_table(), [])
    assert make_scorecard(results, seed=3) == make_scorecard(results, seed=3)
