from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from core.errors import ModelError
from core.reasons import Reason, Refusal
from models.intervals import Estimate
from models.off_policy import BidLog, PolicyValue, effective_rows, policy_gain, policy_value

SHARES = np.array([0.2, 0.4, 0.6, 0.8])
ROWS = 400


@dataclass(frozen=True)
class World:
    """Auctions drawn from a known law: rows see a context that moves the rivals, and the expected rewards."""

    log: BidLog
    policy: np.ndarray
    expected: np.ndarray

    @property
    def truth(self) -> float:
        return float((self.policy * self.expected).sum(axis=1).mean())


def make_world(random: np.random.Generator, rows: int = ROWS, context: np.ndarray | None = None) -> World:
    """Return a log of a policy that leans on low shares, and a policy that leans on high ones."""
    strong = (random.random(rows) < 0.5) if context is None else context
    chance = np.where(strong[:, None], SHARES**2, np.sqrt(SHARES))
    propensities = np.where(strong[:, None], [0.4, 0.3, 0.2, 0.1], [0.3, 0.3, 0.2, 0.2])
    action = (np.cumsum(propensities, axis=1) > random.random((rows, 1))).argmax(axis=1)
    won = random.random(rows) < chance[np.arange(rows), action]
    policy = np.where(strong[:, None], [0.1, 0.2, 0.3, 0.4], [0.0, 0.5, 0.5, 0.0])
    log = BidLog(propensities, action, won * (1 - SHARES[action]))
    return World(log, policy, chance * (1 - SHARES))


def estimates(world: World, model: np.ndarray, seed: int) -> PolicyValue:
    value = policy_value(world.log, world.policy, model, np.random.default_rng(seed))
    assert isinstance(value, PolicyValue)
    return value


@pytest.fixture(scope="module")
def trials() -> list[tuple[float, PolicyValue]]:
    """Estimates of 200 logs of the same auctions, with a model of rewards that is wrong everywhere."""
    random = np.random.default_rng(7)
    context = random.random(ROWS) < 0.5
    made = []
    for seed in range(200):
        world = make_world(random, context=context)
        made.append((world.truth, estimates(world, 0.5 * world.expected + 0.1, seed)))
    return made


@pytest.mark.parametrize("name", ["weighted", "self_normalised", "doubly_robust"])
def test_estimates_have_no_bias_and_intervals_hold_as_often_as_they_say(
    name: str, trials: list[tuple[float, PolicyValue]]
) -> None:
    errors = np.array([getattr(value, name).value - truth for truth, value in trials])
    held = [getattr(value, name).holds(truth) for truth, value in trials]
    assert abs(errors.mean()) < 3 * errors.std() / np.sqrt(len(errors))
    assert np.mean(held) >= 0.95 - 0.03


def test_the_guaranteed_interval_always_holds(trials: list[tuple[float, PolicyValue]]) -> None:
    assert all(value.guaranteed.holds(truth) for truth, value in trials)


def test_a_good_model_makes_the_estimate_steadier() -> None:
    random = np.random.default_rng(8)
    worlds = [make_world(random) for _ in range(5)]
    for seed, world in enumerate(worlds):
        value = estimates(world, world.expected, seed)
        width = value.doubly_robust.upper - value.doubly_robust.lower
        assert width < value.weighted.upper - value.weighted.lower


def test_the_policy_that_logged_is_worth_what_it_earned() -> None:
    world = make_world(np.random.default_rng(9))
    value = policy_value(
        world.log, world.log.propensities, np.zeros((ROWS, 4)), np.random.default_rng(1), length=20
    )
    assert isinstance(value, PolicyValue)
    assert value.effective_rows == pytest.approx(ROWS)
    for estimate in (value.weighted, value.self_normalised, value.doubly_robust):
        assert estimate.value == pytest.approx(world.log.reward.mean())


def test_a_gain_holds_the_true_difference_and_turns_its_sign_with_the_sides() -> None:
    random = np.random.default_rng(10)
    context = random.random(ROWS) < 0.5
    other = np.tile([0.25, 0.25, 0.25, 0.25], (ROWS, 1))
    held = []
    for seed in range(100):
        world = make_world(random, context=context)
        truth = world.truth - float((other * world.expected).sum(axis=1).mean())
        gain, loss = (
            policy_gain(world.log, one, two, world.expected, np.random.default_rng(seed))
            for one, two in ((world.policy, other), (other, world.policy))
        )
        assert isinstance(gain, Estimate)
        assert isinstance(loss, Estimate)
        assert gain.value == pytest.approx(-loss.value)
        held.append(gain.holds(truth))
    assert np.mean(held) >= 0.95 - 0.03


def test_a_policy_that_does_what_was_never_tried_is_refused() -> None:
    world = make_world(np.random.default_rng(11))
    tried = world.log.propensities.copy()
    row = int(np.flatnonzero((world.log.action != 3) & (world.policy[:, 3] > 0))[0])
    tried[row] = [0.4, 0.3, 0.3, 0.0]
    log = BidLog(tried, world.log.action, world.log.reward)
    model, random = world.expected, np.random.default_rng(1)
    for answer in (
        policy_value(log, world.policy, model, random),
        policy_gain(log, log.propensities, world.policy, model, random),
    ):
        assert isinstance(answer, Refusal)
        assert answer.reason is Reason.NO_OVERLAP
        assert "1 of 400" in answer.detail


def test_a_log_that_says_too_little_is_refused() -> None:
    world = make_world(np.random.default_rng(12), rows=40)
    always = np.tile([0.0, 0.0, 0.0, 1.0], (40, 1))
    answer = policy_value(world.log, always, world.expected, np.random.default_rng(1))
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.FEW_EFFECTIVE_ROWS


def test_effective_rows_lie_between_one_and_all() -> None:
    assert effective_rows(np.ones(7)) == 7
    assert effective_rows(np.array([3.0, 0.0, 0.0])) == 1
    assert effective_rows(np.zeros(3)) == 0


HALF = np.full((2, 2), 0.5)


@pytest.mark.parametrize(
    ("propensities", "action", "reward"),
    [
        (HALF, [0, 1], [0.5, 1.5]),
        (HALF, [0, 1], [0.5, np.nan]),
        (HALF, [0, 1], [0.5, -0.1]),
        (HALF, [0, 2], [0.5, 0.5]),
        (HALF, [0, -1], [0.5, 0.5]),
        (HALF, [0], [0.5]),
        (np.array([[1.0, 0.0], [1.0, 0.0]]), [0, 1], [0.5, 0.5]),
        (np.full((2, 2), 0.6), [0, 1], [0.5, 0.5]),
        (np.array([[1.5, -0.5], [0.5, 0.5]]), [0, 1], [0.5, 0.5]),
        (np.full((2, 2), np.nan), [0, 1], [0.5, 0.5]),
        (np.empty((0, 2)), [], []),
        (np.array([0.5, 0.5]), [0, 1], [0.5, 0.5]),
    ],
)
def test_logs_that_cannot_be_are_refused(
    propensities: np.ndarray, action: list[int], reward: list[float]
) -> None:
    with pytest.raises(ModelError):
        BidLog(propensities, np.array(action, dtype=np.int64), np.array(reward))


def test_tables_that_do_not_fit_the_log_are_refused() -> None:
    world, random = make_world(np.random.default_rng(13)), np.random.default_rng(1)
    with pytest.raises(ModelError, match="as many rows"):
        policy_value(world.log, world.policy[:5], world.expected, random)
    with pytest.raises(ModelError, match="finite number"):
        policy_value(world.log, world.policy, np.full((ROWS, 4), np.nan), random)
