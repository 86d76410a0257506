"""Weighted pools and the fixed-point power below them."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.log_exp_math import ONE, div_down, div_up, exp, ln, mul_down, mul_up, power, power_up
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.weighted import WeightedPool

SPEC = PoolSpec(
    "weighted", "0x01", "0xvault", ("0xa", "0xb", "0xc"), 2500, weights=(2 * 10**17, 3 * 10**17, 5 * 10**17)
)


def pool(*balances: int) -> WeightedPool:
    return WeightedPool(spec=SPEC, balances=balances or (10**21, 10**12, 10**11), decimals=(18, 6, 8))


@given(st.integers(ONE // 1000, 1000 * ONE), st.integers(ONE // 100, 5 * ONE))
def test_power_is_within_its_error_bound_of_the_true_power(x: int, y: int) -> None:
    with localcontext(prec=60):
        true = (Decimal(x) / ONE) ** (Decimal(y) / ONE)
        if not Decimal("1e-15") < true < Decimal("1e15"):
            return
        bound = true * Decimal("1e-14") + 2 * Decimal("1e-18")
        assert abs(Decimal(power(x, y)) / ONE - true) <= bound
        assert Decimal(power_up(x, y)) / ONE >= true


@given(st.integers(-40 * ONE, 50 * ONE))
def test_exponential_is_right_to_its_digits(x: int) -> None:
    with localcontext(prec=60):
        true = (Decimal(x) / ONE).exp()
        assert abs(Decimal(exp(x)) / ONE - true) <= true * Decimal("1e-15") + Decimal("2e-18")


@given(st.integers(1, 10**50))
def test_logarithm_is_right_to_its_digits(a: int) -> None:
    with localcontext(prec=80):
        true = (Decimal(a) / ONE).ln()
        # below one the contract inverts its argument first, which costs digits of tiny numbers' logs
        slack = Decimal("1e-16") if a > 10**17 else Decimal("1e-15") + Decimal(a) / Decimal(10**36)
        assert abs(Decimal(ln(a)) / ONE - true) <= slack


@given(st.integers(0, 2**128), st.integers(1, 2**128))
def test_rounding_goes_the_way_it_is_named(a: int, b: int) -> None:
    assert mul_down(a, b) * ONE <= a * b <= mul_up(a, b) * ONE
    assert div_down(a, b) * b <= a * ONE <= div_up(a, b) * b
    assert mul_up(a, b) - mul_down(a, b) <= 1
    assert div_up(a, b) - div_down(a, b) <= 1


@pytest.mark.parametrize(
    "call", [lambda: exp(131 * ONE), lambda: ln(0), lambda: power(2**255, ONE), lambda: power(2, -1)]
)
def test_what_the_contract_reverts_is_a_value_error(call: object) -> None:
    with pytest.raises(ValueError, match=r"bounds|outside|positive"):
        call()  # type: ignore[operator]


@given(st.integers(1, 3 * 10**20), st.sampled_from([("0xa", "0xb"), ("0xa", "0xc")]))
def test_no_swap_beats_the_marginal_rate_and_the_balances_follow(
    amount: int, tokens: tuple[str, str]
) -> None:
    subject = pool()
    assert isinstance(subject, Pool)
    swap = subject.swap(*tokens, amount)
    after = swap.pool
    assert isinstance(after, WeightedPool)
    assert swap.amount_out <= amount * subject.marginal_rate(*tokens) * (1 + 1e-12)
    assert after.balances[0] == subject.balances[0] + amount
    assert after.balances[SPEC.tokens.index(tokens[1])] == (
        subject.balances[SPEC.tokens.index(tokens[1])] - swap.amount_out
    )


@pytest.mark.parametrize(
    ("subject", "amount", "reason"),
    [
        (pool(), 0, Reason.AMOUNT_TOO_SMALL),
        (pool(), 4 * 10**20, Reason.AMOUNT_TOO_LARGE),
        (pool(0, 1, 1), 5, Reason.ZERO_LIQUIDITY),
        (pool(1, 0, 1), 5, Reason.ZERO_LIQUIDITY),
    ],
)
def test_a_swap_the_vault_would_revert_is_refused_with_its_reason(
    subject: WeightedPool, amount: int, reason: Reason
) -> None:
    with pytest.raises(SwapRefused) as refused:
        subject.swap("0xa", "0xb", amount)
    assert refused.value.fields["reason"] is reason


def test_an_empty_pool_has_rate_zero() -> None:
    assert pool(0, 0, 0).marginal_rate("0xa", "0xb") == 0.0


def test_changes_of_balances_add_up_and_cannot_go_below_zero() -> None:
    assert pool().after_changes(("0xa", "0xc"), (5, -7)).balances == (10**21 + 5, 10**12, 10**11 - 7)
    with pytest.raises(MarketError, match="112 bits"):
        pool().after_changes(("0xb",), (-(10**12) - 1,))


@pytest.mark.parametrize("tokens", [("0xa", "0xa"), ("0xa", "0xz")])
def test_a_token_the_pool_does_not_hold_is_an_error(tokens: tuple[str, str]) -> None:
    with pytest.raises(MarketError, match="token"):
        pool().swap(*tokens, 1)


@pytest.mark.parametrize(
    ("balances", "decimals"),
    [((1, 1), (18, 6, 8)), ((1, 1, 1), (18, 6)), ((1, 1, 1), (19, 6, 8)), ((2**112, 1, 1), (18, 6, 8))],
)
def test_an_impossible_pool_cannot_be_built(balances: tuple[int, ...], decimals: tuple[int, ...]) -> None:
    with pytest.raises(MarketError, match=r"needs|must"):
        WeightedPool(SPEC, balances, decimals)
