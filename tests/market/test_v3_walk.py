"""What the walk does at the edges; that it equals the contracts is the conformance kit's affair."""

from __future__ import annotations

import pytest

from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.v3_math import MAX_SQRT_RATIO, MIN_SQRT_RATIO, MIN_TICK, Q96, sqrt_ratio_at_tick, swap_step
from market.pools.v3_ticks import TickMap
from market.pools.v3_walk import Start, rate_at_size_zero, walk

ISLANDS = TickMap({-600: 7 * 10**18, -540: -7 * 10**18, 120: 10**18, 180: -(10**18)})


def start(ticks: TickMap = ISLANDS, price: int = Q96, tick: int = 0, liquidity: int = 0) -> Start:
    return Start("0xp", price, tick, liquidity, ticks, 60, 3_000)


@pytest.mark.parametrize(("falls", "edge"), [(True, -540), (False, 120)])
def test_between_positions_the_rate_is_that_of_the_first_one_a_swap_meets(falls: bool, edge: int) -> None:
    rate = rate_at_size_zero(start(), falls)
    amount = 10**12
    assert walk(start(), falls, amount).amount_out == pytest.approx(rate * amount, rel=1e-5)
    root = sqrt_ratio_at_tick(edge) / Q96
    assert rate == pytest.approx(0.997 * (root**2 if falls else root**-2), rel=1e-12)


def test_where_a_swap_meets_nothing_the_rate_is_zero_and_all_of_the_input_is_left() -> None:
    for falls in (True, False):
        assert rate_at_size_zero(start(TickMap()), falls) == 0.0
        path = walk(start(TickMap()), falls, 10**18)
        assert (path.amount_in, path.amount_out, path.remaining) == (0, 0, 10**18)
        assert path.sqrt_price_x96 == (MIN_SQRT_RATIO + 1 if falls else MAX_SQRT_RATIO - 1)
    assert rate_at_size_zero(start(price=0), True) == 0.0


def test_a_rate_beyond_the_known_ticks_is_not_guessed() -> None:
    partial = Start("0xp", Q96, 0, 0, ISLANDS, 60, 3_000, known=(-540, 240))
    assert rate_at_size_zero(partial, True) == 0.0
    assert rate_at_size_zero(partial, False) > 0.0
    with pytest.raises(SwapRefused) as refused:
        walk(partial, True, 10**18)
    assert refused.value.fields["reason"] is Reason.UNKNOWN_TICKS


def test_at_the_lowest_price_nothing_can_be_sold_for_less() -> None:
    """The contract refuses a limit that is not below the price."""
    everywhere = TickMap({-887_220: 10**18, 887_220: -(10**18)})
    path = walk(start(everywhere, MIN_SQRT_RATIO, MIN_TICK), True, 10**18)
    assert (path.amount_in, path.remaining, path.steps) == (0, 10**18, 0)
    assert walk(start(everywhere, MIN_SQRT_RATIO, MIN_TICK), False, 10**30).amount_out > 0


def test_a_limit_on_the_wrong_side_moves_nothing() -> None:
    pool = start(liquidity=10**18, ticks=TickMap({-6_000: 10**18, 6_000: -(10**18)}))
    for falls, limit in ((True, Q96 + 1), (True, Q96), (False, Q96 - 1), (False, Q96)):
        path = walk(pool, falls, 10**12, limit)
        assert (path.remaining, path.sqrt_price_x96, path.steps) == (10**12, Q96, 0)


def test_ticks_that_take_away_more_than_there_is_are_an_error() -> None:
    with pytest.raises(MarketError, match="reload"):
        walk(start(TickMap({60: -5})), False, 10**18)


def test_a_fee_of_everything_takes_everything_and_moves_nothing() -> None:
    assert swap_step(Q96, MIN_SQRT_RATIO, 10**18, 1_000, 1_000_000) == (Q96, 0, 0, 1_000)
    reached, paid, got, fee = swap_step(Q96, sqrt_ratio_at_tick(-60), 0, 1_000, 1_000_000)
    assert (reached, paid, got, fee) == (sqrt_ratio_at_tick(-60), 0, 0, 0)


def test_neighbours_are_found_across_words() -> None:
    assert (ISLANDS.below(0), ISLANDS.below(-540), ISLANDS.below(-601)) == (-540, -540, None)
    assert (ISLANDS.above(0), ISLANDS.above(120), ISLANDS.above(180)) == (120, 180, None)
