"""The gate lets through who is proven better on blocks that nobody has learned from, else says why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import ModelError
from core.reasons import Reason, Refusal
from features.feature import FeatureRow
from features.schema import FeatureSchema
from models.baselines import ExactFormula, Persistence
from models.evaluation import Series
from models.forecaster import Window
from models.gate import Gate
from models.river_models import RiverResidual
from models.sequential_test import needed
from models.shadow_replay import Trial, issue_places, serve
from tests.models.gate_stage import FIRST_BLOCK, HORIZON, NAMES, Hint, changed, trial, version

FORMULA: Any = ExactFormula()


def refused(gate: Gate, candidate: Any, incumbent: Any = None, attempt: int = 1) -> Reason:
    verdict = gate.judge(candidate, incumbent, attempt)
    assert verdict.refusal is not None
    return verdict.refusal.reason


def test_a_perfect_forecaster_has_no_error_and_is_let_through() -> None:
    blocks = trial()
    candidate = version("2", Hint())
    places = issue_places(blocks, candidate.snapshot, None, HORIZON, 2_000)
    served = serve(candidate.snapshot, blocks, places)
    assert np.array_equal(served.truth, served.prediction)
    assert served.blocks[0] == FIRST_BLOCK + 3 + HORIZON
    verdict = Gate(blocks).judge(candidate, version("1", FORMULA))
    assert verdict.refusal is None
    assert verdict.evidence is not None
    assert (verdict.evidence.skill, verdict.evidence.baseline_skill) == (1.0, 1.0)
    assert (verdict.evidence.incumbent, verdict.evidence.baseline) == ("version 1", "exact_formula")
    assert verdict.evidence.e_value > needed(0.05)


def test_without_an_incumbent_the_hardest_baseline_must_be_beaten() -> None:
    verdict = Gate(trial(noise=0.01)).judge(version("2", Hint()), None)
    assert verdict.refusal is None
    assert verdict.evidence is not None
    assert verdict.evidence.incumbent == "exact_formula"
    assert refused(Gate(trial()), version("2", Hint(1.0))) is Reason.SKILL_NOT_POSITIVE


def test_who_beats_the_baseline_but_not_the_incumbent_is_refused() -> None:
    gate = Gate(trial(noise=0.02))
    good, equal = version("1", Hint()), version("2", Hint(1e-9))
    assert refused(gate, equal, good) is Reason.NOT_PROVEN_BETTER
    assert refused(gate, version("3", Hint(0.03)), good) is Reason.NOT_PROVEN_BETTER


def test_a_baseline_may_serve_where_no_model_is_better() -> None:
    gate = Gate(trial())
    assert gate.judge(version("2", FORMULA), version("1", Persistence())).refusal is None
    assert refused(gate, version("2", Persistence()), version("1", FORMULA)) is Reason.SKILL_NOT_POSITIVE


def test_each_attempt_needs_more_than_the_one_before() -> None:
    gate = Gate(trial(count=230, noise=0.06))
    first = gate.judge(version("2", Hint()), None, attempt=1)
    assert first.evidence is not None
    enough = first.evidence.e_value
    attempt = next(count for count in range(1, 10_000) if needed(0.05, count) > enough)
    assert refused(gate, version("2", Hint()), None, attempt) is Reason.NOT_PROVEN_BETTER


def test_the_same_trial_gives_the_same_evidence() -> None:
    verdicts = [Gate(trial(noise=0.05)).judge(version("2", Hint()), version("1", FORMULA)) for _ in range(2)]
    assert verdicts[0] == verdicts[1]


class Learned(Hint):
    """A model that has something to remember."""

    def state(self) -> dict[str, Any]:
        return {"steps": 1}


def test_blocks_that_a_version_has_learned_from_prove_nothing() -> None:
    gate = Gate(trial())
    late = version("2", Learned(), state_block=FIRST_BLOCK + 500)
    assert refused(gate, late) is Reason.TOO_FEW_FORECASTS
    # of a formula nothing is learned
    assert gate.judge(version("2", Hint(), state_block=FIRST_BLOCK + 500), None).refusal is None
    verdict = gate.judge(version("2", Learned(), state_block=FIRST_BLOCK + 300), None)
    assert verdict.evidence is not None
    assert verdict.evidence.first_block == FIRST_BLOCK + 301 + HORIZON


def test_it_is_said_from_how_many_blocks_the_incumbent_has_learned() -> None:
    gate = Gate(trial())
    for state_block, learned in ((FIRST_BLOCK - 1, 0), (FIRST_BLOCK + 10_000, None)):
        incumbent = version("1", Learned(), state_block=state_block)
        evidence = gate.judge(version("2", FORMULA), incumbent).evidence
        assert evidence is not None
        assert evidence.incumbent_learned == (evidence.forecasts if learned is None else learned)


def test_labels_that_never_come_are_not_judged() -> None:
    blocks = trial()
    truths = [math.nan if place % 3 else truth for place, truth in enumerate(blocks.truths)]
    assert refused(Gate(replace(blocks, truths=truths)), version("2", Hint())) is Reason.TOO_FEW_FORECASTS
    half = [math.nan if place % 2 else truth for place, truth in enumerate(blocks.truths)]
    verdict = Gate(replace(blocks, truths=half)).judge(version("2", Hint()), version("1", FORMULA))
    assert verdict.evidence is not None
    assert verdict.evidence.forecasts == 297


def test_intervals_that_hold_too_few_labels_are_refused() -> None:
    # a forecast of zero has an interval of no width, whatever its model has learned of errors
    blocks = trial(level=0.0)
    random = np.random.default_rng(4)
    fees = random.normal(0, 0.1, len(blocks.rows)).tolist()
    rows = [replace(row, values=(fee, fee, 0.0)) for row, fee in zip(blocks.rows, fees, strict=True)]
    assert (
        refused(Gate(replace(blocks, rows=rows, truths=fees)), version("2", Hint()))
        is Reason.COVERAGE_TOO_LOW
    )


def test_features_that_are_not_computed_here_are_named() -> None:
    candidate = changed(version("2", Hint()), schema=FeatureSchema((*NAMES, "moon_phase")))
    verdict = Gate(trial()).judge(candidate, None)
    assert verdict.refusal is not None
    assert verdict.refusal.reason is Reason.SCHEMA_DIFFERS
    assert "moon_phase" in verdict.refusal.detail


@pytest.mark.parametrize("other", [{"target": "gas_used"}, {"horizon_blocks": 3}])
def test_a_version_that_forecasts_something_else_is_refused(other: dict[str, Any]) -> None:
    candidate = changed(version("2", Hint()), **other)
    assert refused(Gate(trial()), candidate, version("1", FORMULA)) is Reason.TARGET_DIFFERS


def test_rows_that_the_batch_path_computes_otherwise_are_refused() -> None:
    def differs(rows: Sequence[FeatureRow]) -> Refusal:
        return Refusal(
            Reason.SCHEMA_DIFFERS, f"base_fee_gwei of block {rows[7].block_number} differs by 1 ULP"
        )

    gate = Gate(replace(trial(), skew=differs))
    assert "block 107" in str(gate.judge(version("2", Hint()), None).refusal)
    passed = Gate(replace(trial(), skew=lambda _rows: None)).judge(version("2", Hint()), None)
    assert passed.refusal is None
    assert passed.evidence is not None
    assert passed.evidence.features_checked


class Broken(Hint):
    """Fails in the middle, or says what is no number."""

    def __init__(self, value: float | None) -> None:
        self.value = value

    def predict_one(self, window: Window) -> float:
        if self.value is None:
            raise ZeroDivisionError("by design")
        return self.value


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_version_that_fails_on_the_way_is_refused(value: float | None) -> None:
    assert refused(Gate(trial()), version("2", Broken(value))) is Reason.MODEL_UNUSABLE


class Stateful(Broken):
    """A model with something to remember."""

    def state(self) -> dict[str, Any]:
        return {"steps": 1}


@pytest.mark.parametrize("fails", ["predict", "read"])
def test_an_incumbent_that_cannot_be_run_here_defends_nothing(fails: str) -> None:
    incumbent = version("1", Stateful(None), state_block=FIRST_BLOCK)
    if fails == "read":
        other = FeatureSchema((*NAMES, "moon_phase"))
        model: Any = RiverResidual(other)
        incumbent = changed(version("1", model), schema=other)
    alone = Gate(trial(noise=0.01)).judge(version("2", Hint()), None)
    verdict = Gate(trial(noise=0.01)).judge(version("2", Hint()), incumbent)
    assert verdict.refusal is None
    assert verdict.evidence is not None
    assert alone.evidence is not None
    assert verdict.evidence.incumbent_failed.startswith("version 1 fails here: ")
    assert replace(verdict.evidence, incumbent_failed="") == alone.evidence
    # it still has to be better than the baseline
    assert refused(Gate(trial()), version("2", Hint(1.0)), incumbent) is Reason.SKILL_NOT_POSITIVE


def test_where_nothing_serves_the_hardest_baseline_may() -> None:
    assert Gate(trial()).judge(version("2", FORMULA), None).refusal is None
    assert refused(Gate(trial()), version("2", Persistence())) is Reason.SKILL_NOT_POSITIVE
    # against the same version that serves nothing is proven
    assert refused(Gate(trial()), version("2", FORMULA), version("1", FORMULA)) is Reason.NOT_PROVEN_BETTER


def test_who_forecasts_better_must_earn_more_where_value_is_counted() -> None:
    def earns(series: Series) -> NDArray[np.float64]:
        return -np.abs(series.truth - series.prediction) * 1e15

    def loses(series: Series) -> NDArray[np.float64]:
        return np.abs(series.truth - series.prediction) * 1e15

    candidate, incumbent = version("2", Hint()), version("1", FORMULA)
    verdict = Gate(trial(), net_value=earns).judge(candidate, incumbent)
    assert verdict.refusal is None
    assert verdict.evidence is not None
    assert verdict.evidence.value_gain_wei is not None
    assert verdict.evidence.value_gain_wei > 0
    verdict = Gate(trial(), net_value=loses).judge(candidate, incumbent)
    assert verdict.refusal is not None
    assert "earns more" in verdict.refusal.detail
    assert verdict.evidence is not None
    assert (verdict.evidence.value_gain_wei or 0) < 0


def spoiled(**fields: Any) -> Trial:
    blocks = trial(count=10)
    return replace(blocks, **fields)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[:-1], "as many truths"),
        (lambda rows: [*rows[:4], rows[3], *rows[5:]], "does not follow"),
        (lambda rows: [*rows[:-1], replace(rows[-1], block_number=5)], "does not follow"),
        (lambda rows: [*rows[:-1], replace(rows[-1], names=NAMES[:2])], "does not follow"),
        (lambda rows: [*rows[:-1], replace(rows[-1], values=(math.nan, 1.0, 1.0))], "not finite"),
    ],
)
def test_rows_that_are_no_run_of_blocks_are_refused(change: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        spoiled(rows=change(trial(count=10).rows))
    with pytest.raises(ModelError, match="needs rows"):
        spoiled(rows=[], truths=[])
