"""Slipstream pools against the quotes that Slipstream's own tests expect."""

from __future__ import annotations

import pytest

from core.errors import MarketError
from market.pools.slipstream import SlipstreamPool
from market.pools.spec import PoolSpec
from market.pools.v3_math import Q96, sqrt_ratio_at_tick
from market.pools.v3_ticks import TickMap

SPEC = PoolSpec("slipstream", "0xp", "0xp", ("0xa", "0xb"), 0, tick_spacing=60)
FEE = 3_000
EVERYWHERE = (-887_220, 887_220, 1_000_000)
ORDINARY = (EVERYWHERE,)
THREE_POSITIONS = (EVERYWHERE, (-60, 60, 100), (-120, 120, 100))
ZERO_IS_A_TICK = (*THREE_POSITIONS, EVERYWHERE, (0, 60, 100), (-120, 0, 100))

# velodrome-finance/slipstream, test/periphery/QuoterV2.spec.ts: positions, whether token0 is paid, amount
# (negative: output), what is quoted, square-root price after it
QUOTES = [
    (THREE_POSITIONS, True, 10_000, 9_871, 78461846509168490764501028180),
    (THREE_POSITIONS, True, 6_200, 6_143, 78757224507315167622282810783),
    (THREE_POSITIONS, True, 4_000, 3_971, 78926452400586371254602774705),
    (THREE_POSITIONS, True, 10, 8, 79227483487511329217250071027),
    (ZERO_IS_A_TICK, True, 10, 8, 79227817515327498931091950511),
    (THREE_POSITIONS, False, 10_000, 9_871, 80001962924147897865541384515),
    (THREE_POSITIONS, False, 6_250, 6_190, 79705728824507063507279123685),
    (ZERO_IS_A_TICK, False, 200, 198, 79235729830182478001034429156),
    (THREE_POSITIONS, False, 103, 101, 79235858216754624215638319723),
    (ORDINARY, False, 10_000, 9_871, 80018067294531553039351583520),
    (THREE_POSITIONS, True, -15_000, 15_273, 78055527257643669242286029831),
    (THREE_POSITIONS, True, -6_143, 6_200, 78757225449310403327341205211),
    (THREE_POSITIONS, True, -4_000, 4_029, 78924219757724709840818372098),
    (ZERO_IS_A_TICK, True, -100, 102, 79224329176051641448521403903),
]


def liquidity_of(lower: int, upper: int, amount: int) -> int:
    """Return what a position manager adds at price one for so much of each token."""
    low, high = sqrt_ratio_at_tick(lower), sqrt_ratio_at_tick(upper)
    by_amount0 = amount * (Q96 * high // Q96) // (high - Q96) if upper > 0 else None
    by_amount1 = amount * Q96 // (Q96 - low) if lower < 0 else None
    return min(each for each in (by_amount0, by_amount1) if each is not None)


def pool_of(positions: tuple[tuple[int, int, int], ...], fee: int = FEE) -> SlipstreamPool:
    pool = SlipstreamPool(SPEC, Q96, 0, 0, TickMap(), fee)
    for lower, upper, amount in positions:
        pool = pool.after_position(lower, upper, liquidity_of(lower, upper, amount))
    return pool


@pytest.mark.parametrize(("positions", "falls", "amount", "quoted", "price"), QUOTES)
def test_quotes_equal_slipstreams_own(
    positions: tuple[tuple[int, int, int], ...], falls: bool, amount: int, quoted: int, price: int
) -> None:
    path = pool_of(positions).path(falls, amount)
    assert path.remaining == 0
    assert (path.amount_out if amount > 0 else path.amount_in) == quoted
    assert path.sqrt_price_x96 == price


def test_the_fee_is_state_and_what_is_fixed_stays() -> None:
    pool = pool_of(ORDINARY)
    dearer = pool.with_fee(10_000)
    assert dearer.spec == pool.spec
    assert dearer.swap("0xa", "0xb", 10_000).amount_out < pool.swap("0xa", "0xb", 10_000).amount_out
    assert dearer.marginal_rate("0xa", "0xb") == pytest.approx(0.99)
    assert pool.swap("0xa", "0xb", 10_000).pool.with_fee(500).fee == 500
    with pytest.raises(MarketError, match="fee"):
        pool.with_fee(1_000_000)


def test_a_recorded_swap_sets_the_state_and_keeps_fee_and_ticks() -> None:
    pool = pool_of(THREE_POSITIONS)
    swap = pool.swap("0xa", "0xb", 10_000)
    after = swap.pool
    assert isinstance(after, SlipstreamPool)
    state = after.sqrt_price_x96, after.liquidity, after.tick
    assert pool.after_swap(swap.amount_in, -swap.amount_out, *state) == after


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tick": 5}, "tick and price"),
        ({"tick": 887_272}, "out of range"),
        ({"liquidity": -1}, "128 bits"),
        ({"liquidity": 2**128}, "128 bits"),
        ({"ticks": {7: 1}}, "multiple"),
        ({"spec": PoolSpec("slipstream", "0xp", "0xp", ("0xa", "0xb"), 0)}, "spacing"),
    ],
)
def test_a_state_no_contract_can_be_in_is_refused(changes: dict[str, object], why: str) -> None:
    state = {"spec": SPEC, "sqrt_price_x96": Q96, "tick": 0, "liquidity": 0, "ticks": {}, "fee": FEE}
    with pytest.raises(MarketError, match=why):
        SlipstreamPool(**(state | changes))


def test_more_liquidity_than_is_there_cannot_be_taken_away() -> None:
    pool = pool_of(ORDINARY)
    with pytest.raises(MarketError, match="reload"):
        pool.after_position(-887_220, 887_220, -2_000_000)
    assert pool.after_position(-60, 60, 0) is pool
    emptied = pool.after_position(-887_220, 887_220, -pool.liquidity)
    assert emptied == SlipstreamPool(SPEC, Q96, 0, 0, TickMap(), FEE)
    assert emptied.after_initialize(Q96, 0) == emptied
