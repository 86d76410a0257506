"""The learner that goes on beside the champion: from files, through gaps and reorganisations, to the bit."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from core.errors import ModelError
from core.reasons import Reason
from features.feature import FeatureRow
from features.registry import SCHEMA
from models.baselines import ExactFormula, Persistence
from models.forecaster import Forecast, Forecaster
from models.learner import PrequentialLearner
from models.snapshot import save_snapshot
from pipeline.live_learning import LiveLearning, load_learner, resume_learner, save_learner
from pipeline.study import study_models
from tests.stories import story

WINDOW = 4
Story = tuple[list[FeatureRow], list[float]]


def live_story(count: int, seed: int, first: int = 1) -> Story:
    """Return rows of the set that a run computes: fees of a made-up story, and noise."""
    rows, fees = story(count, seed, first=first)
    random = np.random.default_rng(seed)
    made = []
    for row in rows:
        values = dict(zip(SCHEMA.names, random.normal(size=len(SCHEMA.names)).tolist(), strict=True))
        values |= {name: row[name] for name in ("base_fee_gwei", "next_base_fee_gwei")}
        known = (row.block_number, row.event_time, row.known_at_ns)
        made.append(FeatureRow(*known, SCHEMA.names, tuple(values.values())))
    return made, fees


def learner_of(*models: Forecaster) -> PrequentialLearner:
    return PrequentialLearner(models, [ExactFormula(), Persistence()], SCHEMA, window=WINDOW)


def walk(
    learner: PrequentialLearner, told: Story, start: int = 0, stop: int | None = None
) -> list[tuple[Forecast, ...]]:
    return [learner.step(row, fee) for row, fee in list(zip(told[0], told[1], strict=True))[start:stop]]


def values(learning: LiveLearning) -> dict[str, list[float]]:
    study = learning.close().study
    assert study is not None
    return {name: [*one.prediction.tolist(), *one.upper.tolist()] for name, one in study.series.items()}


@pytest.mark.parametrize("place", range(len(study_models(1, WINDOW))))
@pytest.mark.parametrize(("past", "orphans"), [(2, 7), (9, 1), (40, 30), (33, 40)])
def test_every_model_of_the_study_unlearns_orphans_to_the_bit(
    tmp_path: Path, place: int, past: int, orphans: int
) -> None:
    stays, orphaned, branch = (
        live_story(past + 12, 1),
        live_story(past + orphans, 2),
        live_story(past + 12, 3),
    )
    straight, reorged = (learner_of(study_models(1, WINDOW)[place]) for _ in range(2))
    for learner in (straight, reorged):
        walk(learner, stays, stop=past)
    walk(reorged, orphaned, start=past)
    reorged.rollback(past)
    assert walk(reorged, branch, start=past) == walk(straight, branch, start=past)
    snapshots = [learner.snapshot(learner.models[0]) for learner in (straight, reorged)]
    assert len({save_snapshot(one, tmp_path / "snapshot.zip") for one in snapshots}) == 1


def test_a_learner_goes_on_from_files_as_it_would_have_in_memory(tmp_path: Path) -> None:
    learner = learner_of(*study_models(1, WINDOW))
    walk(learner, live_story(60, 1))
    save_learner(learner, tmp_path / "learner")
    again = [load_learner(tmp_path / "learner") for _ in range(2)]
    assert again[0].models == learner.models == ("residual_lstm", "river_residual")
    assert again[0].baselines == learner.baselines == ("exact_formula", "persistence")
    # another chain, whose heights have nothing to do with those of the study
    there = live_story(30, 2, first=7)
    first, second = (walk(one, there) for one in again)
    assert first == second
    window = tuple(there[0][:WINDOW])
    said = dict(zip(learner.models, first[WINDOW - 1], strict=False))
    for name in learner.models:
        answer = learner.snapshot(name).answer(window)
        assert (said[name].value, said[name].lower, said[name].upper) == answer


def test_the_next_hundred_steps_are_those_of_a_learner_that_never_stopped(tmp_path: Path) -> None:
    told = live_story(160, 4)
    straight = learner_of(*study_models(1, WINDOW))
    walk(straight, told, stop=60)
    LiveLearning(straight, keep=tmp_path).close()
    resumed = resume_learner(tmp_path)
    assert walk(resumed, told, start=60) == walk(straight, told, start=60)
    for one in (straight, resumed):
        one.rollback(told[0][100].block_number)
    other = live_story(160, 5)
    assert walk(resumed, other, start=101) == walk(straight, other, start=101)
    kept = [save_snapshot(one.snapshot("residual_lstm"), tmp_path / "end.zip") for one in (straight, resumed)]
    assert kept[0] == kept[1]
    scores = [{score.name: score.mae for score in one.study().scores} for one in (straight, resumed)]
    # one adds up rows and the other sums, in another order
    assert scores[0] == pytest.approx(scores[1], rel=1e-12)


@pytest.mark.parametrize("damage", ['{"head": 1}', "no json", '{"head": 1e999}', "[]", "null"])
def test_a_damaged_place_on_a_stream_is_refused(tmp_path: Path, damage: str) -> None:
    learner = learner_of(*study_models(1, WINDOW))
    walk(learner, live_story(10, 1))
    save_learner(learner, tmp_path)
    (tmp_path / "stream.json").write_text(damage)
    with pytest.raises(ModelError, match="begin from its models alone"):
        resume_learner(tmp_path)


def test_the_very_first_block_can_be_taken_back() -> None:
    told, other = live_story(30, 1), live_story(30, 2)
    learners = [learner_of(*study_models(1, WINDOW)) for _ in range(2)]
    walk(learners[0], told, stop=1)
    learners[0].rollback(told[0][0].block_number - 1)
    assert walk(learners[0], other) == walk(learners[1], other)


def test_a_folder_without_the_models_of_one_learner_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="one learner"):
        load_learner(tmp_path)
    for window in (WINDOW, WINDOW + 1):
        models = [study_models(1, window)[1]]
        learner = PrequentialLearner(models, [Persistence()], SCHEMA, window=window)
        walk(learner, live_story(10, 1))
        save_learner(learner, tmp_path / str(window))
    other = tmp_path / str(WINDOW + 1) / "baseline-0-persistence.zip"
    other.rename(tmp_path / str(WINDOW) / "baseline-0-persistence.zip")
    with pytest.raises(ModelError, match="one learner"):
        load_learner(tmp_path / str(WINDOW))


@pytest.mark.parametrize("lost", [math.nan, math.inf, None])
def test_a_truth_that_never_comes_is_counted_and_forecasts_go_on(lost: float | None) -> None:
    rows, fees = live_story(30, 1)
    learning = LiveLearning(learner_of(study_models(1, WINDOW)[1]))
    for row, fee in zip(rows, fees, strict=True):
        learning.look(row.block_number, row, lost if row.block_number == 20 else fee)
    found = learning.close()
    assert found.refused == {Reason.LABEL_MISSING: 1}
    assert found.study is not None
    assert found.study.series["persistence"].blocks.tolist() == [*range(6, 20), *range(21, 31)]


def test_blocks_that_never_come_cost_their_labels_and_one_window() -> None:
    rows, fees = live_story(40, 1)
    learning = LiveLearning(learner_of(study_models(1, WINDOW)[1]))
    for row, fee in zip(rows, fees, strict=True):
        if row.block_number not in (20, 21):
            learning.look(row.block_number, row, fee)
    found = learning.close()
    assert found.refused == {Reason.LABEL_MISSING: 2}
    assert found.study is not None
    assert found.study.series["persistence"].blocks.tolist() == [*range(6, 20), *range(27, 41)]


def test_a_row_that_the_learner_cannot_read_is_counted_and_its_label_learned() -> None:
    rows, fees = live_story(30, 1)
    learning, told = (LiveLearning(learner_of(study_models(1, WINDOW)[1])) for _ in range(2))
    for row, fee in zip(rows, fees, strict=True):
        short = FeatureRow(row.block_number, row.event_time, 0, row.names[:3], row.values[:3])
        learning.look(row.block_number, short if row.block_number == 15 else row, fee)
        told.look(row.block_number, None if row.block_number == 15 else row, fee)
    assert learning.close().refused == {Reason.FEATURE_SET_DIFFERS: 1}
    assert values(learning) == values(told)


def test_a_reorganisation_is_unlearned() -> None:
    stays, orphaned, branch = live_story(20, 1), live_story(26, 2), live_story(30, 3)
    met, never = (LiveLearning(learner_of(study_models(1, WINDOW)[1])) for _ in range(2))

    def look(learning: LiveLearning, told: Story, start: int, stop: int) -> None:
        for row, fee in list(zip(*told, strict=True))[start:stop]:
            learning.look(row.block_number, row, fee)

    look(met, stays, 0, 20)
    look(met, orphaned, 20, 26)
    met.rollback(20)
    look(met, branch, 20, 30)
    look(never, stays, 0, 20)
    look(never, branch, 20, 30)
    assert values(met) == values(never)
    assert met.close().reorganisations == 1
