"""What every model that corrects a baseline promises, checked on each of them."""

from __future__ import annotations

import copy
import json
import math
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models.boosting
import models.river_renewed
from core.errors import ModelError
from features.feature import FeatureRow
from models.conformal import AdaptiveConformal
from models.forecaster import Forecaster
from models.inputs import BASELINE
from models.rebuilding import rebuild
from models.snapshot import Snapshot, load_snapshot, save_snapshot
from models.unlearning import Unlearning
from tests.models.stream_stories import (
    NUMBERS,
    ODDS,
    SCHEMA,
    STILL,
    WINDOW,
    Build,
    coin_stream,
    stream,
    walk,
    window_at,
)

LEARNING = NUMBERS | ODDS
ROWS, LABELS = stream(500, 3)
COIN_ROWS, COINS = coin_stream(500, 3)
Story = tuple[list[FeatureRow], list[float]]


@pytest.fixture(autouse=True)
def short_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trees be renewed and trained within a few hundred labels."""
    monkeypatch.setattr(models.river_renewed, "LIFE", 120)
    monkeypatch.setattr(models.river_renewed, "LEAD", 40)
    monkeypatch.setattr(models.boosting, "EVERY", 100)


@pytest.fixture(params=LEARNING | STILL)
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def build(key: str) -> Build:
    return (LEARNING | STILL)[key]


@pytest.fixture
def story(key: str) -> Story:
    return (COIN_ROWS, COINS) if key in ODDS else (ROWS, LABELS)


def same(one: Any, two: Any) -> bool:
    """Return whether two states are equal to the bit."""
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, np.ndarray):
        return one.dtype == two.dtype and np.array_equal(one, two)
    return bool(one == two)


def test_predicting_changes_nothing(build: Build, story: Story) -> None:
    model = build(1)
    walk(model, *story, WINDOW, 170)
    before = model.state()
    answers = {model.predict_one(window_at(story[0], 300)) for _ in range(3)}
    assert len(answers) == 1
    assert same(model.state(), before)


def test_a_fresh_one_says_what_the_baseline_says(build: Build, story: Story) -> None:
    window = window_at(story[0], 20)
    assert build(1).predict_one(window) == pytest.approx(window[-1][BASELINE], abs=1e-12)


def test_the_same_seed_and_calls_give_the_same_numbers(build: Build, story: Story) -> None:
    assert walk(build(3), *story, WINDOW, 150) == walk(build(3), *story, WINDOW, 150)


def test_after_a_snapshot_file_the_next_hundred_steps_are_identical(
    build: Build, story: Story, tmp_path: Path
) -> None:
    model = build(3)
    walk(model, *story, WINDOW, 190)
    snapshot = Snapshot(model, AdaptiveConformal(), SCHEMA, WINDOW, "made_up", 1, 190)
    save_snapshot(snapshot, tmp_path / "model.zip")
    loaded = load_snapshot(tmp_path / "model.zip").forecaster
    assert walk(loaded, *story, 190, 310) == walk(model, *story, 190, 310)
    assert same(loaded.state(), model.state())


def test_a_state_does_not_change_when_the_model_goes_on(build: Build, story: Story) -> None:
    model = build(3)
    walk(model, *story, WINDOW, 130)
    state = model.state()
    kept = copy.deepcopy(state)
    walk(model, *story, 130, 260)
    assert same(state, kept)


def test_a_window_that_lacks_a_feature_or_the_baseline_is_refused(build: Build, story: Story) -> None:
    model = build(1)
    for missing in SCHEMA.names[1:]:
        names = tuple(name for name in SCHEMA.names if name != missing)
        bare = tuple(replace(row, names=names, values=(0.0, 0.5)) for row in story[0][:WINDOW])
        if model.name != "given_baseline" or missing == BASELINE:
            with pytest.raises(ModelError, match=missing):
                model.predict_one(bare)
    with pytest.raises(ModelError):
        model.predict_one(())


def test_further_features_and_another_order_change_nothing(build: Build, story: Story) -> None:
    model = build(1)
    walk(model, *story, WINDOW, 150)
    window = window_at(story[0], 200)
    names = (BASELINE, "stranger", "noise", "signal")
    shuffled = tuple(
        replace(row, names=names, values=(row[BASELINE], 1e9, row["noise"], row["signal"])) for row in window
    )
    assert model.predict_one(shuffled) == model.predict_one(window)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_refused_and_changes_nothing(
    key: str, build: Build, story: Story, bad: float
) -> None:
    model = build(1)
    walk(model, *story, WINDOW, 30)
    before = model.state()
    window = window_at(story[0], 40)
    sick = (*window[:-1], replace(window[-1], values=(bad, bad, bad)))
    with pytest.raises(ModelError):
        model.predict_one(sick)
    if key not in STILL:
        for pair in ((sick, 1.0), (window, bad)):
            with pytest.raises(ModelError):
                model.learn_one(*pair)
    assert same(model.state(), before)


def test_a_state_that_lacks_a_part_is_refused(key: str, build: Build, story: Story) -> None:
    model = build(1)
    walk(model, *story, WINDOW, 150)
    for part in model.state():
        state = model.state()
        del state[part]
        with pytest.raises(ModelError):
            rebuild(model.name, state)


def _numbers(tree: Any) -> Iterator[np.ndarray]:
    children = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for child in children:
        if isinstance(child, np.ndarray) and child.size and child.dtype.kind == "f":
            yield child
        yield from _numbers(child)


@pytest.mark.parametrize("key", [key for key in LEARNING if key != "logistic"], indirect=True)
def test_a_state_with_a_number_that_is_not_finite_is_refused(build: Build, story: Story) -> None:
    model = build(1)
    walk(model, *story, WINDOW, 150)
    state = model.state()
    for array in _numbers(state):
        kept = array.copy()
        array[...] = math.nan
        with pytest.raises(ModelError):
            rebuild(model.name, state)
        array[...] = kept
    rebuild(model.name, state)


def test_a_state_is_plain_values_and_arrays_of_numbers(build: Build, story: Story) -> None:
    model = build(1)
    walk(model, *story, WINDOW, 150)

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            assert value.dtype.kind in "fiub"
            return None
        raise AssertionError(f"{type(value)} in a state")

    json.dumps(model.state(), default=plain)


@pytest.mark.parametrize("key", NUMBERS | ODDS, indirect=True)
def test_memory_stays_flat(build: Build, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.boosting, "REMEMBERED", 100)
    model = build(1)
    walk(model, *story, WINDOW, 245)
    tracemalloc.start()
    try:
        walk(model, *story, WINDOW, WINDOW + 80)
        first, _ = tracemalloc.get_traced_memory()
        walk(model, *story, WINDOW, WINDOW + 160)
        second, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert second - first < 400_000


@pytest.mark.parametrize("key", NUMBERS | ODDS, indirect=True)
def test_orphaned_labels_are_unlearned_exactly(build: Build, story: Story) -> None:
    rows, labels = story
    straight, reorged = build(5), Unlearning(build(5))
    orphan_labels = [1 - label if label in (0, 1) else label + 3 for label in labels]
    walk(straight, rows, labels, WINDOW, 110)
    walk(reorged, rows, labels, WINDOW, 110)
    walk(reorged, rows, orphan_labels, 110, 155)
    # the first label of the new branch tells; forecasts between are of the orphaned branch
    for model in (straight, reorged):
        model.learn_one(window_at(rows, 110), labels[110])
    assert walk(reorged, rows, labels, 111, 200) == walk(straight, rows, labels, 111, 200)
    assert same(reorged.state(), straight.state())


def skill(model: Forecaster, story: Story) -> float:
    rows, labels = story
    answers = np.array(walk(model, rows, labels, WINDOW, 500))[-200:]
    truth, base = np.array(labels[-200:]), np.array([row[BASELINE] for row in rows[-200:]])
    return float(1 - ((answers - truth) ** 2).mean() / ((base - truth) ** 2).mean())


@pytest.mark.parametrize("key", [key for key in LEARNING if key != "series"], indirect=True)
def test_it_learns_what_the_baseline_does_not_know(
    build: Build, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.river_renewed, "LIFE", 3000)
    monkeypatch.setattr(models.river_renewed, "LEAD", 1000)
    assert skill(build(1), story) > 0.1


@pytest.mark.parametrize("key", ODDS, indirect=True)
def test_probabilities_lie_between_zero_and_one(build: Build, story: Story) -> None:
    answers = walk(build(1), *story, WINDOW, 300)
    assert min(answers) >= 0
    assert max(answers) <= 1
