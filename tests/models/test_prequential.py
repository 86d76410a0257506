"""Labels reach a model when they are known and never before, whatever the order they come in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models.prequential
from core.errors import ModelError
from core.seams import Randomness
from features.schema import FeatureSchema
from models.inputs import BASELINE
from models.label_stream import anchor_of, feature_rows, typical_error
from models.mix import ExpertMix
from models.prequential import run_prequential
from models.river_renewed import RiverTree
from models.scorecard import make_scorecard
from models.targets.table import Kind, TargetTable
from tests.models.target_tables import Knows, MeanOfLabels, make_table, number_table, probability_table


@pytest.fixture(autouse=True)
def short_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.prequential, "REHEARSED", 50)


def truth(table: TargetTable) -> dict[int, float]:
    return dict(zip(table.issued.tolist(), table.label.tolist(), strict=True))


def test_a_perfect_forecaster_scores_zero_and_a_forecaster_of_the_row_before_does_not() -> None:
    table = number_table()
    late = dict(zip(table.issued.tolist(), [0.0, *table.label[:-1].tolist()], strict=True))
    card = make_scorecard(
        run_prequential(table, [Knows(truth(table), "perfect"), Knows(late, "late")]), seed=1
    )
    assert card.line("perfect").losses == {"mae": 0.0, "mse": 0.0}
    assert card.line("perfect").skills[card.deciding].value == 1.0
    assert card.line("late").losses[card.deciding] > 1


@pytest.mark.parametrize("delay", [1, 3, 40, 1000])
def test_a_label_is_learned_at_the_first_forecast_issued_when_it_is_known(delay: int) -> None:
    table = number_table(delay=delay)
    model = Knows(truth(table))
    run_prequential(table, [model])
    now, learned = -1, []
    for verb, position in model.calls:
        if verb == "predict":
            assert position > now
            now = position
        else:
            learned.append(position)
            # the calls before a forecast belong to its moment
            upcoming = max(now + 10, int(table.issued[50]))
            assert position + 10 * delay <= upcoming
    assert learned == sorted(learned)
    assert len(learned) == max(0, 300 - delay)


@settings(max_examples=25, deadline=None)
@given(st.integers(101, 299), st.integers(0, 2**32 - 1))
def test_no_forecast_changes_when_the_labels_unknown_at_its_issue_are_shuffled(cut: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    table = number_table()
    table = replace(table, known=table.issued + random.integers(1, 400, len(table)))
    moment = int(table.issued[cut])
    unknown = np.flatnonzero(table.known > moment)
    label = table.label.copy()
    label[unknown] = random.permutation(label[unknown]) + 100.0
    before = run_prequential(table, [MeanOfLabels()])
    after = run_prequential(replace(table, label=label), [MeanOfLabels()])
    # the anchor is chosen once, when judging begins
    assert before.anchor == after.anchor
    seen = before.rows <= cut
    for name, served in before.served.items():
        for column in ("value", "lower", "upper"):
            assert np.array_equal(getattr(served, column)[seen], getattr(after.served[name], column)[seen])
    assert np.array_equal(before.typical[seen], after.typical[seen])


def test_labels_that_never_come_are_counted_and_neither_learned_nor_judged() -> None:
    table = number_table()
    label = table.label.copy()
    label[::7] = np.nan
    table = replace(table, label=label)
    model = Knows(dict.fromkeys(table.issued.tolist(), 0.0))
    results = run_prequential(table, [model])
    assert results.censored == sum(1 for row in range(100, 300) if row % 7 == 0)
    assert len(results.rows) + results.censored == 200
    assert not any(verb == "learn" and position % 70 == 0 for verb, position in model.calls)
    assert np.isfinite(results.label).all()


def test_rows_before_the_first_judged_are_learned_from_and_not_judged() -> None:
    table = number_table(first_judged=200)
    model = MeanOfLabels()
    results = run_prequential(table, [model])
    assert results.rows.tolist() == list(range(200, 300))
    assert model.state()["count"] == 297


def test_a_model_that_can_be_fitted_is_fitted_on_what_is_known_before_its_first_step() -> None:
    class Fits(MeanOfLabels):
        fitted: tuple[int, int] = (0, 0)

        def fit(self, windows: list[object], labels: list[float]) -> None:
            self.fitted = (len(windows), len(labels))

    table, model = number_table(delay=3), Fits()
    run_prequential(table, [model])
    # the first step is at row 50; the labels of rows 48 and 49 are not known by then
    assert model.fitted == (48, 48)
    assert model.state()["count"] == 297 - 48


def test_windows_have_one_length_and_end_with_the_row_forecast_on() -> None:
    class Looks(MeanOfLabels):
        def predict_one(self, window):  # type: ignore[no-untyped-def]
            assert len(window) == 16
            assert [row.block_number for row in window] == sorted(row.block_number for row in window)
            return super().predict_one(window)

    run_prequential(number_table(first_judged=0), [Looks()])


def test_the_baseline_that_models_correct_is_the_best_before_judging_and_stands_in_their_rows() -> None:
    table = number_table()
    assert anchor_of(table) == "half"
    # what comes later has no say
    label = table.label.copy()
    label[100:] = 0.0
    assert anchor_of(replace(table, label=label)) == "half"
    rows = feature_rows(table, "half")
    assert rows[7].names == ("feature", "baseline")
    assert rows[7]["baseline"] == table.baselines["half"][7]


def test_the_first_baseline_is_corrected_where_no_label_is_known_in_time() -> None:
    assert anchor_of(number_table(first_judged=0)) == "zero"
    assert anchor_of(number_table(delay=1000)) == "zero"


def test_the_typical_error_follows_the_errors_that_are_known() -> None:
    label = np.array([2.0] * 10 + [8.0] * 290)
    table = make_table(Kind.NUMBER, label, label, {"zero": np.zeros(300)}, 5, 100)
    typical = typical_error(table, "zero")
    assert (typical[:5] == 1.0).all(), "nothing is known yet"
    assert (typical[5:15] == 2.0).all()
    assert typical[15] > 2.0
    assert typical[-1] == pytest.approx(8.0, rel=0.05)


def test_intervals_hold_what_they_promise_when_the_noise_comes_and_goes_and_labels_are_late() -> None:
    random = np.random.default_rng(3)
    count = 6000
    label = random.normal(0, 1, count) * (1 + 3 * (np.arange(count) // 500 % 2))
    table = make_table(Kind.NUMBER, label, label, {"zero": np.zeros(count)}, 5, 500)
    line = make_scorecard(run_prequential(table, []), seed=1).line("zero")
    assert line.coverage == pytest.approx(0.9, abs=0.01)
    assert line.coverage_by_tercile == pytest.approx((0.9, 0.9, 0.9), abs=0.06)


def test_probabilities_are_kept_between_0_and_1_and_have_no_interval() -> None:
    table = probability_table()
    wild = Knows({position: (-1.0) ** place * 5 for place, position in enumerate(table.issued.tolist())})
    served = run_prequential(table, [wild]).served["knows"]
    assert set(served.value.tolist()) == {0.0, 1.0}
    assert np.array_equal(served.lower, served.value)


def test_a_mix_weighs_what_was_served_and_ends_with_the_better_expert() -> None:
    table = number_table(2000)
    results = run_prequential(table, [Knows(truth(table), "right"), MeanOfLabels()], mixing=ExpertMix)
    late = results.served["mix"].value[-500:] - results.label[-500:]
    assert np.abs(late).mean() < 0.01
    assert list(results.served) == ["right", "mean_of_labels", "mix", "zero", "half"]
    own = results.served["mix"]
    assert own.predict_us > sum(results.served[name].predict_us for name in ("right", "mean_of_labels"))


def test_a_mix_of_one_expert_repeats_it() -> None:
    table, model = number_table(), MeanOfLabels()
    results = run_prequential(table, [model], mixing=lambda experts: ExpertMix(experts[1:]))
    assert np.array_equal(results.served["mix"].value, results.served["mean_of_labels"].value)


def test_a_frozen_twin_says_what_the_model_said_until_judging_began_and_learns_nothing_after() -> None:
    table = number_table(900, first_judged=600)
    schema = FeatureSchema((*table.names, BASELINE))
    tree = RiverTree(schema, Randomness(1))
    results = run_prequential(table, [tree], freeze={"river_tree": "frozen_tree"}, mixing=ExpertMix)
    live, frozen = results.served["river_tree"], results.served["frozen_tree"]
    assert list(results.served) == ["river_tree", "frozen_tree", "mix", "zero", "half"]
    # no label has arrived between the copy and the first judged row
    assert live.value[0] == frozen.value[0]
    assert not np.array_equal(live.value, frozen.value)
    assert frozen.learn_us == 0 < frozen.predict_us
    spoiled = replace(table, label=np.where(table.known > table.issued[600], 1e6, table.label))
    again = run_prequential(spoiled, [RiverTree(schema, Randomness(1))], freeze={"river_tree": "f"})
    assert np.array_equal(again.served["f"].value, frozen.value)
    assert results.leader_changes is not None
    assert again.leader_changes is None


def test_a_costly_model_learns_from_the_labels_of_every_so_many_rows() -> None:
    table = number_table()
    model = Knows(truth(table))
    run_prequential(table, [model], learn_every={"knows": 4})
    stepped = [position // 10 for verb, position in model.calls if verb == "learn" and position >= 480]
    assert stepped == list(range(48, 297, 4))


def test_progress_ascends_to_the_forecasts_of_all_models() -> None:
    done: list[int] = []
    table = number_table()
    run_prequential(table, [MeanOfLabels(), Knows(truth(table))], advance=done.append)
    assert done == [100, 200, 250, 350, 450, 500]


def test_the_cost_of_a_step_is_the_median_by_the_clock() -> None:
    class Ticks:
        ticks = 0

        def now_ns(self) -> int:
            return 0

        def monotonic_ns(self) -> int:
            self.ticks += 2500
            return self.ticks

    served = run_prequential(number_table(), [MeanOfLabels()], clock=Ticks()).served
    assert (served["mean_of_labels"].predict_us, served["mean_of_labels"].learn_us) == (2.5, 2.5)
    assert (served["half"].predict_us, served["half"].learn_us) == (0.0, 0.0)


def test_what_cannot_be_judged_is_refused() -> None:
    table = number_table()
    with pytest.raises(ModelError, match="names of their own"):
        run_prequential(table, [MeanOfLabels(), MeanOfLabels()])
    with pytest.raises(ModelError, match="names of their own"):
        run_prequential(table, [Knows({}, "half")])
    with pytest.raises(ModelError, match="no judged row"):
        run_prequential(replace(table, first_judged=300), [])
    with pytest.raises(ModelError, match="forecasts no number on row 50"):
        run_prequential(table, [Knows(dict.fromkeys(table.issued.tolist(), float("nan")))])
