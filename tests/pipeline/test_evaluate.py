"""Which rows and which models an evaluation takes."""

from __future__ import annotations

import pytest

import pipeline.evaluate
from models.targets.table import TargetTable
from pipeline.evaluate import capped, contenders
from tests.models.target_tables import number_table, probability_table


def test_the_rows_kept_are_those_around_where_judging_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.evaluate, "MOST_LEARNED", 30)
    monkeypatch.setattr(pipeline.evaluate, "MOST_JUDGED", 20)
    table = number_table(300, first_judged=100)
    kept = capped(table)
    assert kept.issued.tolist() == table.issued[70:120].tolist()
    assert kept.baselines["half"].tolist() == table.baselines["half"][70:120].tolist()
    assert kept.issued[kept.first_judged] == table.issued[100]


def test_a_small_table_is_kept_whole() -> None:
    table = number_table(300)
    kept = capped(table)
    assert (len(kept), kept.first_judged) == (300, 100)


@pytest.mark.parametrize("table", [number_table(), probability_table()])
def test_models_have_names_of_their_own_and_none_is_a_baselines(table: TargetTable) -> None:
    names = [model.name for model in contenders(table, seed=7)]
    assert len({*names, *table.baselines, "mix"}) == len(names) + len(table.baselines) + 1
