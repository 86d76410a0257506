"""What recorded swaps reveal about ticks that nobody told, and when they reveal nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SwapRefused
from core.reasons import Reason, Refusal
from market.events import V3Swap
from market.invariants import SwapCheck, check_swap
from market.pools.uniswap_v3 import NOTHING_KNOWN, UniswapV3Pool, Walk
from market.pools.v3_math import MAX_TICK, MIN_TICK, sqrt_ratio_at_tick
from market.pools.v3_recorded import after_swap, reproduce
from market.pools.v3_ticks import TickMap
from scoring.curves import curve_of
from tests.small_v3 import NARROW, SPEC, TICKS, WIDE, pool


def amounts_of(walk: Walk, falls: bool) -> tuple[int, int]:
    """Return the signed amounts of a swap's event."""
    return (walk.amount_in, -walk.amount_out) if falls else (-walk.amount_out, walk.amount_in)


def replayed(before: UniswapV3Pool, falls: bool, amount: int, seen: UniswapV3Pool) -> UniswapV3Pool:
    """Carry out a swap on a pool that knows all, and tell it to one that only sees the event."""
    walk = before.walk(falls, amount)
    after = walk.pool
    return after_swap(seen, *amounts_of(walk, falls), after.sqrt_price_x96, after.liquidity, after.tick)


def event_of(walk: Walk, falls: bool) -> V3Swap:
    after = walk.pool
    state = (after.sqrt_price_x96, after.liquidity, after.tick)
    return V3Swap(SPEC.pool_id, SPEC.address, 1, 0, 0, *amounts_of(walk, falls), *state)


def test_the_first_swap_makes_a_pool_known_between_two_ticks_of_the_spacing() -> None:
    unseen = UniswapV3Pool(SPEC, 0, 0, 0, {}, NOTHING_KNOWN)
    seen = replayed(pool(), True, 10**15, unseen)
    assert (seen.tick, seen.liquidity, seen.known) == (-3, WIDE + NARROW, (-60, 0))


def test_a_swap_of_unchanged_liquidity_stretches_what_is_known() -> None:
    whole = pool(tick=10)
    seen = pool(tick=10, ticks={}, known=(0, 60))
    seen = replayed(whole, True, 4 * 10**16, seen)
    assert seen.known == (-120, 60)
    assert not seen.ticks


def test_crossing_the_next_tick_reveals_its_net_liquidity_in_both_directions() -> None:
    for tick, falls, edge in ((-100, True, -120), (170, False, 180)):
        whole = pool(tick=tick)
        lower = tick // 60 * 60
        seen = replayed(whole, falls, 8 * 10**15, pool(tick=tick, ticks={}, known=(lower, lower + 60)))
        assert dict(seen.ticks) == {edge: TICKS[edge]}
        assert seen.known == ((-180, -60) if falls else (120, 240))


def test_a_jump_over_several_unknown_ticks_forgets_rather_than_guesses() -> None:
    seen = replayed(pool(tick=10), True, 3 * 10**17, pool(tick=10, ticks={}, known=(0, 60)))
    assert seen.tick < -180
    assert seen.known == (seen.tick // 60 * 60, seen.tick // 60 * 60 + 60)
    assert not seen.ticks


@pytest.mark.parametrize("change", [(1, 0, 0), (0, 1, 0), (0, 0, 2**40)])
def test_a_recorded_swap_is_reproduced_and_a_slightly_different_one_is_not(
    change: tuple[int, int, int],
) -> None:
    walk = pool().walk(True, 10**17)
    after = walk.pool
    state = (after.sqrt_price_x96, after.liquidity, after.tick)
    assert reproduce(pool(), walk.amount_in, -walk.amount_out, *state) == walk
    wrong = (walk.amount_in + change[0], -walk.amount_out + change[1], state[0] + change[2], *state[1:])
    assert reproduce(pool(), *wrong) is None


def test_a_price_in_the_middle_of_a_swap_is_reproduced_by_its_limit() -> None:
    limit = sqrt_ratio_at_tick(-70) + 12_345
    walk = pool().walk(True, 10**30, limit)
    after = walk.pool
    assert after.sqrt_price_x96 == limit
    state = (after.sqrt_price_x96, after.liquidity, after.tick)
    assert reproduce(pool(), walk.amount_in, -walk.amount_out, *state) is not None


@given(st.integers(10**3, 10**18), st.integers(1, 2**40), st.booleans())
def test_a_tick_with_a_net_of_zero_beside_the_known_ones_is_never_called_a_broken_swap(
    liquidity: int, size: int, falls: bool
) -> None:
    """Where one position ends and one of the same size starts, the swap stops and rounds."""
    edge, far = (0, -6000) if falls else (60, 6000)
    net = liquidity if falls else -liquidity
    ticks = TickMap({far: net, edge: 0, 60 - far: -net}, {edge: 2 * liquidity})
    whole = pool(tick=10, liquidity=liquidity, ticks=ticks)
    walk = whole.walk(falls, 1 + liquidity * size // 2**47, sqrt_ratio_at_tick(-50 if falls else 110))
    if walk.amount_in:
        seen = pool(tick=10, liquidity=liquidity, ticks={}, known=(0, 60))
        check = check_swap(seen, event_of(walk, falls))
        assert check.ok if isinstance(check, SwapCheck) else check.reason is Reason.NOT_CHECKABLE


def test_an_unknown_tick_whose_net_is_zero_makes_a_swap_not_checkable() -> None:
    liquidity = 10**12
    ticks = TickMap({-6000: liquidity, 60: 0, 6000: -liquidity}, {60: 2 * liquidity})
    walk = pool(tick=10, liquidity=liquidity, ticks=ticks).walk(False, 3_456_789_012)
    assert (walk.crossed, walk.pool.tick // 60) == (1, 1)
    seen = pool(tick=10, liquidity=liquidity, ticks={}, known=(0, 60))
    check = check_swap(seen, event_of(walk, falls=False))
    assert isinstance(check, Refusal)
    assert check.reason is Reason.NOT_CHECKABLE


@pytest.mark.parametrize("tick", [MIN_TICK, MAX_TICK - 1])
def test_a_pool_swept_to_the_end_of_its_prices_can_still_be_asked(tick: int) -> None:
    unseen = UniswapV3Pool(SPEC, 0, 0, 0, {}, NOTHING_KNOWN)
    swept = after_swap(unseen, 5, -4, sqrt_ratio_at_tick(tick) + 1, 0, tick)
    assert swept.known is not None
    assert MIN_TICK <= swept.known[0] <= tick < swept.known[1] <= MAX_TICK
    for tokens in (("0xa", "0xb"), ("0xb", "0xa")):
        assert curve_of(swept, *tokens).evaluate(1e18) == (0.0, 0.0)
        with pytest.raises(SwapRefused):
            swept.swap(*tokens, 10**18)
