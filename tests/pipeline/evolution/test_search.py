"""A search under Ray ends with a winner judged on rows that no trial saw; a population repeats exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import ModelError
from models.courses import search_part
from models.snapshot import load_snapshot
from models.targets.table import TargetTable
from models.tracking_store import TrackingStore
from models.trial_settings import Setting
from models.trials import CHUNKS, Trial
from pipeline.evolution.evolve import EvolveOptions, evolve
from pipeline.evolution.search import GRACE, Observer, Scheduler, search
from pipeline.evolution.tracking import SNAPSHOT, RunLog
from tests.models.target_tables import number_table, probability_table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ray,
    pytest.mark.usefixtures("local_ray"),
    # Ray's own threads and files, ended with it
    pytest.mark.filterwarnings("default"),
]
MODELS = ("boosting", "river_series")


class Notes(Observer):
    def __init__(self) -> None:
        self.steps: dict[str, list[tuple[int, Setting, float]]] = defaultdict(list)
        self.over: list[str] = []

    def reported(self, trial: str, setting: Setting, chunk: int, metrics: Mapping[str, float]) -> None:
        self.steps[trial].append((chunk, setting, metrics["skill"]))

    def ended(self, trial: str, error: str) -> None:
        self.over.append(trial)


def table() -> TargetTable:
    return number_table(900, first_judged=600)


def test_asha_logs_every_trial_and_judges_the_winner_on_rows_no_trial_saw(
    tmp_path: Path, store: TrackingStore
) -> None:
    whole = table()
    log = RunLog(store, {"seed": 7}, {"code_version": "x"})
    options = EvolveOptions(trials=4, models=MODELS)
    evolved = evolve({whole.name: whole}, options, folder=tmp_path, observer=log)
    winner, run = evolved.winner, log.won(evolved.winner)
    assert len(evolved.tried) == 4
    assert all(one.error == "" and GRACE <= one.chunks <= CHUNKS for one in evolved.tried)
    assert winner.tried.setting.model == "boosting"
    assert winner.judged == 300
    assert winner.skill.clear
    # it is handed on as it stood before the rows it was judged on
    assert (winner.snapshot.state_block, winner.snapshot.corrects) == (whole.issued[600], winner.anchor)
    # what Ray ran is what runs without it
    alone = Trial(search_part(whole, 6000), winner.tried.setting, 7)
    skills = [alone.step()["skill"] for _ in range(winner.tried.chunks)]
    assert skills[-1] == winner.tried.skill
    client = store.client()
    children = client.search_runs([client.get_run(run).info.experiment_id])
    assert len(children) == 4 + 2
    assert {one.info.status for one in children} == {"FINISHED"}
    file = Path(client.download_artifacts(run, SNAPSHOT, str(tmp_path)))
    window = alone.course.window(50, winner.snapshot.window)
    assert load_snapshot(file).answer(window) == winner.snapshot.answer(window)


def test_a_population_repeats_exactly_and_takes_over_what_the_best_has_learned(tmp_path: Path) -> None:
    parts = {"a_number": search_part(table(), 6000)}
    runs = []
    for name in ("first", "second"):
        notes = Notes()
        tried = search(
            parts,
            trials=3,
            scheduler=Scheduler.PBT,
            seed=7,
            folder=tmp_path / name,
            observer=notes,
            models=MODELS,
        )
        runs.append([(one.setting, one.chunks, one.skill) for one in tried])
        assert all(one.state is not None and one.chunks == CHUNKS for one in tried)
        models = [{setting.model for _, setting, _ in steps} for steps in notes.steps.values()]
        assert {"boosting", "river_series"} in models
    assert runs[0] == runs[1]


def test_a_search_whose_trials_all_fail_says_why(tmp_path: Path) -> None:
    part = search_part(probability_table(600, first_judged=400), 6000)
    broken = replace(part, label=part.label / 2)
    with pytest.raises(ModelError, match=r"every trial failed.*labels 0 and 1"):
        search(
            {"coins": broken},
            trials=1,
            scheduler=Scheduler.ASHA,
            seed=7,
            folder=tmp_path,
            observer=Observer(),
            models=("river_logistic",),
        )
