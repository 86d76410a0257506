"""StableSwap in three generations: vectors, recorded trades, what never happens, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.amplification import Amplification
from market.pools.curve_stable import CurveStablePool, Generation
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from tests.conformance.stage import swap_or_reason

LEGACY, TEMPLATE, NG = Generation
VECTORS = json.loads((Path(__file__).parent / "vectors" / "curvesim_0.5.0.json").read_text(encoding="utf-8"))
STATIC = [row for row in VECTORS["rows"] if row["offpeg_multiplier"] == 0]
DYNAMIC = [row for row in VECTORS["rows"] if row["offpeg_multiplier"]]
COINS = ("0xa", "0xb", "0xc", "0xd", "0xe", "0xf", "0x1", "0x2")
E18 = 10**18


def pool_of(
    balances: tuple[int, ...],
    decimals: tuple[int, ...] | None = None,
    amplification: int | Amplification = 200,
    generation: Generation = LEGACY,
    fee: int = 4_000_000,
    admin_fee: int = 5 * 10**9,
    offpeg_multiplier: int = 0,
) -> CurveStablePool:
    tokens = COINS[: len(balances)]
    if isinstance(amplification, int):
        amplification = Amplification.constant(amplification)
    return CurveStablePool(
        PoolSpec("curve_stable", "0xpool", "0xpool", tokens, fee // 10**4),
        balances,
        tuple(10 ** (36 - places) for places in decimals or (18,) * len(balances)),
        amplification,
        fee,
        admin_fee,
        generation,
        offpeg_multiplier,
    )


def pool_from(row: dict[str, Any], generation: Generation) -> CurveStablePool:
    balances = tuple(int(balance) for balance in row["balances"])
    unit = 1 if generation is LEGACY else 100
    terms = (row["fee"], row["admin_fee"], row["offpeg_multiplier"])
    pool = pool_of(balances, None, row["A"] * unit, generation, *terms)
    return pool.after_rates(tuple(int(rate) for rate in row["rates"]))


@pytest.mark.parametrize(("generation", "unit"), [(LEGACY, 1), (TEMPLATE, 100), (NG, 100)])
def test_the_published_vector_of_three_coins(generation: Generation, unit: int) -> None:
    pool = pool_of((10**26, 10**14, 8 * 10**13), (18, 6, 6), 2_000 * unit, generation, fee=10**6)
    assert pool.swap("0xa", "0xb", 100_000 * E18).amount_out == 99989952600
    assert isinstance(pool, Pool)


def test_the_vector_of_the_newest_generations_own_code() -> None:
    pool = pool_of((10**12, 10**12), (6, 6), 20_000, NG, fee=4_000_000)
    assert pool.swap("0xa", "0xb", 1_000 * 10**6).amount_out == 999_595_026


@pytest.mark.parametrize("generation", [LEGACY, TEMPLATE])
@pytest.mark.parametrize("row", STATIC, ids=range(len(STATIC)))
def test_curvesim_pays_and_keeps_the_same(row: dict[str, Any], generation: Generation) -> None:
    pool = pool_from(row, generation)
    swap = pool.swap(COINS[row["sold"]], COINS[row["bought"]], int(row["amount_in"]))
    assert swap.amount_out == int(row["amount_out"])
    assert isinstance(swap.pool, CurveStablePool)
    assert list(swap.pool.balances) == [int(balance) for balance in row["balances_after"]]


@pytest.mark.parametrize("row", DYNAMIC, ids=range(len(DYNAMIC)))
def test_curvesim_pays_the_same_with_a_fee_that_moves_up_to_how_the_invariant_rounds(
    row: dict[str, Any],
) -> None:
    """Its invariant rounds as the older generations do, which never had this fee."""
    pool = pool_from(row, NG)
    swap = pool.swap(COINS[row["sold"]], COINS[row["bought"]], int(row["amount_in"]))
    assert abs(swap.amount_out - int(row["amount_out"])) <= 20


def test_trades_of_mainnet_are_reproduced_to_the_last_digit_but_one(data_root: Path) -> None:
    """A pool of crvUSD and USDT, 26 trades with no change of liquidity between them.

    The balances before the first one were found from the 18 digits of two of the trades.
    """
    address = "0x390f3595bca2df7d23783dfd126427cceb997bf4"
    columns = [
        "swaps_pool_id",
        "swaps_blockNumber",
        "swaps_tokenIn_symbol",
        "swaps_amountIn",
        "swaps_amountOut",
    ]
    table = pq.read_table(data_root / "curve_and_v3sample_swaps_202310.parquet", columns=columns)
    rows = [row for row in table.to_pylist() if row["swaps_pool_id"] == address]
    rows = [row for row in rows if 18257817 <= row["swaps_blockNumber"] <= 18258711]
    start = (18155600634009, 25845385091441622516032933)
    pool: Pool = pool_of(start, (6, 18), 50_000, TEMPLATE, fee=10**6)
    errors = []
    for row in sorted(rows, key=lambda row: int(row["swaps_blockNumber"])):
        sold = row["swaps_tokenIn_symbol"] != "USDT"
        swap = pool.swap(COINS[sold], COINS[not sold], int(row["swaps_amountIn"]))
        errors.append(swap.amount_out - int(row["swaps_amountOut"]))
        pool = swap.pool
    assert len(errors) == 26
    assert errors.count(0) >= 24
    assert max(errors, key=abs) in (0, 1)


def test_a_on_its_way_is_that_of_the_time() -> None:
    ramp = Amplification(100, 200, 1_000, 2_000)
    pool = pool_of((10**24, 10**22), amplification=ramp)

    def paid(each: CurveStablePool) -> int:
        return each.swap("0xa", "0xb", 10**21).amount_out

    for timestamp, amplification in ((1_000, 100), (1_333, 133), (1_999, 199), (2_000, 200), (9_000, 200)):
        at_rest = pool_of((10**24, 10**22), amplification=amplification)
        assert paid(pool.at(timestamp)) == paid(at_rest)
    assert paid(pool.at(1_000)) < paid(pool.at(2_000))
    assert pool.at(1_500).after_ramp(Amplification.constant(150)).at(0).amplification.at(7) == 150


def test_the_fee_rises_off_balance_in_the_newest_generation_only() -> None:
    even, uneven = (10**24, 10**24), (10**24, 10**20)
    for balances, dearer in ((even, False), (uneven, True)):
        plain, moving = (
            pool_of(balances, None, 20_000, NG, 10**7, 0, multiplier).swap("0xa", "0xb", E18).amount_out
            for multiplier in (0, 10 * 10**10)
        )
        assert (moving < plain * 0.9999) is dearer
    older = pool_of(uneven, None, 20_000, TEMPLATE, 10**7, 0, 10 * 10**10).swap("0xa", "0xb", E18)
    assert (
        older.amount_out
        == pool_of(uneven, None, 20_000, TEMPLATE, 10**7, 0).swap("0xa", "0xb", E18).amount_out
    )


def test_the_administrators_part_of_the_fee_leaves_the_balances() -> None:
    kept, shared = (
        pool_of((10**24, 10**24), admin_fee=part).swap("0xa", "0xb", 10**22) for part in (0, 10**10)
    )
    assert kept.amount_out == shared.amount_out
    assert isinstance(kept.pool, CurveStablePool)
    assert isinstance(shared.pool, CurveStablePool)
    fee = kept.pool.balances[1] - shared.pool.balances[1]
    assert fee == pytest.approx(kept.amount_out * 0.0004, rel=1e-3)


balances = st.lists(st.floats(0, 12), min_size=2, max_size=5)
generations = st.sampled_from(list(Generation))


@given(balances, st.floats(-8, 0.5), st.integers(1, 10**6), generations, st.sampled_from([0, 10**5, 10**8]))
def test_a_trade_there_and_back_gains_nothing_and_the_invariant_does_not_fall(
    sizes: list[float], share: float, amplification: int, generation: Generation, fee: int
) -> None:
    unit = 1 if generation is LEGACY else 100
    multiplier = 5 * 10**10 if generation is NG else 0
    held = tuple(int(10**size * E18) for size in sizes)
    pool = pool_of(held, None, amplification * unit, generation, fee, 0, multiplier)
    amount = max(int(held[0] * 10**share), 1)
    try:
        before = pool.invariant()
        there = pool.swap("0xa", "0xb", amount)
        back = there.pool.swap("0xb", "0xa", there.amount_out) if there.amount_out else None
    except (SwapRefused, ArithmeticError):
        return
    if fee:  # without one, the solver's own rounding can pay a few units
        assert back is None or back.amount_out <= amount
    assert isinstance(there.pool, CurveStablePool)
    assert there.pool.invariant() >= before - before // 10**17 - 2  # so exactly is it found out of balance


@given(
    st.lists(st.integers(0, 250).flatmap(lambda bits: st.integers(1, 2 << bits)), min_size=2, max_size=8),
    st.integers(0, 250).flatmap(lambda bits: st.integers(1, 2 << bits)),
    st.integers(1, 10**8),
    generations,
)
def test_any_state_gives_a_swap_or_a_refusal(
    held: list[int], amount: int, amplification: int, generation: Generation
) -> None:
    try:
        pool = pool_of(tuple(held), None, amplification, generation, offpeg_multiplier=2 * 10**10)
    except MarketError:
        assert max(held) * E18 >= 2**256
        return
    answer = swap_or_reason(pool, "0xa", "0xb", amount)
    assert isinstance(answer, Reason) or 0 <= answer.amount_out < held[1]


@pytest.mark.parametrize("generation", list(Generation))
@pytest.mark.parametrize(
    "held", [(10**26, 9 * 10**25), (10**26, 10**24, 10**25), (10**24, 10**27, 10**26, 10**25)]
)
def test_the_rate_is_what_a_small_trade_pays(held: tuple[int, ...], generation: Generation) -> None:
    pool = pool_of(held, None, 30_000, generation, offpeg_multiplier=5 * 10**10)
    for sold in pool.tokens:
        for bought in set(pool.tokens) - {sold}:
            small = min(held) // 10**8
            paid = pool.swap(sold, bought, small).amount_out / small
            assert pool.marginal_rate(sold, bought) == pytest.approx(paid, rel=2e-6)


def test_the_rate_is_in_raw_units_and_zero_where_nothing_can_be_traded() -> None:
    pool = pool_of((10**24, 10**12), (18, 6), 200, fee=10**8)
    assert pool.marginal_rate("0xa", "0xb") == pytest.approx(0.99e-12)
    assert pool_of((0, 10**12)).marginal_rate("0xa", "0xb") == 0.0
    assert pool_of((10**24, 10**24), None, 10, TEMPLATE).marginal_rate("0xa", "0xb") == 0.0


@pytest.mark.parametrize(
    ("pool", "amount", "reason"),
    [
        (pool_of((10**24, 10**24)), 0, Reason.AMOUNT_TOO_SMALL),
        (pool_of((1, 1)), 1, Reason.AMOUNT_TOO_SMALL),
        (pool_of((10**24, 0)), E18, Reason.ZERO_LIQUIDITY),
        (pool_of((10**40, 10**40)), E18, Reason.AMOUNT_TOO_LARGE),
        (pool_of((10**24, 10**24)), 2**255, Reason.AMOUNT_TOO_LARGE),
        (pool_of((2**128, 2**128), None, 200, NG), E18, Reason.AMOUNT_TOO_LARGE),
        (pool_of((10**24, 10**24), None, 10, TEMPLATE), E18, Reason.CURVE_UNSOLVED),  # a tenth of one
        (pool_of((1, 1), None, 20_000, NG), 10**6, Reason.CURVE_UNSOLVED),  # no price to record
    ],
)
def test_a_swap_the_pool_would_revert_is_refused_with_its_reason(
    pool: CurveStablePool, amount: int, reason: Reason
) -> None:
    with pytest.raises(SwapRefused) as refused:
        pool.swap("0xa", "0xb", amount)
    assert refused.value.fields["reason"] is reason


@pytest.mark.parametrize("tokens", [("0xa", "0xa"), ("0xa", "0xz"), ("0xz", "0xb")])
def test_a_token_the_pool_does_not_hold_is_an_error(tokens: tuple[str, str]) -> None:
    with pytest.raises(MarketError):
        pool_of((10**24, 10**24)).swap(*tokens, 1)


def test_an_impossible_pool_cannot_be_built() -> None:
    for broken in ((1,), (-1, 1), (1,) * 9, (2**240, 1)):
        with pytest.raises(MarketError, match="Curve"):
            pool_of(broken, (18,) * len(broken))
    with pytest.raises(MarketError, match="Curve"):
        pool_of((1, 1), fee=10**10 + 1)


def test_logs_change_balances_and_fees() -> None:
    pool = pool_of((10**24, 10**24), admin_fee=5 * 10**9)
    assert pool.after_liquidity((100, -30), (20, 11)).balances == (10**24 + 90, 10**24 - 35)
    changed = pool.after_fees(7, 8, 9)
    assert (changed.fee, changed.admin_fee, changed.offpeg_multiplier) == (7, 8, 9)
    with pytest.raises(MarketError, match="Curve"):
        pool.after_liquidity((-(10**25), 0), (0, 0))
