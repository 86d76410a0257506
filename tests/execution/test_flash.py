"""Who can fund which route."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ExecutionError
from core.reasons import Reason, Refusal
from execution.command import Funding
from execution.flash import FirstPoolSwap, VaultLoan, choose_funding

VAULT, FIRST = Funding.BALANCER_V2_VAULT, Funding.FIRST_POOL
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


def test_a_route_that_starts_in_the_vault_is_refused(case):
    refusal = choose_funding(case.opportunity(case.vault_id, case.pair), case.specs, PLENTY)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.VAULT_LOCKED_BY_ROUTE


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


def test_the_first_pool_costs_nothing_extra(case):
    assert FirstPoolSwap().fee(case.opportunity(case.pair, case.vault_id), case.specs) == 0


def test_an_unknown_pool_is_an_error_that_says_what_to_do(case):
    with pytest.raises(ExecutionError, match="load its description"):
        choose_funding(case.opportunity("0xunknown", case.pair), case.specs, PLENTY)
