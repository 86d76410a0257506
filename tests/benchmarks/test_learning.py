"""The figures of learning: every row exists at the smallest sizes, and what is measured is what is said."""

from __future__ import annotations

import math
from mmap import mmap

import pytest

from benchmarks import learning_recorded, learning_steps
from benchmarks.harness import Row
from benchmarks.learning_features import feature_rows
from benchmarks.learning_market import EVENTS_PER_BLOCK, POOLS, TOKENS, WatchedMarket
from benchmarks.learning_memory import REACH_MIB, Growth, grown_by, growth_rows
from benchmarks.learning_models import model_rows
from benchmarks.learning_steps import FeatureRun, LearningRun, LstmRun
from benchmarks.learning_tape import WalkedTape, walk
from benchmarks.registry import BENCHMARKS
from market.state import MarketState
from models.learner import PrequentialLearner


def silent(_text: str) -> None:
    """Tell nobody."""


@pytest.fixture(scope="module")
def tape() -> WalkedTape:
    return walk(60)


@pytest.fixture(scope="module")
def figures(tape: WalkedTape) -> list[Row]:
    return [*feature_rows(silent, tape), *model_rows(silent, tape, calls=3, steps=2)]


def test_the_suite_is_registered() -> None:
    assert "learning" in BENCHMARKS


def test_every_row_has_a_name_of_its_own_and_a_finite_positive_value(figures: list[Row]) -> None:
    names = [row.what for row in figures]
    assert len(set(names)) == len(names)
    assert all(math.isfinite(row.value) and row.value > 0 for row in figures)


@pytest.mark.parametrize(
    ("start", "reach", "count"),
    [
        ("feature update of a block", "<= 200", 2),
        ("batch of", ">= 100000", 2),
        ("LSTM prediction without torch", "<= 60", 2),
        ("LSTM online step", "<= 5", 2),
        ("river_", "<= 100", 2),
    ],
)
def test_what_should_be_reached_is_held_against_its_bound(
    figures: list[Row], start: str, reach: str, count: int
) -> None:
    assert sum(row.what.startswith(start) and row.reach == reach for row in figures) == count


def test_a_ratio_names_what_it_is_taken_against(figures: list[Row]) -> None:
    ratios = [row for row in figures if row.unit == "x"]
    assert ratios
    assert all(row.baseline for row in ratios)


def test_batches_are_the_streams_rows(figures: list[Row]) -> None:
    equal = [row for row in figures if "to the bit" in row.what]
    assert [row.ok for row in equal] == [True, True]


def test_the_market_has_fifty_pools_and_blocks_as_busy_as_it_says() -> None:
    market = WatchedMarket(3)
    blocks = [block for block, _, _ in market.seen(120)]
    assert len(market.pools) == POOLS
    traded = [len({log.transaction_index for log in block.logs}) for block in blocks]
    assert EVENTS_PER_BLOCK / 2 < sum(traded) / len(traded) < EVENTS_PER_BLOCK
    state = MarketState(market.pools, TOKENS, market.head)
    for block in blocks:
        assert len(state.apply(block).events) == len(block.logs)


def test_the_same_seed_gives_the_same_tape() -> None:
    assert list(WatchedMarket(3).seen(20)) == list(WatchedMarket(3).seen(20))


@pytest.mark.parametrize("run", [FeatureRun, LearningRun, LstmRun])
def test_a_long_run_can_be_walked(run: type[FeatureRun | LearningRun | LstmRun]) -> None:
    grown = grown_by(run().step, 30)
    assert grown.last > 0
    assert grown.seconds > 0


def test_the_learner_that_is_measured_unlearns_blocks_and_sees_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken_back: list[int] = []
    rollback = PrequentialLearner.rollback

    def listening(learner: PrequentialLearner, to_number: int) -> None:
        taken_back.append(to_number)
        rollback(learner, to_number)

    monkeypatch.setattr(PrequentialLearner, "rollback", listening)
    monkeypatch.setattr(learning_steps, "REORGANISED_EVERY", 20)
    grown_by(LearningRun().step, 70)
    assert taken_back == [16, 36, 56]


def test_memory_that_is_never_given_back_falls_short() -> None:
    kept: list[mmap] = []

    def keep(_number: int) -> None:
        # pages of its own: what the process freed before cannot hide them
        kept.append(mmap(-1, 2**20))
        kept[-1].write(b"\1" * 2**20)

    grown = grown_by(keep, 20)
    assert grown.last - grown.first > REACH_MIB
    assert growth_rows("leak", grown, 20)[0].ok is False
    assert growth_rows("flat", Growth(100.0, 100.5, 1.0), 20)[0].ok is True


def test_without_recorded_history_a_row_says_why_the_day_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning_recorded, "find_data_root", lambda _settings: None)
    (row,) = learning_recorded.recorded_rows(silent)
    assert "no recorded history" in row.what
    assert row.ok is None
