"""Who can fund which route."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ExecutionError
from core.reasons import Reason, Refusal
from execution.command import Funding
from execution.encode import encode_execute, venue_refusal
from execution.flash import FirstPoolSwap, LastPoolSwap, VaultLoan, choose_funding

VAULT, FIRST, LAST = Funding.BALANCER_V2_VAULT, Funding.FIRST_POOL, Funding.LAST_POOL
PLENTY = 10**24


def test_a_route_outside_the_vault_borrows_from_it(case):
    assert choose_funding(case.opportunity(case.pair, case.pool), case.specs, PLENTY) is VAULT


def test_a_route_through_the_vault_is_funded_by_its_first_pool(case):
    for first in (case.pair, case.pool):
        route = case.opportunity(first, case.vault_id)
        assert choose_funding(route, case.specs, PLENTY) is FIRST
        refusal = VaultLoan(PLENTY).fee(route, case.specs)
        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.VAULT_LOCKED_BY_ROUTE


def test_a_route_that_starts_in_the_vault_is_funded_by_its_last_pool(case):
    for last in (case.pair, case.pool):
        route = case.opportunity(case.vault_id, last)
        assert choose_funding(route, case.specs, PLENTY) is LAST
        refusal = FirstPoolSwap().fee(route, case.specs)
        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.VAULT_LOCKED_BY_ROUTE


def test_a_route_that_starts_and_ends_in_the_vault_is_refused_and_says_why(case):
    other = "0x" + "b4" * 32
    specs = {**case.specs, other: case.specs[case.vault_id]}
    for route in (
        case.opportunity(case.vault_id, other),
        case.opportunity(case.vault_id, case.pair, case.pool, other),
    ):
        refusal = choose_funding(route, specs, PLENTY)
        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.VAULT_LOCKED_BY_ROUTE
        whose_loan, first, last = refusal.detail.split("; ")
        assert whose_loan.startswith(f"pool {case.vault_id} lives in the vault, whose loan")
        assert first.startswith(f"the first pool {case.vault_id} lives in the vault")
        assert last.startswith(f"the last pool {other} lives in the vault")


def test_a_pool_that_a_route_uses_twice_does_not_fund_it(case):
    twice = case.opportunity(case.pair, case.pool, case.pair)
    for source in (FirstPoolSwap(), LastPoolSwap()):
        refusal = source.fee(twice, case.specs)
        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.POOL_LOCKED_BY_ROUTE
    assert choose_funding(twice, case.specs, PLENTY) is VAULT
    refusal = choose_funding(twice, case.specs, vault_balance=0)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.POOL_LOCKED_BY_ROUTE
    assert "the vault holds 0" in refusal.detail
    # the first pool comes again, the last one does not
    assert choose_funding(case.opportunity(case.pair, case.pair, case.pool), case.specs, 0) is LAST


FAMILIES = st.lists(st.sampled_from(["pair", "pool", "vault_id"]), min_size=1, max_size=4)


@given(names=FAMILIES, balance=st.sampled_from([0, PLENTY]), share=st.integers(0, 2))
def test_what_is_chosen_can_be_encoded_and_a_refusal_means_that_nothing_can(case, names, balance, share):
    route = case.opportunity(*(getattr(case, name) for name in names))
    funding = choose_funding(route, case.specs, balance, share)
    able = {
        VAULT: "vault_id" not in names and balance > 0,
        FIRST: names[0] != "vault_id" and names.count(names[0]) == 1,
        LAST: names[-1] != "vault_id" and names.count(names[-1]) == 1,
    }
    if share > 0 and (able[FIRST] or able[LAST]):
        able[VAULT] = False
    assert funding == next((source for source, can in able.items() if can), funding)
    assert isinstance(funding, Refusal) == (not any(able.values()))
    if isinstance(funding, Funding) and len(names) % 2 == 0:
        terms = {"min_profit": 0, "bid": 0, "target_block": 1}
        assert encode_execute(route, case.specs, funding=funding, **terms)


def test_a_vault_that_holds_too_little_is_passed_over_at_one_unit(case):
    route = case.opportunity(case.pair, case.pool, amount_in=10**19)
    assert choose_funding(route, case.specs, 10**19) is VAULT
    assert choose_funding(route, case.specs, 10**19 - 1) is FIRST
    refusal = VaultLoan(10**19 - 1).fee(route, case.specs)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_FLASH_LIQUIDITY


def test_a_loan_with_a_fee_is_never_taken(case):
    assert choose_funding(case.opportunity(case.pair, case.pool), case.specs, PLENTY, 1) is FIRST


@given(amount=st.integers(1, 10**24), share=st.integers(0, 10**16))
def test_the_vaults_fee_is_rounded_up(case, amount, share):
    fee = VaultLoan(PLENTY, share).fee(case.opportunity(amount_in=amount), case.specs)
    assert isinstance(fee, int)
    # the vault's own rule: nothing for nothing, else one more than the floor of one less
    assert fee == (0 if share == 0 else (amount * share - 1) // 10**18 + 1)


def test_a_pool_of_the_route_costs_nothing_extra(case):
    assert FirstPoolSwap().fee(case.opportunity(case.pair, case.vault_id), case.specs) == 0
    assert LastPoolSwap().fee(case.opportunity(case.vault_id, case.pair), case.specs) == 0


def test_an_unknown_pool_is_an_error_that_says_what_to_do(case):
    with pytest.raises(ExecutionError, match="load its description"):
        choose_funding(case.opportunity("0xunknown", case.pair), case.specs, PLENTY)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"family": "curve_stable"}, "no venue for curve_stable"),
        ({"fees": (3000, 5000)}, "a fee for each token"),
    ],
)
def test_a_route_that_the_contract_has_no_venue_for_is_refused_with_a_reason(case, change, said):
    route = case.opportunity(case.pair, case.pool)
    assert venue_refusal(route, case.specs) is None
    refusal = venue_refusal(route, {**case.specs, case.pair: replace(case.specs[case.pair], **change)})
    assert refusal is not None
    assert refusal.reason is Reason.FAMILY_NOT_SUPPORTED
    assert said in refusal.detail
