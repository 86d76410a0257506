"""What is registered of a target has seen no row that is kept back, and goes through a file unchanged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.schema import FeatureSchema
from models.courses import Course, search_part
from models.experts import Frozen
from models.mix import ExpertMix
from models.snapshot import Snapshot, load_snapshot, save_snapshot
from models.target_learning import baseline_snapshot, example_window, learn_target
from models.targets.table import TargetTable
from models.trial_settings import Setting, usual_setting
from models.trials import Trial
from pipeline.target_training import frozen_champion
from tests.models.target_tables import number_table, probability_table

TABLE = number_table(900, first_judged=600)


def learned(table: TargetTable, model: str = "river_tree") -> Snapshot:
    setting = Setting(table.name, model, 1.0, 2, 4, 1e-3, 1)
    found = Trial(search_part(table, 6000), setting, 7).run()
    return learn_target(table, found, 7, nominal=0.9)


def test_nothing_that_is_kept_back_reaches_a_snapshot(tmp_path: Path) -> None:
    after = TABLE.known > TABLE.issued[600]
    spoiled = replace(
        TABLE,
        label=np.where(after, 1e9, TABLE.label),
        values=np.where(np.arange(900)[:, None] > 600, 1e9, TABLE.values),
    )
    one, other = learned(TABLE), learned(spoiled)
    assert save_snapshot(one, tmp_path / "one") == save_snapshot(other, tmp_path / "other")
    assert one.state_block == TABLE.issued[600]
    assert TABLE.known[~after].max() <= one.state_block


@pytest.mark.parametrize("table", [TABLE, probability_table(900, first_judged=600)], ids=lambda t: t.kind)
def test_a_snapshot_comes_back_from_its_file_with_its_baseline_and_intervals(
    table: TargetTable, tmp_path: Path
) -> None:
    for snapshot in (learned(table, "boosting"), learned(table, "mix"), base(table)):
        save_snapshot(snapshot, tmp_path / "file")
        again, window = load_snapshot(tmp_path / "file"), example_window(table, snapshot)
        assert again.corrects == snapshot.corrects != ""
        assert again.answer(window) == snapshot.answer(window)


def test_a_mix_serves_with_the_weights_of_its_last_label() -> None:
    mix = learned(TABLE, "mix").forecaster
    assert isinstance(mix, ExpertMix)
    assert list(mix.weights) == ["given_baseline", "quantile_lstm", "river_tree", "boosting"]
    assert mix.weights["given_baseline"] < 0.2


def test_the_champion_is_an_expert_of_a_mix_that_is_weighed_on_rows_it_has_not_learned_from(
    tmp_path: Path,
) -> None:
    old = learned(number_table(1500, first_judged=500))
    grown = number_table(1500, first_judged=1400)
    part = search_part(grown, 800)
    frozen, why = frozen_champion(part, old)
    assert frozen is not None, why
    found = Trial(part, replace(usual_setting(grown.name, "mix"), window=2), 7, frozen=frozen).run()
    version = learn_target(grown, found, 7, nominal=0.9)
    assert isinstance(version.forecaster, ExpertMix)
    assert list(version.forecaster.weights)[:2] == ["given_baseline", "frozen"]
    save_snapshot(version, tmp_path / "file")
    window = example_window(grown, version)
    assert load_snapshot(tmp_path / "file").answer(window) == version.answer(window)
    # its own weights tell that it serves in the mix as it served before
    kept = dict(zip(version.forecaster.weights, version.forecaster.experts, strict=True))["frozen"]
    assert kept.predict_one(window) == old.forecaster.predict_one(window)


def test_a_champion_that_cannot_be_weighed_is_left_out_with_a_word() -> None:
    fresh = learned(TABLE)
    early = replace(fresh, state_block=0)
    for champion, said in (
        (base(TABLE), "a baseline, which the mix weighs already"),
        (fresh, "has learned from rows that the mix is weighed on"),
        (replace(early, corrects="zero"), "it corrects zero, the mix half"),
        (replace(early, window=99), "it reads 99 rows"),
        (replace(early, schema=FeatureSchema(("moon",))), "it reads moon"),
        (replace(early, forecaster=ExpertMix([Frozen(fresh.forecaster)])), "the champion before it"),
    ):
        frozen, why = frozen_champion(TABLE, champion)
        assert frozen is None
        assert said in why


def base(table: TargetTable) -> Snapshot:
    return baseline_snapshot(
        table, Course(search_part(table, 6000), next(iter(table.baselines))), nominal=0.9
    )


def test_intervals_begin_with_the_errors_of_learning_rows() -> None:
    for snapshot in (learned(TABLE), base(TABLE)):
        assert snapshot.conformal.count > 250
        assert 0.85 < snapshot.conformal.coverage < 0.95
        _, lower, upper = snapshot.answer(example_window(TABLE, snapshot))
        assert lower < upper


def test_a_probability_s_bounds_are_its_value() -> None:
    table = probability_table(900, first_judged=600)
    snapshot = learned(table)
    value, lower, upper = snapshot.answer(example_window(table, snapshot))
    assert value == lower == upper
