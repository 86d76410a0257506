"""Dust, one-sided pools and wild prices are refused by name; real gaps of some percent pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SwapRefused
from core.reasons import Reason
from market.life import PoolLife
from market.plausibility.holdings import holdings
from market.plausibility.judgement import Bounds, judge
from market.plausibility.prices import agreed_prices
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import sqrt_ratio_at_tick
from market.pools.weighted import WeightedPool
from market.snapshots.admission import admit, quarantine_implausible
from market.snapshots.formats import FORMATS

FILES = {"cow-auction": "cow_auctions_2", "tycho-pools": "tycho_data", "tycho-snapshot": "tycho_snapshot"}
FOUND = {
    "cow-auction": [
        (436, {Reason.ZERO_LIQUIDITY: 29, Reason.PRICE_IMPLAUSIBLE: 71, Reason.DUST_POOL: 288}),
        (528, {Reason.ZERO_LIQUIDITY: 27, Reason.PRICE_IMPLAUSIBLE: 94, Reason.DUST_POOL: 334}),
    ],
    "tycho-pools": [(11, {Reason.DUST_POOL: 6, Reason.PRICE_UNKNOWN: 2})],
    "tycho-snapshot": [(672, {Reason.DUST_POOL: 17, Reason.PRICE_UNKNOWN: 11})],
}
ETHER = 10**18
PRICES = {"0xa": 1.0}


def pair(name: str, reserve0: int, reserve1: int, tokens: tuple[str, str] = ("0xa", "0xb")) -> UniswapV2Pool:
    return UniswapV2Pool(PoolSpec("uniswap_v2", name, name, tokens, 3000), reserve0, reserve1)


def concentrated(name: str, tick: int, positions: Iterable[tuple[int, int, int]]) -> UniswapV3Pool:
    spec = PoolSpec("uniswap_v3", name, name, ("0xa", "0xb"), 3000, tick_spacing=60)
    pool = UniswapV3Pool(spec, sqrt_ratio_at_tick(tick), tick, 0, {})
    for lower, upper, liquidity in positions:
        pool = pool.after_position(lower, upper, liquidity)
    return pool


def reasons(pools: list[Pool], **options: object) -> dict[str, Reason]:
    return {name: refusal.reason for name, refusal in judge(pools, PRICES, **options).refused.items()}  # type: ignore[arg-type]


def round_trips(pools: Iterable[Pool]) -> list[float]:
    """Return products of marginal rates there and back through two different pools, best first."""
    rates: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for pool in pools:
        for way in permutations(pool.tokens, 2):
            rates[way].append((pool.marginal_rate(*way), pool.pool_id))
    products = [
        there * back
        for (first, second), ways in rates.items()
        if first < second
        for there, one in ways
        for back, other in rates[second, first]
        if one != other
    ]
    return sorted(products, reverse=True)


def test_each_way_of_being_implausible_has_its_reason() -> None:
    good = pair("0x1", 1000 * ETHER, 2000 * ETHER)
    pools: list[Pool] = [
        good,
        pair("0x2", 1050 * ETHER, 2000 * ETHER),
        pair("0xempty", 0, 0),
        pair("0xdust", ETHER // 100, ETHER // 50),
        pair("0xwild", ETHER, 1000 * ETHER),
        pair("0xcheap", 1000 * ETHER, ETHER),
        concentrated("0xside", 0, [(60, 120, 10**24)]),
        pair("0xfar", ETHER, ETHER, ("0xc", "0xd")),
    ]
    assert reasons(pools) == {
        "0xempty": Reason.ZERO_LIQUIDITY,
        "0xdust": Reason.DUST_POOL,
        "0xwild": Reason.PRICE_IMPLAUSIBLE,
        "0xcheap": Reason.PRICE_IMPLAUSIBLE,
        "0xside": Reason.ONE_SIDED,
        "0xfar": Reason.PRICE_UNKNOWN,
    }
    assert judge(pools, PRICES).plausible == (good, pools[1])


def test_a_pool_that_would_pay_more_than_its_contract_owns_is_refused() -> None:
    pools: list[Pool] = [
        pair("0x1", 1000 * ETHER, 2000 * ETHER),
        concentrated("0x2", 0, [(-600, 600, 10**24)]),
    ]
    owned = {pool.pool_id: holdings(pool) for pool in pools}
    assert reasons(pools, balances=owned) == {}
    for name, (first, second) in owned.items():
        assert reasons(pools, balances=owned | {name: (first, second - 1)}) == {
            name: Reason.OUTPUT_EXCEEDS_HOLDINGS
        }


def test_bounds_are_what_the_caller_says() -> None:
    pools: list[Pool] = [pair("0x1", 1000 * ETHER, 2000 * ETHER), pair("0x2", ETHER, ETHER)]
    assert reasons(pools) == {}
    assert reasons(pools, bounds=Bounds(price_factor=1.9)) == {"0x2": Reason.PRICE_IMPLAUSIBLE}
    assert reasons(pools, bounds=Bounds(dust_wei=2 * ETHER)) == {"0x2": Reason.DUST_POOL}


def test_one_tiny_pool_cannot_make_a_price() -> None:
    honest = [pair(f"0x{place}", 1000 * ETHER, (2000 + place) * ETHER) for place in range(3)]
    trap = pair("0xtrap", 10**9, ETHER)
    assert agreed_prices([*honest, trap], PRICES, 10**17)["0xb"] == pytest.approx(0.5, rel=0.01)
    assert reasons([*honest, trap]) == {"0xtrap": Reason.PRICE_IMPLAUSIBLE}


def test_a_price_is_found_through_other_tokens_and_a_given_one_stands() -> None:
    near, far = pair("0x1", 10 * ETHER, 20 * ETHER), pair("0x2", 20 * ETHER, 80 * ETHER, ("0xb", "0xc"))
    prices = agreed_prices([far, near], PRICES, 10**17)
    assert prices == {"0xa": 1.0, "0xb": pytest.approx(0.5), "0xc": pytest.approx(0.125)}
    assert agreed_prices([near], {"0xa": 1.0, "0xb": 9.0}, 0)["0xb"] == 9.0


def test_one_wild_token_among_many_refuses_the_pool() -> None:
    weights = (4 * 10**17, 3 * 10**17, 3 * 10**17)
    spec = PoolSpec("weighted", "0xw", "0xv", ("0xa", "0xb", "0xc"), 3000, weights=weights)
    pool = WeightedPool(spec, (40 * ETHER, 60 * ETHER, 30 * ETHER), (18, 18, 18))
    prices = {"0xa": 1.0, "0xb": 0.5, "0xc": 1.0}
    assert judge([pool], prices).refused == {}
    assert judge([pool], prices | {"0xc": 0.05}).refused["0xw"].reason is Reason.PRICE_IMPLAUSIBLE


@given(
    st.integers(-3000, 3000),
    st.lists(
        st.tuples(st.integers(-60, 59), st.integers(1, 60), st.integers(10**18, 10**24)),
        min_size=1,
        max_size=5,
    ),
)
def test_what_a_concentrated_pool_holds_is_what_swaps_to_the_end_of_its_ticks_pay(
    tick: int, positions: list[tuple[int, int, int]]
) -> None:
    pool = concentrated("0xp", tick, [(low * 60, (low + wide) * 60, size) for low, wide, size in positions])
    held = holdings(pool)
    for place, zero_for_one in ((1, True), (0, False)):
        walk = pool.walk(zero_for_one, 2**200)
        # each range and each word of the bitmap rounds down once
        assert 0 <= held[place] - walk.amount_out <= walk.steps + len(pool.ticks)


def test_of_a_pool_that_is_known_in_part_only_that_part_counts() -> None:
    whole = concentrated("0x1", 0, [(-600, 600, 10**24)])
    part = replace(whole, ticks={}, known=(-60, 60))
    assert 0 < holdings(part)[0] < holdings(whole)[0] // 9
    assert 0 < holdings(part)[1] < holdings(whole)[1] // 9
    assert holdings(replace(part, sqrt_price_x96=0, tick=0, liquidity=0)) == (0, 0)


def test_no_family_pays_more_than_it_holds() -> None:
    weights = (2 * 10**16, 98 * 10**16)
    spec = PoolSpec("weighted", "0xw", "0xv", ("0xa", "0xb"), 1, weights=weights)
    weighted = WeightedPool(spec, (ETHER, ETHER), (18, 18))
    for pool in (pair("0x1", ETHER, ETHER), weighted, concentrated("0x2", 0, [(-600, 600, 10**24)])):
        for first, second in permutations(range(2)):
            for amount in (3 * ETHER // 10, 10**30):
                try:
                    paid = pool.swap(pool.tokens[first], pool.tokens[second], amount).amount_out
                except SwapRefused:
                    continue
                assert paid <= holdings(pool)[second]


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(FILES))
def test_recorded_markets_lose_what_is_not_plausible(data_root: Path, name: str) -> None:
    snapshots = FORMATS[name](data_root / f"{FILES[name]}.json.zst")
    for snapshot, (plausible, refused) in zip(snapshots, FOUND[name], strict=True):
        judgement = judge(snapshot.pools, snapshot.reference_prices)
        assert len(judgement.plausible) == plausible
        assert judgement.reasons() == refused
        roster = admit(snapshot)
        quarantine_implausible(roster, judgement, snapshot.block_number)
        assert roster.live_ids() == {pool.pool_id for pool in judgement.plausible}
        assert roster.counts()[PoolLife.LIVE] == plausible
        assert roster.reasons() == judgement.reasons() + snapshot.reasons()


@pytest.mark.data
def test_no_absurd_round_trip_is_left_in_an_auction(data_root: Path) -> None:
    snapshots = FORMATS["cow-auction"](data_root / "cow_auctions_2.json.zst")
    for snapshot, (before, after, highest) in zip(
        snapshots, ((2_388, 177, 1.0734), (2_474, 204, 1.0925)), strict=True
    ):
        all_pools = round_trips(snapshot.pools)
        plausible = round_trips(judge(snapshot.pools, snapshot.reference_prices).plausible)
        assert all_pools[0] > 7e16
        assert plausible[0] == pytest.approx(highest, abs=1e-4)
        assert [sum(product > 1 for product in found) for found in (all_pools, plausible)] == [before, after]


@pytest.mark.data
def test_the_filter_finds_a_wild_price_that_was_put_into_a_real_market(data_root: Path) -> None:
    (snapshot, _) = FORMATS["cow-auction"](data_root / "cow_auctions_2.json.zst")
    pools = list(judge(snapshot.pools, snapshot.reference_prices).plausible)
    place = next(at for at, pool in enumerate(pools) if isinstance(pool, UniswapV2Pool))
    victim = pools[place]
    assert isinstance(victim, UniswapV2Pool)
    pools[place] = replace(victim, reserve0=victim.reserve0 * 100)
    refused = judge(pools, snapshot.reference_prices).refused
    assert refused[victim.pool_id].reason is Reason.PRICE_IMPLAUSIBLE
