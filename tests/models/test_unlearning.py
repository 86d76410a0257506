"""After a reorganisation a model that unlearns is as if it had never seen the orphans."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelError
from core.seams import Randomness
from market.state import JOURNAL_DEPTH
from models.baselines import ExactFormula, Persistence
from models.learner import PrequentialLearner
from models.lstm import ResidualLSTM
from models.river_models import RiverResidual
from models.river_renewed import RiverTree
from models.snapshot import save_snapshot
from models.unlearning import STRIDE, Unlearning
from tests.models.stream_stories import SCHEMA as STREAM_SCHEMA
from tests.models.stream_stories import stream, window_at
from tests.stories import SCHEMA, story


def learner(lstm: bool) -> PrequentialLearner:
    model = ResidualLSTM(SCHEMA, Randomness(1), window=4, hidden=4) if lstm else RiverResidual(SCHEMA)
    return PrequentialLearner([model], [ExactFormula(), Persistence()], SCHEMA, horizon=2, window=4)


@settings(max_examples=15, deadline=None)
@given(
    past=st.integers(1, 90),
    orphans=st.integers(1, 40),
    seed=st.integers(0, 10**6),
    again=st.booleans(),
)
def test_reorg_then_replay_in_the_learner_equals_never_having_seen_the_orphans(
    past: int, orphans: int, seed: int, again: bool
) -> None:
    rows, fees = story(past + 60, seed)
    orphan_rows, orphan_fees = story(past + orphans + 3, seed + 1)
    straight, reorged = learner(lstm=seed % 4 == 0), learner(lstm=seed % 4 == 0)
    for place in range(past):
        for one in (straight, reorged):
            one.step(rows[place], fees[place])
    for _ in range(1 + again):
        for place in range(past, past + orphans):
            reorged.step(orphan_rows[place], orphan_fees[place])
        reorged.rollback(past)
    for place in range(past, past + 60):
        expected = straight.step(rows[place], fees[place])
        assert reorged.step(rows[place], fees[place]) == expected


def test_a_snapshot_just_after_a_rollback_knows_nothing_of_the_orphans(tmp_path: Path) -> None:
    rows, fees = story(60, 4)
    straight, reorged = learner(lstm=True), learner(lstm=True)
    for place in range(60):
        reorged.step(rows[place], fees[place])
        if place < 40:
            straight.step(rows[place], fees[place])
    reorged.rollback(40)
    digests = {
        save_snapshot(one.snapshot("residual_lstm"), tmp_path / "snapshot.zip") for one in (straight, reorged)
    }
    assert len(digests) == 1


def test_labels_are_taken_back_when_it_is_told_to() -> None:
    rows, labels = stream(200, 1)
    told, never = (Unlearning(RiverTree(STREAM_SCHEMA, Randomness(1))) for _ in range(2))
    for place in range(10, 150):
        told.learn_one(window_at(rows, place), labels[place])
        if place < 120:
            never.learn_one(window_at(rows, place), labels[place])
    told.unlearn(rows[120].block_number)
    window = window_at(rows, 180)
    assert told.predict_one(window) == never.predict_one(window)
    told.unlearn(10_000)
    assert told.predict_one(window) == never.predict_one(window)


def test_it_goes_back_as_deep_as_promised_and_refuses_deeper() -> None:
    rows, labels = stream(400, 1)
    model = Unlearning(RiverTree(STREAM_SCHEMA, Randomness(1)), depth=50)
    for place in range(10, 300):
        model.learn_one(window_at(rows, place), labels[place])
    model.learn_one(window_at(rows, 250), labels[250])
    with pytest.raises(ModelError, match="cannot unlearn"):
        model.learn_one(window_at(rows, 250 - 50 - 2 * STRIDE), 0.0)


def test_the_journal_does_not_grow() -> None:
    rows, labels = stream(600, 1)
    model = Unlearning(RiverTree(STREAM_SCHEMA, Randomness(1)))
    for place in range(10, 600):
        model.learn_one(window_at(rows, place), labels[place])
    held = sum(len(one.learned) for one in model._checkpoints)
    assert JOURNAL_DEPTH <= held <= JOURNAL_DEPTH + 2 * STRIDE
