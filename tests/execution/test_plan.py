"""Decisions and plans: the arithmetic, and that nothing refused becomes a transaction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from eth_abi import decode
from hypothesis import given
from hypothesis import strategies as st

from chain.networks import load_network
from core.errors import ExecutionError
from core.reasons import Reason
from core.seams import Ids
from execution.command import Funding, Verdict
from execution.encode import ROUTE_TYPE
from execution.plan import MAX_TRANSACTION_GAS, GasTable, decide, gas_limit_for, make_plan, shape_of
from execution.risk.checks import RiskLimits, standard_chain


class Share:
    """Bids a fixed share of what is left after gas."""

    def __init__(self, share: float = 0.5, chance: float = 0.8) -> None:
        self.share, self.chance = share, chance

    def bid(self, gross_profit: int, gas_cost: int) -> tuple[int, float]:
        return int(max(gross_profit - gas_cost, 0) * self.share), self.chance


RISK = standard_chain(RiskLimits(10**14, 1_000, 0, Path("/nonexistent/STOP")))


def decided(case, **changes):
    terms = {
        "ids": Ids(), "policy": Share(), "risk": RISK,
        "gas_estimate": 200_000, "base_fee": 10**9, "head": 99,
    } | changes  # fmt: skip
    return decide(case.opportunity(), **terms)


def planned(case, decision, **changes):
    terms = {
        "funding": Funding.FIRST_POOL, "executor": case.executor,
        "base_fee": 10**9, "max_slippage_ppm": 1_000,
    } | changes  # fmt: skip
    return make_plan(decision, case.specs, **terms)


@given(
    gas=st.integers(21_000, 10**7),
    base_fee=st.integers(0, 10**12),
    share=st.floats(0, 1),
    chance=st.floats(0, 1),
)
def test_the_expected_net_is_the_chance_times_what_is_left(case, gas, base_fee, share, chance):
    decision = decided(case, policy=Share(share, chance), gas_estimate=gas, base_fee=base_fee)
    assert decision.gas_cost == gas * base_fee
    left = decision.opportunity.gross_profit - decision.gas_cost - decision.bid
    assert decision.expected_net == chance * left
    assert decision.target_block == 100
    if decision.approved:
        assert left >= 10**14


def test_a_decision_keeps_every_verdict_and_takes_the_next_id(case):
    ids = Ids()
    first, second = decided(case, ids=ids), decided(case, ids=ids, head=150)
    assert (first.decision_id, second.decision_id) == ("decision-000001", "decision-000002")
    assert first.approved
    assert not second.approved
    assert [verdict.reason for verdict in second.verdicts if verdict.reason] == [Reason.STATE_STALE]
    assert len(second.verdicts) == len(RISK.checks)


@pytest.mark.parametrize("answer", [(-1, 0.5), (0, -0.1), (0, 1.1), (0, float("nan"))])
def test_nonsense_of_a_policy_is_refused(case, answer):
    class Nonsense:
        def bid(self, gross_profit: int, gas_cost: int) -> tuple[int, float]:
            return answer

    with pytest.raises(ExecutionError, match="nonsense"):
        decided(case, policy=Nonsense())


def test_the_contract_is_told_what_the_decision_says(case):
    decision = decided(case)
    plan = planned(case, decision)
    (route,) = decode([ROUTE_TYPE], plan.calldata[4:])
    token, amount_in, min_profit, bid, target, funding, last_amount_in, hops = route
    assert token == case.weth
    assert (amount_in, bid, target, funding) == (10**19, decision.bid, 100, 1)
    assert last_amount_in == 0
    assert min_profit == plan.min_profit == 10**17 * 999 // 1_000 - decision.bid
    assert len(hops) == 2
    assert (plan.max_fee_per_gas, plan.bid, plan.target_block) == (10**9, decision.bid, 100)
    assert decision.gas_estimate < plan.gas_limit <= MAX_TRANSACTION_GAS


def test_a_last_pool_is_told_its_input_and_nothing_else_changes(case):
    decision = decided(case)
    first, last = (planned(case, decision, funding=f) for f in (Funding.FIRST_POOL, Funding.LAST_POOL))
    (before,), (after,) = (decode([ROUTE_TYPE], plan.calldata[4:]) for plan in (first, last))
    assert after[5:7] == (2, decision.opportunity.hops[-1].amount_in)
    assert (after[:5], after[7]) == (before[:5], before[7])
    assert (last.min_profit, last.funding) == (first.min_profit, Funding.LAST_POOL)


@given(ppm=st.integers(0, 900_000), share=st.floats(0, 1))
def test_what_the_contract_must_keep_covers_gas_whenever_the_checks_passed(case, ppm, share):
    risk = standard_chain(RiskLimits(0, ppm, 0, Path("/nonexistent/STOP")))
    decision = decided(case, risk=risk, policy=Share(share))
    if decision.approved:
        assert planned(case, decision, max_slippage_ppm=ppm).min_profit >= decision.gas_cost


def test_the_gas_limit_never_exceeds_what_a_transaction_may_have(case):
    decision = decided(case, gas_estimate=16_000_000, base_fee=1)
    assert planned(case, decision).gas_limit == MAX_TRANSACTION_GAS


@given(before_refund=st.integers(21_000, MAX_TRANSACTION_GAS), refunded=st.floats(0, 1))
def test_a_gas_limit_allows_for_the_largest_refund_and_never_exceeds_the_cap(before_refund, refunded):
    gas_used = before_refund - int(before_refund // 5 * refunded)
    assert before_refund <= gas_limit_for(gas_used) <= MAX_TRANSACTION_GAS


def test_no_estimate_exceeds_what_a_transaction_may_have():
    assert GasTable().estimate((Funding.FIRST_POOL, ("uniswap_v3",) * 1_000)) == MAX_TRANSACTION_GAS


def test_the_cap_is_that_of_the_chain():
    assert load_network("ethereum").transaction_gas_cap.gas == MAX_TRANSACTION_GAS


def test_a_refused_decision_gets_no_plan(case):
    refused = replace(decided(case), verdicts=(Verdict("kill_switch", False, Reason.KILL_SWITCH, ""),))
    with pytest.raises(ExecutionError, match="no plan") as caught:
        planned(case, refused)
    assert caught.value.fields["refusals"] == ["kill_switch"]


def test_a_bid_that_slippage_would_not_leave_gets_no_plan(case):
    decision = replace(decided(case), bid=10**17)
    with pytest.raises(ExecutionError, match="bid less"):
        planned(case, decision)


def test_gas_is_learned_per_shape(case):
    table = GasTable()
    short = shape_of(case.opportunity(case.pair, case.pool), case.specs, Funding.FIRST_POOL)
    long = shape_of(case.opportunity(case.pair, case.vault_id), case.specs, Funding.FIRST_POOL)
    before = table.estimate(long)
    table.observe(short, 199_000)
    assert table.estimate(short) == 199_000
    assert table.estimate(long) == before


def test_unknown_pools_and_families_are_errors_that_say_what_to_do(case):
    with pytest.raises(ExecutionError, match="load its description"):
        shape_of(case.opportunity("0xunknown", case.pair), case.specs, Funding.FIRST_POOL)
    with pytest.raises(ExecutionError, match="start value"):
        GasTable().estimate((Funding.FIRST_POOL, ("curve",)))
