"""The gate judges versions of a target as it does those of blocks: later rows, labels once known."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.reasons import Reason
from features.schema import FeatureSchema
from models.baselines import ExactFormula, Stateless
from models.champion import Champion
from models.conformal_scaled import ScaledConformal
from models.experts import GivenBaseline
from models.forecaster import Forecaster, Window
from models.gate import Gate, Rules
from models.inputs import BASELINE
from models.shadow_replay import issue_places, serve
from models.snapshot import Snapshot
from models.target_trial import TargetTrial
from models.targets.table import Kind, TargetTable
from models.verdict import Evidence
from tests.models import gate_stage
from tests.models.gate_stage import HORIZON, Hint, trial
from tests.models.target_tables import make_table, number_table, probability_table

RULES = Rules(last=10_000)


class Feature(Stateless):
    """Says what the only feature of a small target says; ``learned`` gives it something to remember."""

    name = "feature"

    def __init__(self, *, learned: bool = False) -> None:
        self.learned = learned

    def predict_one(self, window: Window) -> float:
        return window[-1]["feature"]

    def state(self) -> dict[str, Any]:
        return {"steps": 1} if self.learned else {}


def version(number: str, table: TargetTable, forecaster: Forecaster, **fields: Any) -> Champion:
    snapshot = Snapshot(
        forecaster=forecaster,
        conformal=ScaledConformal(0.9),
        schema=FeatureSchema((*table.names, BASELINE)),
        window=4,
        target=table.name,
        horizon_blocks=3,
        state_block=int(table.issued[table.first_judged]),
        corrects=next(iter(table.baselines)),
    )
    return Champion(table.name, number, "", 0.9, replace(snapshot, **fields))


def evidence(verdict: Any) -> Evidence:
    assert verdict.evidence is not None
    found: Evidence = verdict.evidence
    return found


def test_blocks_and_the_same_rows_as_a_target_give_the_same_evidence() -> None:
    blocks = trial(noise=0.02)
    count = len(blocks.rows) - HORIZON
    values = np.array([row.values for row in blocks.rows[:count]])
    issued = np.array([row.block_number for row in blocks.rows[:count]])
    table = TargetTable(
        name="base_fee_gwei",
        unit="gwei",
        horizon="2 blocks",
        kind=Kind.NUMBER,
        names=gate_stage.NAMES,
        values=values,
        label=np.array(blocks.truths[HORIZON:]),
        issued=issued,
        known=issued + HORIZON,
        baselines={"exact_formula": values[:, 1], "persistence": values[:, 0]},
        first_judged=0,
        source=blocks.source,
    )
    candidate, incumbent = gate_stage.version("2", Hint()), gate_stage.version("1", ExactFormula())
    corrected = [gate_stage.changed(one, corrects="persistence") for one in (candidate, incumbent)]
    there = evidence(Gate(blocks).judge(candidate, incumbent))
    here = evidence(Gate(TargetTrial(table, blocks.data_hash)).judge(*corrected))
    # a block's forecast is written down under the block it speaks about, a target's under its own row
    moved = replace(here, first_block=here.first_block + HORIZON, last_block=here.last_block + HORIZON)
    assert moved == there


def test_only_rows_issued_after_what_the_candidate_has_learned_are_judged() -> None:
    table = number_table(700, first_judged=300)
    gate = Gate(TargetTrial(table, "ab"), RULES)
    late = version("2", table, Feature(learned=True), state_block=int(table.issued[450]))
    assert evidence(gate.judge(late, None)).first_block == table.issued[451]
    early = version("3", table, Feature(learned=True))
    assert evidence(gate.judge(early, None)).first_block == table.issued[301]
    judged = evidence(gate.judge(early, late))
    assert (judged.first_block, judged.incumbent_learned) == (table.issued[301], 150)
    later = version("4", table, Feature(learned=True), state_block=int(table.issued[600]))
    refusal = gate.judge(later, None).refusal
    assert refusal is not None
    assert refusal.reason is Reason.TOO_FEW_FORECASTS
    assert "above position 6000" in refusal.detail


def test_intervals_learn_a_label_when_it_is_known_and_not_before() -> None:
    table = number_table(500, first_judged=100, delay=7)
    spoiled = replace(table, label=np.where(table.known > table.issued[300], 1e6, table.label))
    bounds = []
    for one in (table, spoiled):
        trial_, snapshot = TargetTrial(one, "ab"), version("2", one, Feature()).snapshot
        served = serve(snapshot, trial_, issue_places(trial_, snapshot, None, 3, 10_000))
        bounds.append((served.blocks, served.lower))
    (blocks, lower), (_, other) = bounds
    known = blocks <= table.issued[300]
    assert np.array_equal(lower[known], other[known])
    assert not np.array_equal(lower, other)


def test_the_baseline_of_a_target_stays_where_a_model_is_no_better() -> None:
    table = number_table(700, first_judged=300)
    gate = Gate(TargetTrial(table, "ab"), RULES)
    baseline = version("1", table, GivenBaseline(), corrects="half")
    verdict = gate.judge(version("2", table, GivenBaseline(), corrects="zero"), baseline)
    assert verdict.refusal is not None
    assert verdict.refusal.reason is Reason.SKILL_NOT_POSITIVE
    better = gate.judge(version("2", table, Feature()), baseline)
    assert better.refusal is None
    assert (evidence(better).incumbent, evidence(better).baseline) == ("version 1", "half")
    # and back again: a baseline may equal the hardest one
    back = gate.judge(baseline, version("3", table, GivenBaseline(), corrects="zero"))
    assert back.refusal is None


def test_a_probability_is_judged_by_its_squared_error_and_has_no_coverage() -> None:
    table = probability_table(900)
    verdict = Gate(TargetTrial(table, "ab"), RULES).judge(version("2", table, Feature()), None)
    found = evidence(verdict)
    assert verdict.refusal is None
    assert math.isnan(found.coverage)
    rows = slice(900 - found.forecasts, 900)
    brier = ((table.values[rows, 0] - table.label[rows]) ** 2).mean()
    always = ((0.9 - table.label[rows]) ** 2).mean()
    assert found.skill == pytest.approx(1 - brier / always)


def test_labels_that_never_come_are_not_judged() -> None:
    table = number_table(700, first_judged=100)
    half = replace(table, label=np.where(np.arange(700) % 2, np.nan, table.label))
    verdict = Gate(TargetTrial(half, "ab"), RULES).judge(version("2", half, Feature()), None)
    whole = Gate(TargetTrial(table, "ab"), RULES).judge(version("2", table, Feature()), None)
    assert evidence(verdict).forecasts == evidence(whole).forecasts // 2


def small_table(kind: Kind, known: NDArray[np.int64]) -> TargetTable:
    """Return a target whose feature is its label, with as many rows as there are times of labels."""
    random, count = np.random.default_rng(5), len(known)
    number = kind is Kind.NUMBER
    label = random.normal(0, 1, count) if number else (random.random(count) < 0.8).astype(np.float64)
    usual = {"zero": np.zeros(count)} if number else {"always_80": np.full(count, 0.8)}
    return replace(make_table(kind, label, label, usual, 1, 0), known=10 * known)


@pytest.mark.parametrize("kind", Kind)
def test_a_perfect_candidate_passes_on_a_small_target_a_few_of_whose_labels_come_late(kind: Kind) -> None:
    late = np.random.default_rng(6).random(312) < 0.2
    table = small_table(kind, np.arange(312) + np.where(late, 10, 1))
    verdict = Gate(TargetTrial(table, "ab"), RULES).judge(version("2", table, Feature()), None)
    assert verdict.refusal is None
    assert evidence(verdict).skill == 1.0


@pytest.mark.parametrize("kind", Kind)
def test_where_not_even_a_perfect_candidate_could_be_proven_better_that_is_said(kind: Kind) -> None:
    # thirty rows wait for the end of each slot, so sixteen labels do not overlap
    table = small_table(kind, (np.arange(463) // 30 + 1) * 30)
    gate = Gate(TargetTrial(table, "ab"), RULES)
    verdict = gate.judge(version("2", table, Feature()), None)
    assert verdict.refusal is not None
    assert verdict.refusal.reason is Reason.TOO_FEW_FORECASTS
    assert re.search(r"^460 forecasts .* needs 40; .* about \d{3,4}$", verdict.refusal.detail)
    assert evidence(verdict).e_value < 40
    # who is no better is told that instead
    same = version("3", table, GivenBaseline())
    worse = gate.judge(same, version("1", table, Feature())).refusal
    assert worse is not None
    assert worse.reason is Reason.NOT_PROVEN_BETTER


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schema": FeatureSchema(("feature", "moon_phase"))}, "moon_phase"),
        ({"corrects": "oracle"}, "the baseline oracle"),
        ({"corrects": ""}, "which it does not name"),
    ],
)
def test_what_a_target_lacks_is_named(fields: dict[str, Any], said: str) -> None:
    table = number_table()
    refusal = Gate(TargetTrial(table, "ab")).fits(version("2", table, Feature(), **fields))
    assert refusal is not None
    assert refusal.reason is Reason.SCHEMA_DIFFERS
    assert said in refusal.detail


def test_a_version_of_another_target_is_refused() -> None:
    table = number_table()
    refusal = Gate(TargetTrial(table, "ab")).fits(version("2", table, Feature(), target="usdc_gap_1"))
    assert refusal is not None
    assert refusal.reason is Reason.TARGET_DIFFERS
