"""Auctions load as live pools; what the file gets wrong is refused by name, pool by pool."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from core.reasons import Reason
from market.life import PoolLife
from market.plausibility.prices import agreed_prices
from market.pools.composable_stable import ComposableStablePool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.weighted import WeightedPool
from market.snapshots.admission import admit
from market.snapshots.cow_auction import read_cow_auctions
from market.snapshots.snapshot import MarketSnapshot
from tests.market.snapshots.auctions import DAI, PAIR, POOL, STABLE, USDC, WEIGHTED, WETH, auction, written

Change = Callable[[dict[str, Any]], Any]

# price and ticks of these six belong to different moments in the file, in both auctions alike
SUMS_DIFFER = {
    "0x4e68ccd3e89f51c3074ca5072bbac773960dfa36",
    "0x5777d92f208679db4b9778590fa3cab3ac9e2168",
    "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640",
    "0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8",
    "0x99ac8ca7087fa4a2a1fb6357269965a2014abc35",
    "0xcbcdf9626bc03e24f779434178a73a0b4bad62ed",
}
LOADED = {
    "CoW auction 7400681": {"uniswap_v2": 351, "uniswap_v3": 293, "weighted": 174, "composable_stable": 6},
    "CoW auction 7400693": {"uniswap_v2": 449, "uniswap_v3": 347, "weighted": 179, "composable_stable": 8},
}
REFUSED = {Reason.LIQUIDITY_SUM_DIFFERS: 6, Reason.PRECISION_LOST: 6, Reason.FAMILY_NOT_SUPPORTED: 6}


@pytest.fixture(scope="module")
def auctions(data_root: Path) -> tuple[MarketSnapshot, ...]:
    return read_cow_auctions(data_root / "cow_auctions_2.json.zst")


def read_changed(folder: Path, change: Change) -> MarketSnapshot:
    """Read the small auction after a change to it."""
    document = auction()
    change(document)
    (snapshot,) = read_cow_auctions(written(folder, document))
    return snapshot


@pytest.mark.data
def test_both_auctions_load_as_live_pools_but_for_those_that_are_listed(
    auctions: tuple[MarketSnapshot, ...],
) -> None:
    for snapshot, pools in zip(auctions, (842, 1001), strict=True):
        assert Counter(pool.family for pool in snapshot.pools) == LOADED[snapshot.source]
        assert snapshot.reasons() == REFUSED
        assert len(snapshot.pools) + len(snapshot.refused) == pools
        roster = admit(snapshot)
        assert roster.live_ids() == {pool.pool_id for pool in snapshot.pools}
        assert roster.counts() == {PoolLife.LIVE: pools - 18, PoolLife.QUARANTINED: 18}
        assert roster.reasons() == REFUSED


@pytest.mark.data
def test_liquidity_sums_are_equal_in_all_pools_but_six(auctions: tuple[MarketSnapshot, ...]) -> None:
    for snapshot in auctions:
        pools = [pool for pool in snapshot.pools if isinstance(pool, UniswapV3Pool)]
        for pool in pools:
            assert sum(net for tick, net in pool.ticks.items() if tick <= pool.tick) == pool.liquidity
            assert sum(pool.ticks.values()) == 0
        differing = {
            name for name, why in snapshot.refused.items() if why.reason is Reason.LIQUIDITY_SUM_DIFFERS
        }
        assert differing == SUMS_DIFFER
        assert len(pools) / (len(pools) + len(differing)) > 0.979


@pytest.mark.data
def test_the_pools_alone_give_the_prices_that_the_file_gives_too(
    auctions: tuple[MarketSnapshot, ...],
) -> None:
    """From nothing but ether: decimals, directions and units are right if the two agree."""
    for snapshot, (both, near) in zip(auctions, ((151, 144), (201, 188)), strict=True):
        found = agreed_prices(snapshot.pools, {WETH: 1.0}, 10**17)
        given = snapshot.reference_prices
        off = [
            abs(math.log(found[token] / given[token]))
            for token in given.keys() & found.keys()
            if token != WETH
        ]
        assert median(off) < 0.01
        assert (len(off), sum(gap < 0.05 for gap in off)) == (both, near)


@pytest.mark.data
def test_pairs_take_the_fee_of_the_factory_that_made_them(auctions: tuple[MarketSnapshot, ...]) -> None:
    venues = Counter(
        (pool.spec.venue, pool.spec.fee) for pool in auctions[0].pools if isinstance(pool, UniswapV2Pool)
    )
    assert venues == {
        ("uniswap_v2", 3000): 229,
        ("sushiswap_v2", 3000): 100,
        ("pancakeswap_v2", 2500): 15,
        ("", 2500): 7,
    }


@pytest.mark.data
def test_a_stable_pool_pays_what_its_rate_says(auctions: tuple[MarketSnapshot, ...]) -> None:
    """Wrapped staked ether was worth 1.139 ether in September 2023."""
    pools = {pool.pool_id: pool for pool in auctions[0].pools}
    pool = pools["0x93d199263632a4ef4bb438f1feb99e57b4b5f0bd"]
    assert isinstance(pool, ComposableStablePool)
    rate = pool.rates[0]
    assert rate is not None
    assert 10**36 // rate.rate == 877_801_947_629_091_774
    assert pool.swap(*pool.tokens, 10**18).amount_out == pytest.approx(1.1388e18, rel=1e-4)


def test_each_kind_becomes_its_family_exactly(tmp_path: Path) -> None:
    (snapshot,) = read_cow_auctions(written(tmp_path, auction()))
    pair, pool, weighted, stable = snapshot.pools
    assert isinstance(pair, UniswapV2Pool)
    assert (pair.tokens, pair.reserve0, pair.reserve1) == ((USDC, WETH), 2 * 10**12, 10**21)
    assert (pair.spec.venue, pair.spec.fee) == ("uniswap_v2", 3000)
    assert isinstance(pool, UniswapV3Pool)
    assert (pool.spec.fee, pool.spec.tick_spacing, pool.spec.venue) == (500, 10, "uniswap_v3")
    assert (pool.sqrt_price_x96, pool.liquidity, dict(pool.ticks)) == (2**96, 5000, {-100: 5000, 100: -5000})
    assert isinstance(weighted, WeightedPool)
    assert weighted.spec.weights == (2 * 10**17, 8 * 10**17)
    assert (weighted.balances, weighted.decimals) == ((2 * 10**9, 4 * 10**18), (6, 18))
    assert isinstance(stable, ComposableStablePool)
    assert (stable.swap_fee, stable.amplification.at(0), stable.share) == (10**12, 200_000, STABLE)
    assert stable.rates[1] is None
    assert stable.rates[0] is not None
    assert stable.rates[0].rate == 125 * 10**16
    assert {pool.pool_id for pool in snapshot.pools} == {PAIR, POOL, WEIGHTED, STABLE}
    assert snapshot.swap_costs == dict.fromkeys((PAIR, POOL, WEIGHTED, STABLE), 15 * 10**14)
    assert snapshot.reference_prices == {USDC: 5e8, WETH: 1.0}
    assert (snapshot.tokens[DAI].symbol, snapshot.tokens[DAI].decimals) == ("", 18)
    assert (snapshot.gas_price, snapshot.block_number) == (15 * 10**9, None)


def of(address: str, *path: str | int, value: Any = None, gone: bool = False) -> Change:
    """Return a change of one field of a pool."""

    def change(document: dict[str, Any]) -> None:
        place: Any = document["amms"][address]
        for step in path[:-1]:
            place = place[step]
        if gone:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("address", "change", "reason"),
    [
        (PAIR, of(PAIR, "kind", value="Curve"), Reason.FAMILY_NOT_SUPPORTED),
        (PAIR, of(PAIR, "kind", value=["ConstantProduct"]), Reason.FAMILY_NOT_SUPPORTED),
        (PAIR, of(PAIR, "fee", gone=True), Reason.MALFORMED_ENTRY),
        (PAIR, of(PAIR, "fee", value=0.003), Reason.MALFORMED_ENTRY),
        (PAIR, of(PAIR, "fee", value="0.0030000001"), Reason.PRECISION_LOST),
        (PAIR, of(PAIR, "cost", gone=True), Reason.MALFORMED_ENTRY),
        (PAIR, of(PAIR, "cost", "token", value=USDC), Reason.MALFORMED_ENTRY),
        (PAIR, of(PAIR, "address", value=POOL), Reason.MALFORMED_ENTRY),
        (PAIR, of(PAIR, "reserves", value={USDC: "1"}), Reason.MALFORMED_ENTRY),
        (PAIR, of(PAIR, "reserves", WETH, value="1.5"), Reason.MALFORMED_ENTRY),
        (PAIR, of(PAIR, "reserves", WETH, value="9" * 5000), Reason.MALFORMED_ENTRY),
        (PAIR, of(PAIR, "reserves", WETH, value=True), Reason.MALFORMED_ENTRY),
        (PAIR, of(PAIR, "reserves", "0x" + "33" * 20, value="1"), Reason.MALFORMED_ENTRY),
        (PAIR, of(PAIR, "reserves", USDC.upper().replace("X", "x"), value="1"), Reason.MALFORMED_ENTRY),
        (PAIR, of(PAIR, "reserves", WETH, value=str(2**112)), Reason.IMPOSSIBLE_STATE),
        (PAIR, of(PAIR, "reserves", WETH, value="-1"), Reason.IMPOSSIBLE_STATE),
        (POOL, of(POOL, "pool", "tokens", 0, "decimals", value="18"), Reason.CONTRADICTORY_DECIMALS),
        (POOL, of(POOL, "pool", "state", "liquidity", value="5001"), Reason.LIQUIDITY_SUM_DIFFERS),
        (
            POOL,
            of(POOL, "pool", "state", "liquidity_net", value={"-100": "5000", "100": "-4000"}),
            Reason.LIQUIDITY_SUM_DIFFERS,
        ),
        (
            POOL,
            of(POOL, "pool", "state", "liquidity_net", value={"-100": "5000", "10": "-6000", "100": "1000"}),
            Reason.LIQUIDITY_SUM_DIFFERS,
        ),
        (POOL, of(POOL, "pool", "state", "tick", value="7"), Reason.IMPOSSIBLE_STATE),
        (POOL, of(POOL, "pool", "state", "liquidity_net", "5", value="0"), Reason.IMPOSSIBLE_STATE),
        (POOL, of(POOL, "fee", value="0.003"), Reason.FAMILY_NOT_SUPPORTED),
        (POOL, of(POOL, "fee", value="0.0007"), Reason.MALFORMED_ENTRY),
        (WEIGHTED, of(WEIGHTED, "reserves", USDC, "weight", value="0.3"), Reason.FAMILY_NOT_SUPPORTED),
        (WEIGHTED, of(WEIGHTED, "fee", value="0.004699999999999999"), Reason.PRECISION_LOST),
        (WEIGHTED, of(WEIGHTED, "reserves", USDC, "balance", gone=True), Reason.MALFORMED_ENTRY),
        (STABLE, of(STABLE, "scaling_rates", USDC, value="999000"), Reason.PRECISION_LOST),
        (STABLE, of(STABLE, "scaling_rates", DAI, value="0"), Reason.MALFORMED_ENTRY),
        (STABLE, of(STABLE, "scaling_rates", DAI, gone=True), Reason.MALFORMED_ENTRY),
        (STABLE, of(STABLE, "amplification_parameter", value="0"), Reason.IMPOSSIBLE_STATE),
    ],
)
def test_a_bad_pool_is_refused_with_its_reason_and_the_others_load(
    tmp_path: Path, address: str, change: Change, reason: Reason
) -> None:
    snapshot = read_changed(tmp_path, change)
    assert {name: refusal.reason for name, refusal in snapshot.refused.items()} == {address: reason}
    assert {pool.pool_id for pool in snapshot.pools} == {PAIR, POOL, WEIGHTED, STABLE} - {address}
    assert snapshot.swap_costs.keys() == {pool.pool_id for pool in snapshot.pools}


def test_of_two_entries_with_one_id_neither_is_used(tmp_path: Path) -> None:
    text = json.dumps(auction())
    entry = json.dumps(auction()["amms"][PAIR])
    again = text.replace('"amms": {', '"amms": {' + f'"{PAIR}": {entry}, ', 1)
    cased = text.replace('"amms": {', '"amms": {' + f'"0x{PAIR[2:].upper()}": {entry}, ', 1)
    for document in (again, cased):
        file = tmp_path / "twice.json"
        file.write_text(document)
        (snapshot,) = read_cow_auctions(file)
        assert snapshot.refused[PAIR].reason is Reason.DUPLICATE_ID
        assert {pool.pool_id for pool in snapshot.pools} == {POOL, WEIGHTED, STABLE}


def test_pools_of_a_token_that_is_described_badly_are_refused(tmp_path: Path) -> None:
    for bad in ({"alias": "USDC"}, {"decimals": 300}, {"decimals": 6.5}, None):
        snapshot = read_changed(tmp_path, lambda document, bad=bad: document["tokens"].update({USDC: bad}))
        assert snapshot.reasons() == {Reason.MALFORMED_ENTRY: 4}
        assert USDC not in snapshot.tokens


def test_a_price_that_is_none_is_left_out(tmp_path: Path) -> None:
    for none in (0, -1.0, "1", None, True, 10**400):
        snapshot = read_changed(
            tmp_path, lambda document, none=none: document["tokens"][USDC].update(external_price=none)
        )
        assert snapshot.reference_prices == {WETH: 1.0}
