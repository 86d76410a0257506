from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError, ModelError
from core.reasons import Refusal
from core.seams import Randomness
from models.bid_policy import SHARES_PPM
from models.bid_report import BidRow, Played, always, bid_report, draw_log, judge, play
from models.bootstrap import block_length
from models.off_policy import PolicyValue, policy_value
from models.recorded_auctions import Auctions, block_auctions


def make_auctions(count: int = 400, seed: int = 1, apart: int = 1) -> Auctions:
    random = np.random.default_rng(seed)
    return Auctions(
        name="made up",
        source="none",
        moment=apart * np.arange(count, dtype=np.int64),
        value=np.exp(random.normal(0.2, 0.5, count)),
        rival=np.exp(random.normal(0.0, 0.3, count)),
        scale=np.ones(count),
        first_judged=count // 2,
    )


@pytest.fixture(scope="module")
def report(data_root: Path) -> dict[tuple[str, str], BidRow]:
    return {(row.auctions, row.policy): row for row in bid_report(data_root)}


@pytest.fixture(scope="module")
def blocks(data_root: Path) -> Played:
    auctions = block_auctions(data_root, np.random.default_rng(2))
    short = slice(0, 4000)
    cut = {
        field.name: getattr(auctions, field.name)[short] for field in fields(auctions) if _is_column(field)
    }
    return play(replace(auctions, **cut, first_judged=2000), Randomness(2)).since(2000)


def _is_column(field: object) -> bool:
    return getattr(field, "name", "") in ("moment", "value", "rival", "scale")


def test_the_future_changes_no_bid() -> None:
    one = make_auctions()
    later = np.arange(len(one.moment)) >= 250
    two = replace(one, rival=np.where(later, one.rival[::-1], one.rival))
    first, second = (play(each, Randomness(1)) for each in (one, two))
    for name in ("forecast", "told", "fitted", "alone"):
        assert np.array_equal(getattr(first, name)[:251], getattr(second, name)[:251])


def test_auctions_of_one_moment_teach_each_other_nothing() -> None:
    together = make_auctions(apart=0)
    forecast = play(together, Randomness(1)).forecast
    alike = play(replace(together, rival=together.rival[::-1].copy()), Randomness(1)).forecast
    assert np.array_equal(forecast, alike)


def test_the_learned_bid_beats_each_fixed_share_on_made_up_auctions() -> None:
    rows = {row.policy: row for row in judge(make_auctions(2000), Randomness(1))}
    assert rows["learned"].gain.lower > 0
    assert all(row.kept.value <= row.foresight for row in rows.values())


def test_on_recorded_blocks_the_learned_bid_beats_each_fixed_share(
    report: dict[tuple[str, str], BidRow],
) -> None:
    for policy in ("learned", "learned, log-normal", "learned, own outcomes"):
        assert report["blocks", policy].gain.lower > 0
    assert report["blocks", "learned"].kept.value > report["blocks", "learned, log-normal"].kept.value


def test_a_bound_stands_above_each_policy_and_all_auctions_are_told_of(
    report: dict[tuple[str, str], BidRow],
) -> None:
    assert {auctions for auctions, _ in report} == {"blocks", "arbitrage", "builders"}
    for row in report.values():
        assert 0 <= row.kept.lower <= row.kept.value <= row.kept.upper
        assert row.kept.value <= row.foresight
        assert row.judged >= 30


def test_thirty_slots_are_too_few_for_a_log_to_tell(report: dict[tuple[str, str], BidRow]) -> None:
    builders = [row for row in report.values() if row.auctions == "builders"]
    assert all(isinstance(row.kept_from_log, Refusal) for row in builders)


def test_logs_of_recorded_auctions_tell_what_other_policies_keep(blocks: Played) -> None:
    count, random = len(blocks.reward), np.random.default_rng(3)
    policies = [blocks.told, *(always(SHARES_PPM.index(ppm), count) for ppm in (700_000, 800_000))]
    errors: list[list[float]] = []
    held = []
    for _ in range(40):
        log = draw_log(blocks.told, blocks.reward, random)
        found = []
        for policy in policies:
            truth = float((policy * blocks.reward).sum(axis=1).mean())
            value = policy_value(log, policy, blocks.forecast, random, length=block_length(count, 1))
            assert isinstance(value, PolicyValue)
            found.append(value.doubly_robust.value - truth)
            held.append(value.doubly_robust.holds(truth))
        errors.append(found)
    bias = np.mean(errors, axis=0) / (np.std(errors, axis=0) / np.sqrt(len(errors)))
    assert np.abs(bias).max() < 3.5
    assert np.mean(held) >= 0.95 - 0.03


@pytest.mark.parametrize(
    "change",
    [
        {"value": np.zeros(400)},
        {"rival": np.full(400, np.nan)},
        {"scale": np.ones(3)},
        {"first_judged": 400},
        {"moment": np.arange(400)[::-1]},
    ],
)
def test_auctions_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        replace(make_auctions(), **change)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mevboost_blocks"):
        bid_report(tmp_path)
