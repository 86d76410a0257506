"""An interval of a skill holds the true skill as often as it says, also where errors cling together."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import models.bootstrap
from core.errors import ModelError
from models.bootstrap import block_length, bootstrap_skill, skill_of


def clinging(random: np.random.Generator, count: int, memory: float) -> NDArray[np.float64]:
    """Return an autoregressive series of mean zero and variance one."""
    noise = random.normal(0, np.sqrt(1 - memory * memory), count)
    series = np.empty(count)
    last = random.normal()
    for place in range(count):
        last = memory * last + noise[place]
        series[place] = last
    return series


def false_alarms(memory: float, length: int, repeats: int = 150, count: int = 1000) -> float:
    """Return how often two forecasters that are equally good are told apart."""
    random = np.random.default_rng(5)
    told = 0
    for _ in range(repeats):
        base = 3 + 0.2 * clinging(random, count, memory)
        loss = 3 + 0.2 * clinging(random, count, memory)
        skill = bootstrap_skill(loss, base, random, length=length)
        told += not skill.lower <= 0 <= skill.upper
    return told / repeats


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.bootstrap, "RESAMPLES", 400)


@pytest.mark.usefixtures("few_resamples")
@pytest.mark.parametrize("memory", [0.0, 0.7])
def test_equally_good_forecasters_are_rarely_told_apart(memory: float) -> None:
    assert false_alarms(memory, block_length(1000, 0)) < 0.11


@pytest.mark.usefixtures("few_resamples")
def test_single_rows_would_call_luck_a_skill() -> None:
    assert false_alarms(0.7, length=1) > 0.2


def test_a_real_skill_is_found_and_its_interval_holds_it() -> None:
    random = np.random.default_rng(4)
    base = random.exponential(1.0, 5000)
    skill = bootstrap_skill(0.9 * base + 0.05 * random.normal(size=5000) ** 2, base, random, length=70)
    assert skill.clear
    assert skill.lower < 0.05 < skill.upper
    assert skill.value == pytest.approx(0.05, abs=0.005)


def test_a_perfect_baseline_can_only_be_matched() -> None:
    random = np.random.default_rng(7)
    nothing = np.zeros(100)
    assert bootstrap_skill(nothing, nothing, random, length=10).value == 0.0
    beaten = bootstrap_skill(np.ones(100), nothing, random, length=10)
    assert (beaten.value, beaten.lower, beaten.clear) == (-np.inf, -np.inf, False)
    rarely = nothing.copy()
    rarely[3] = 1.0
    assert bootstrap_skill(rarely, nothing, random, length=10).lower == -np.inf


def test_skill_is_a_share_of_the_baselines_loss() -> None:
    assert skill_of(np.array([1.0, 4.0]), np.array([2.0, 2.0])).tolist() == [0.5, -1.0]


def test_the_same_seed_gives_the_same_interval() -> None:
    base = np.random.default_rng(1).exponential(1.0, 300)
    one, two = (bootstrap_skill(base**2, base, np.random.default_rng(9), length=17) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("loss", "base", "length"),
    [([], [], 1), ([1.0], [1.0, 2.0], 1), ([1.0], [1.0], 2), ([1.0], [1.0], 0), ([np.nan], [1.0], 1)],
)
def test_losses_that_do_not_pair_are_refused(loss: list[float], base: list[float], length: int) -> None:
    with pytest.raises(ModelError):
        bootstrap_skill(np.array(loss), np.array(base), np.random.default_rng(1), length=length)
