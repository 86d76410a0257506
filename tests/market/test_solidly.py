"""Solidly's two curves: published vectors, vectors of Aerodrome's own code, what never happens, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.pool import Pool
from market.pools.solidly import STABLE, VOLATILE, SolidlyPool, fee_in_force
from market.pools.spec import PoolSpec
from tests.conformance.stage import swap_or_reason

SPEC = PoolSpec(STABLE, "0xpool", "0xpool", ("0xa", "0xb"), 500)
VECTORS = json.loads((Path(__file__).parent / "vectors" / "aerodrome_v2.json").read_text(encoding="utf-8"))
E18 = 10**18

amounts = st.integers(0, 255).flatmap(lambda bits: st.integers(1 << bits, 2 << bits))
decimals = st.sampled_from([(18, 18), (6, 18), (18, 6), (6, 6), (8, 18), (0, 18), (24, 6)])


def stable(reserve0: int, reserve1: int, places: tuple[int, int] = (18, 18), fee: int = 500) -> SolidlyPool:
    return SolidlyPool(replace(SPEC, fee=fee), reserve0, reserve1, places)


def volatile(reserve0: int, reserve1: int, fee: int = 3_000) -> SolidlyPool:
    return SolidlyPool(replace(SPEC, family=VOLATILE, fee=fee), reserve0, reserve1, (18, 18))


def curve(pool: SolidlyPool) -> int:
    """The curve of whole balances, not rounded: four times eighteen decimals more."""
    scale0, scale1 = (10 ** (24 - places) for places in pool.decimals)
    x, y = pool.reserve0 * scale0, pool.reserve1 * scale1
    return x * y * (x * x + y * y) if pool.stable else x * y


def test_the_stable_curve_gives_the_published_vector_at_any_decimals() -> None:
    swap = stable(10**24, 9 * 10**23).swap("0xa", "0xb", 1000 * E18)
    assert swap.amount_out == 999199748694980269307
    assert stable(10**12, 9 * 10**23, (6, 18)).swap("0xa", "0xb", 10**9).amount_out == swap.amount_out
    assert isinstance(swap.pool, Pool)


@pytest.mark.parametrize("row", VECTORS["rows"], ids=range(len(VECTORS["rows"])))
def test_aerodromes_own_code_pays_and_keeps_the_same(row: dict[str, Any]) -> None:
    spec = replace(
        SPEC,
        family=STABLE if row["stable"] else VOLATILE,
        fee=fee_in_force(row["custom_fee"], row["default_fee"]),
    )
    places = (row["decimals"][0], row["decimals"][1])
    pool = SolidlyPool(spec, *(int(reserve) for reserve in row["reserves"]), places)
    pair = pool.tokens if row["zero_in"] else pool.tokens[::-1]
    if row["amount_out"] is None:
        with pytest.raises(SwapRefused):
            pool.swap(*pair, int(row["amount_in"]))
        return
    swap = pool.swap(*pair, int(row["amount_in"]))
    assert swap.amount_out == int(row["amount_out"])
    after = swap.pool
    assert isinstance(after, SolidlyPool)
    assert [after.reserve0, after.reserve1] == [int(reserve) for reserve in row["reserves_after"]]


def test_the_fee_leaves_the_pool_and_is_rounded_down() -> None:
    after = volatile(10**6, 10**6).swap("0xa", "0xb", 1_333).pool
    assert isinstance(after, SolidlyPool)
    assert after.reserve0 == 10**6 + 1_333 - 3


@pytest.mark.parametrize(("custom", "fee"), [(0, 500), (420, 0), (1, 100), (300, 30_000)])
def test_a_custom_fee_of_420_is_none_and_0_is_the_default(custom: int, fee: int) -> None:
    assert fee_in_force(custom, 5) == fee
    assert stable(E18, E18).after_fee(fee).spec.fee == fee


@given(
    amounts, amounts, amounts, decimals, st.sampled_from([0, 100, 500, 30_000]), st.booleans(), st.booleans()
)
def test_any_state_gives_a_swap_or_a_refusal(
    reserve0: int, reserve1: int, amount: int, places: tuple[int, int], fee: int, zero_in: bool, level: bool
) -> None:
    family = STABLE if level else VOLATILE
    pool = SolidlyPool(replace(SPEC, family=family, fee=fee), reserve0 // 2, reserve1 // 2, places)
    answer = swap_or_reason(pool, *("0xa", "0xb") if zero_in else ("0xb", "0xa"), amount)
    held = pool.reserve1 if zero_in else pool.reserve0
    assert isinstance(answer, Reason) or 0 < answer.amount_out < held


@given(
    st.integers(100 * 10**6, 10**15),
    st.floats(0.01, 100),
    st.floats(1e-9, 2),
    st.sampled_from([0, 500]),
    st.sampled_from([(6, 6), (6, 18), (18, 6), (18, 18)]),
    st.booleans(),
)
def test_a_trade_there_and_back_gains_nothing_and_the_curve_does_not_fall(
    size: int, ratio: float, share: float, fee: int, places: tuple[int, int], zero_in: bool
) -> None:
    pool = stable(size * 10 ** (places[0] - 6), int(size * ratio) * 10 ** (places[1] - 6), places, fee)
    pair = pool.tokens if zero_in else pool.tokens[::-1]
    amount = max(int((pool.reserve0 if zero_in else pool.reserve1) * share), 1)
    try:
        there = pool.swap(*pair, amount)
        back = there.pool.swap(*pair[::-1], there.amount_out)
    except SwapRefused:
        return
    assert back.amount_out <= amount
    assert isinstance(there.pool, SolidlyPool)
    # the contract compares rounded curves: 18 digits less, four times six decimals more here
    rounding = 10 ** (18 + 24) * 8 * max(pool.reserve0 * 10 ** (18 - places[0]), 1)
    assert curve(there.pool) >= curve(pool) - rounding * 10**24


@pytest.mark.parametrize("places", [(6, 18), (18, 6), (18, 18), (8, 6)])
@pytest.mark.parametrize("ratio", [0.001, 0.3, 1.0, 40.0])
def test_the_rate_is_what_a_small_trade_pays(places: tuple[int, int], ratio: float) -> None:
    pool = stable(10 ** (places[0] + 9), int(10**9 * ratio) * 10 ** places[1], places)
    for pair, reserve in ((pool.tokens, pool.reserve0), (pool.tokens[::-1], pool.reserve1)):
        small = reserve // 10**7
        paid = pool.swap(*pair, small).amount_out / small
        assert pool.marginal_rate(*pair) == pytest.approx(paid, rel=2e-6)
    assert volatile(10**24, 10**21).marginal_rate("0xa", "0xb") == pytest.approx(0.997e-3)
    assert stable(0, 10**18).marginal_rate("0xa", "0xb") == 0.0


@pytest.mark.parametrize(
    ("pool", "amount", "reason"),
    [
        (stable(E18, E18), 0, Reason.AMOUNT_TOO_SMALL),
        (volatile(10**18, 10), 10, Reason.AMOUNT_TOO_SMALL),
        (stable(0, E18), 10, Reason.ZERO_LIQUIDITY),
        (volatile(2**100, 2**155), 2**102, Reason.AMOUNT_TOO_LARGE),
        (volatile(10**18, 10**18), 2**250, Reason.AMOUNT_TOO_LARGE),
        (stable(2 * 10**28, 2 * 10**28), E18, Reason.AMOUNT_TOO_LARGE),
        (stable(1_000, 1_000), 500, Reason.CURVE_UNSOLVED),
        (stable(10**4, 10**13, (6, 6), 0), 1, Reason.CURVE_UNSOLVED),
    ],
)
def test_a_swap_the_pool_would_revert_is_refused_with_its_reason(
    pool: SolidlyPool, amount: int, reason: Reason
) -> None:
    with pytest.raises(SwapRefused) as refused:
        pool.swap("0xa", "0xb", amount)
    assert refused.value.fields["reason"] is reason


def test_an_impossible_pool_cannot_be_built() -> None:
    for broken in ({"family": "uniswap_v2"}, {"fee": 10**6}):
        with pytest.raises(MarketError, match="Solidly"):
            SolidlyPool(replace(SPEC, **broken), 1, 1, (18, 18))
    for reserve, places in ((-1, 18), (2**256, 18), (1, 99)):
        with pytest.raises(MarketError, match="Solidly"):
            stable(reserve, 1, (places, 18))


def test_a_sync_replaces_the_reserves() -> None:
    assert stable(1, 2).after_sync(3, 4) == stable(3, 4)
