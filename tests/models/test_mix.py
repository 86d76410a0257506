"""What a mix loses against its experts, how its weights move, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelError
from core.seams import Randomness
from features.feature import FeatureRow
from models.experts import Frozen, GivenBaseline
from models.forecaster import Window
from models.hedging import AdaHedge, FixedShare
from models.mix import ExpertMix
from models.rebuilding import rebuild
from models.river_renewed import RiverTree
from tests.models.stream_stories import SCHEMA, WINDOW, mix, stream, walk, window_at


class Column:
    """Forecasts one column."""

    def __init__(self, name: str) -> None:
        self.name = name

    def predict_one(self, window: Window) -> float:
        return window[-1][self.name]

    def learn_one(self, window: Window, label: float) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


def row(*values: float) -> Window:
    return (FeatureRow(1, 0, 0, ("one", "two"), values),)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 200), st.integers(2, 6), st.sampled_from([1e-9, 1.0, 1e9]))
def test_adahedge_keeps_its_bound_on_any_losses_in_any_unit(
    seed: int, count: int, experts: int, unit: float
) -> None:
    random = np.random.default_rng(seed)
    hedge, mixed, lost = AdaHedge(experts), 0.0, np.zeros(experts)
    for _ in range(count):
        losses = unit * (random.uniform(size=experts) < random.uniform(size=experts))
        mixed += float(hedge.weights @ losses)
        lost += losses
        hedge.update(losses)
        assert hedge.weights.sum() == pytest.approx(1)
    bound = math.sqrt(count * math.log(experts)) + 4 / 3 * math.log(experts) + 2
    assert mixed - lost.min() <= unit * bound


@pytest.mark.parametrize("rule", [AdaHedge.name, FixedShare.name])
def test_the_better_expert_gets_the_weight_and_regret_is_small(rule: str) -> None:
    random = np.random.default_rng(1)
    model = ExpertMix([Column("one"), Column("two")], rule=rule)
    for _ in range(500):
        label = float(random.normal())
        model.learn_one(row(label + 0.1 * random.normal(), 3.0 + random.normal()), label)
    assert model.weights["one"] > 0.9
    assert model.losses["one"] < model.losses["two"]
    assert model.regret < 0.05 * model.losses["two"]


def test_two_experts_that_err_on_opposite_sides_are_beaten_by_their_mix() -> None:
    random = np.random.default_rng(1)
    model = ExpertMix([Column("one"), Column("two")])
    for _ in range(500):
        label = float(random.normal())
        model.learn_one(row(label + 1, label - 1), label)
    assert model.regret < -400


def test_shared_weights_come_back_sooner_than_adahedge() -> None:
    weights = []
    for rule in (AdaHedge.name, FixedShare.name):
        model = ExpertMix([Column("one"), Column("two")], rule=rule)
        for step in range(1100):
            good, bad = (0.0, 1.0) if step < 1000 else (1.0, 0.0)
            model.learn_one(row(good, bad), 0.0)
        weights.append(model.weights["two"])
    assert weights[1] > 0.9 > weights[0]


def test_the_lead_changes_once_when_the_data_changes_for_good_and_not_for_a_moment() -> None:
    model = ExpertMix([Column("one"), Column("two")], rule=FixedShare.name)
    changes = []
    for step in range(1200):
        good, bad = (1.0, 0.0) if 300 <= step < 330 or step >= 700 else (0.0, 1.0)
        model.learn_one(row(good, bad), 0.0)
        changes.append(model.leader_changes)
    assert changes[699] == 0
    assert changes[-1] == 1


def test_experts_that_say_the_same_have_no_leader() -> None:
    model = ExpertMix([Column("one"), Column("two")])
    for step in range(400):
        model.learn_one(row(0.0, 0.0 if step < 200 else 2.0), 1.0 if step < 200 else 2.0)
    assert model.leader_changes == 0
    assert model.weights["two"] > 0.9


def test_history_moves_the_weights_and_a_costly_expert_learns_from_one_label_in_so_many() -> None:
    rows, labels = stream(400, 1)
    taught: list[str] = []

    class Costly(GivenBaseline):
        name = "costly"

        def learn_one(self, window: Window, label: float) -> None:
            taught.append(self.name)

        def fit(self, windows: list[Window], labels: list[float]) -> None:
            taught.clear()

    model = ExpertMix([Costly(), RiverTree(SCHEMA, Randomness(1))], learn_every={"costly": 8})
    places = range(WINDOW, 400)
    model.fit([window_at(rows, place) for place in places], [labels[place] for place in places])
    assert len(taught) == (len(places) // 4) // 8
    assert model.weights["river_tree"] > 0.9
    again = rebuild("mix", ExpertMix([GivenBaseline()], learn_every={"costly": 8}).state())
    assert again.state()["learn_every"] == {"costly": 8}


def test_a_frozen_expert_stays_what_it_was() -> None:
    rows, labels = stream(400, 1)
    tree = RiverTree(SCHEMA, Randomness(1))
    walk(tree, rows, labels, WINDOW, 300)
    frozen = Frozen(tree)
    before = frozen.predict_one(window_at(rows, 350))
    walk(frozen, rows, labels, 300, 400)
    assert frozen.predict_one(window_at(rows, 350)) == before
    assert rebuild("frozen", frozen.state()).predict_one(window_at(rows, 350)) == before


def test_experts_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ModelError, match="different names"):
        ExpertMix([GivenBaseline(), GivenBaseline()])
    with pytest.raises(ModelError, match="different names"):
        ExpertMix([])
    with pytest.raises(ModelError, match="no rule"):
        ExpertMix([GivenBaseline()], rule="vote")
    with pytest.raises(ModelError, match="at least one"):
        ExpertMix([GivenBaseline()], learn_every={"given_baseline": 0})
    with pytest.raises(ModelError, match="more or less often"):
        ExpertMix([GivenBaseline()], learn_every={"given_baseline": 2}).restore(
            ExpertMix([GivenBaseline()]).state()
        )
    with pytest.raises(ModelError, match="3 experts, this one 1"):
        ExpertMix([GivenBaseline()]).restore(mix(1).state())


def test_an_expert_that_forecasts_no_number_is_named() -> None:
    with pytest.raises(ModelError, match="two forecast no number"):
        ExpertMix([Column("one"), Column("two")]).predict_one(row(1.0, math.nan))
