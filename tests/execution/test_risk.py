"""Risk checks: the numbers at which they turn, and that all of them are always asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.reasons import Reason
from core.settings import RiskSettings
from execution.command import Settlement
from execution.risk.chain import Candidate, RiskChain
from execution.risk.checks import (
    FreshnessCheck,
    KillSwitchCheck,
    NetProfitCheck,
    RiskLimits,
    SlippageCheck,
    profit_after_slippage,
    standard_chain,
)
from scoring.opportunity import Certificate, Hop, Opportunity

wei = st.integers(0, 10**24)


def candidate(
    gross: int = 10**18, gas: int = 0, bid: int = 0, state: int = 100, head: int = 100
) -> Candidate:
    hops = (Hop("0x1", "a", "b", 10**18, 5), Hop("0x2", "b", "a", 5, 10**18 + gross))
    opportunity = Opportunity(
        "c", "a", hops, 10**18, 10**18 + gross, gross, Certificate(gross, 0, state), state, 0
    )
    return Candidate(opportunity, gas, bid, head)


def limits(tmp_path: Path, **changes: int) -> RiskLimits:
    return RiskLimits(
        **{
            "min_profit_wei": 10**14,
            "max_slippage_ppm": 1_000,
            "max_state_age_blocks": 0,
            "kill_switch_file": tmp_path / "STOP",
            **changes,
        }
    )


@given(gross=wei, gas=wei, bid=wei, least=wei)
def test_net_profit_passes_exactly_when_enough_is_left(gross, gas, bid, least):
    verdict = NetProfitCheck(least).check(candidate(gross, gas, bid))
    assert verdict.ok == (gross - gas - bid >= least)
    assert verdict.reason is (None if verdict.ok else Reason.PROFIT_BELOW_COST)


def test_net_profit_turns_at_one_wei():
    assert NetProfitCheck(10).check(candidate(110, 60, 40)).ok
    assert not NetProfitCheck(10).check(candidate(109, 60, 40)).ok


@given(gross=wei, gas=wei, bid=wei, ppm=st.integers(0, 10**6))
def test_slippage_passes_exactly_when_the_worst_tolerated_outcome_covers_its_costs(gross, gas, bid, ppm):
    verdict = SlippageCheck(ppm).check(candidate(gross, gas, bid))
    assert verdict.ok == ((gross * (10**6 - ppm)) // 10**6 >= gas + bid)
    assert verdict.reason is (None if verdict.ok else Reason.SLIPPAGE_TOO_LARGE)


def test_slippage_never_improves_a_loss():
    assert profit_after_slippage(-1, 500_000) == -1
    assert profit_after_slippage(0, 0) == 0


@pytest.mark.parametrize(
    ("state", "head", "limit", "ok"),
    [(100, 100, 0, True), (99, 100, 0, False), (99, 100, 1, True), (101, 100, 5, False)],
)
def test_freshness_wants_the_head_and_no_orphan(state, head, limit, ok):
    verdict = FreshnessCheck(limit).check(candidate(state=state, head=head))
    assert verdict.ok is ok
    assert verdict.reason is (None if ok else Reason.STATE_STALE)


def test_the_kill_switch_file_stops_and_its_removal_releases(tmp_path):
    check = KillSwitchCheck(tmp_path / "STOP")
    assert check.check(candidate()).ok
    (tmp_path / "STOP").touch()
    assert check.check(candidate()).reason is Reason.KILL_SWITCH
    (tmp_path / "STOP").unlink()
    assert check.check(candidate()).ok


def test_the_pulled_switch_stops_until_released(tmp_path):
    check = KillSwitchCheck(tmp_path / "no" / "such" / "folder" / "STOP")
    check.pull("gas spike")
    verdict = check.check(candidate())
    assert (verdict.ok, verdict.reason) == (False, Reason.KILL_SWITCH)
    assert "gas spike" in verdict.detail
    check.release()
    assert check.check(candidate()).ok


def test_a_switch_that_cannot_be_looked_up_counts_as_pulled(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert KillSwitchCheck(loop / "STOP").check(candidate()).reason is Reason.KILL_SWITCH


def test_every_check_is_asked_and_reported_in_order(tmp_path):
    (tmp_path / "STOP").touch()
    verdicts = standard_chain(limits(tmp_path)).run(candidate(gross=1, gas=5, state=90))
    assert [(verdict.check, verdict.reason) for verdict in verdicts] == [
        ("net_profit", Reason.PROFIT_BELOW_COST),
        ("slippage", Reason.SLIPPAGE_TOO_LARGE),
        ("freshness", Reason.STATE_STALE),
        ("revert_breaker", None),
        ("kill_switch", Reason.KILL_SWITCH),
    ]


def test_a_good_trade_passes_all(tmp_path):
    assert all(verdict.ok for verdict in standard_chain(limits(tmp_path)).run(candidate()))


def test_a_switch_that_someone_holds_is_used(tmp_path):
    held = KillSwitchCheck(tmp_path / "STOP")
    chain = standard_chain(limits(tmp_path), held)
    held.pull("test")
    assert not chain.run(candidate())[-1].ok


def test_limits_that_make_no_sense_are_all_named(tmp_path):
    with pytest.raises(ConfigError) as caught:
        limits(tmp_path, min_profit_wei=-1, max_slippage_ppm=2_000_000, max_reverts_in_a_row=0)
    assert len(caught.value.fields["problems"]) == 3


def test_limits_are_those_of_the_configuration(tmp_path):
    numbers = {
        "min_profit_wei": 1, "max_slippage_ppm": 2, "max_state_age_blocks": 3,
        "kill_switch_file": tmp_path / "STOP", "max_reverts_in_a_row": 5,
    }  # fmt: skip
    assert set(RiskSettings.model_fields) == set(numbers)
    assert RiskLimits.from_settings(RiskSettings(**numbers)) == RiskLimits(**numbers)


def settled(verdict: Reason, bundle: int = 1) -> Settlement:
    return Settlement(f"bundle-{bundle}", "d", verdict, "", 1, 0, 0, 0, 0, None)


def stops(chain: RiskChain) -> bool:
    return Reason.PAUSED in [verdict.reason for verdict in chain.run(candidate())]


@given(
    verdicts=st.lists(st.sampled_from([Reason.REVERTED, Reason.LANDED, Reason.OUTBID, Reason.LATE])),
    limit=st.integers(1, 4),
)
def test_trading_stops_for_good_after_reverts_in_a_row(tmp_path_factory, verdicts, limit):
    chain = standard_chain(limits(tmp_path_factory.getbasetemp(), max_reverts_in_a_row=limit))
    in_a_row, stopped = 0, False
    for bundle, verdict in enumerate(verdicts):
        chain.observe(settled(verdict, bundle))
        in_a_row = {Reason.REVERTED: in_a_row + 1, Reason.LANDED: 0}.get(verdict, in_a_row)
        stopped = stopped or in_a_row == limit
        assert stops(chain) == stopped


def test_a_revert_that_a_reorganisation_took_back_does_not_count(tmp_path):
    chain = standard_chain(limits(tmp_path, max_reverts_in_a_row=2))
    for bundle, verdict in [(1, Reason.REVERTED), (1, Reason.OUTBID), (2, Reason.REVERTED)]:
        chain.observe(settled(verdict, bundle))
    assert not stops(chain)
    chain.observe(settled(Reason.REVERTED, 2))  # the same one, settled again
    assert not stops(chain)
    chain.observe(settled(Reason.REVERTED, 3))
    assert stops(chain)
