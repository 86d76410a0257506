"""What is registered of a target has seen no row that is kept back, and goes through a file unchanged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.courses import Course, search_part
from models.snapshot import Snapshot, load_snapshot, save_snapshot
from models.target_learning import baseline_snapshot, example_window, learn_target
from models.targets.table import TargetTable
from models.trial_settings import Setting
from models.trials import Trial
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
    for snapshot in (learned(table, "boosting"), base(table)):
        save_snapshot(snapshot, tmp_path / "file")
        again, window = load_snapshot(tmp_path / "file"), example_window(table, snapshot)
        assert again.corrects == snapshot.corrects != ""
        assert again.answer(window) == snapshot.answer(window)


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
