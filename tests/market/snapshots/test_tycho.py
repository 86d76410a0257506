"""Files of Tycho's indexer: ids follow from factories, reserves from balances."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

from core.reasons import Reason
from market.life import PoolLife
from market.plausibility.prices import agreed_prices
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import sqrt_ratio_at_tick
from market.snapshots.admission import admit
from market.snapshots.snapshot import MarketSnapshot
from market.snapshots.tycho import read_tycho_pools, read_tycho_snapshot
from tests.market.snapshots.auctions import DAI, POOL, USDC, WETH, written

BLOCK = 20_440_688
USDC_WETH = "0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc"
DAI_WETH = "0xa478c2975ab1ea89e8196811f51a7b7ade33eb11"


@pytest.fixture(scope="module")
def listed(data_root: Path) -> MarketSnapshot:
    (snapshot,) = read_tycho_pools(data_root / "tycho_data.json.zst")
    return snapshot


@pytest.fixture(scope="module")
def pairs(data_root: Path) -> MarketSnapshot:
    (snapshot,) = read_tycho_snapshot(data_root / "tycho_snapshot.json.zst")
    return snapshot


@pytest.fixture(scope="module")
def message(data_root: Path) -> dict[str, Any]:
    """The snapshot file as it is."""
    packed = (data_root / "tycho_snapshot.json.zst").read_bytes()
    document: dict[str, Any] = json.loads(
        zstandard.ZstdDecompressor().decompress(packed, max_output_size=10**7)
    )
    return document["state_msgs"]["uniswap_v2"]


@pytest.mark.data
def test_all_tick_maps_load_as_live_pools_and_add_up(listed: MarketSnapshot) -> None:
    assert Counter(pool.family for pool in listed.pools) == {"uniswap_v3": 17, "uniswap_v2": 2}
    assert listed.refused == {}
    assert admit(listed).counts() == {PoolLife.LIVE: 19}
    for pool in listed.pools:
        if isinstance(pool, UniswapV3Pool):
            assert sum(net for tick, net in pool.ticks.items() if tick <= pool.tick) == pool.liquidity
            assert len(pool.ticks) >= 2


@pytest.mark.data
def test_ids_that_were_derived_are_those_of_a_registry_of_pools(
    data_root: Path, listed: MarketSnapshot
) -> None:
    registry = pq.read_table(data_root / "uniswap_v3_pools_20240502.parquet").to_pylist()
    rows = {row["LIQUIDITY_POOL_ADDRESS"].lower(): row for row in registry}
    known = [pool for pool in listed.pools if pool.pool_id in rows]
    assert len(known) == 7
    for pool in known:
        row = rows[pool.pool_id]
        assert pool.spec.fee == row["FEE"]
        assert pool.tokens == (row["TOKEN0_ADDRESS"].lower(), row["TOKEN1_ADDRESS"].lower())
        decimals = tuple(listed.tokens[token].decimals for token in pool.tokens)
        assert decimals == (row["TOKEN0_DECIMALS"], row["TOKEN1_DECIMALS"])


@pytest.mark.data
def test_all_pairs_load_as_live_pools_of_the_block(pairs: MarketSnapshot) -> None:
    assert len(pairs.pools) == 700
    assert pairs.refused == {}
    assert pairs.block_number == BLOCK
    assert {(pool.spec.venue, pool.spec.fee) for pool in pairs.pools} == {("uniswap_v2", 3000)}
    roster = admit(pairs)
    assert roster.counts() == {PoolLife.LIVE: 700}
    assert roster.standing(USDC_WETH).block == BLOCK


@pytest.mark.data
def test_balances_give_prices_that_agree_and_the_files_reserves_do_not(
    pairs: MarketSnapshot, message: dict[str, Any]
) -> None:
    """Why the attributes named reserves are not read: pairs of one price must not differ."""
    pools = {pool.pool_id: pool for pool in pairs.pools}
    states = message["snapshots"]["states"]
    dollars, attributes = [], []
    for name, token, unit in ((USDC_WETH, USDC, 10**6), (DAI_WETH, DAI, 10**18)):
        dollars.append(pools[name].marginal_rate(WETH, token) * 10**18 / unit)
        given = states[name]["state"]["attributes"]
        first, second = int(given["reserve0"], 16), int(given["reserve1"], 16)
        attributes.append(first / second * 10**18 / unit)
    assert dollars[0] == pytest.approx(3144, rel=0.01)
    assert dollars[0] == pytest.approx(dollars[1], rel=0.002)
    assert attributes == [pytest.approx(215, rel=0.01), pytest.approx(82_636, rel=0.01)]
    same = sum(
        (pool.reserve0, pool.reserve1)
        == tuple(int(states[name]["state"]["attributes"][key], 16) for key in ("reserve0", "reserve1"))
        for name, pool in pools.items()
        if isinstance(pool, UniswapV2Pool)
    )
    assert same == 0


@pytest.mark.data
def test_the_blocks_own_changes_obey_the_pairs_arithmetic(message: dict[str, Any]) -> None:
    """From a balance before the block to one after it no product falls: the order is right."""
    states, changes = message["snapshots"]["states"], message["deltas"]["component_balances"]
    checked = 0
    for name, after in changes.items():
        before = states[name]["state"]["balances"]
        if len(before) < 2:
            continue
        old = [int(before[token], 16) for token in sorted(before)]
        new = [int(after[token]["balance"], 16) for token in sorted(after)]
        assert old[0] * old[1] < new[0] * new[1] < old[0] * old[1] * 1.001
        checked += 1
    assert checked == 4


@pytest.mark.data
def test_most_tokens_of_the_pairs_have_a_price(pairs: MarketSnapshot) -> None:
    tokens = {token for pool in pairs.pools for token in pool.tokens}
    assert len(agreed_prices(pairs.pools, pairs.reference_prices, 10**17)) > 0.9 * len(tokens)


def small_list() -> list[dict[str, Any]]:
    """Return the description of one V3 and one V2 pool."""
    tokens = [
        {"address": USDC, "symbol": "USDC", "decimals": 6},
        {"address": WETH, "symbol": "WETH", "decimals": 18},
    ]
    ticks = [
        {"index": index, "net_liquidity": net, "sqrt_price": hex(sqrt_ratio_at_tick(index))}
        for index, net in ((-100, 5000), (100, -5000))
    ]
    state = {
        "liquidity": 5000,
        "sqrt_price": hex(2**96),
        "fee": "Low",
        "tick": 0,
        "ticks": {"tick_spacing": 10, "ticks": ticks},
    }
    pair = {"reserve0": "0x64", "reserve1": "0xc8"}
    return [
        {"tokens": tokens, "state": {"protocol": "UniswapV3State", "state": state}},
        {"tokens": tokens[::-1], "state": {"protocol": "UniswapV2State", "state": pair}},
    ]


def test_a_listed_pool_has_the_tokens_and_terms_of_its_factory(tmp_path: Path) -> None:
    (snapshot,) = read_tycho_pools(written(tmp_path, small_list()))
    pool, pair = snapshot.pools
    assert (pool.pool_id, pool.spec.tick_spacing, pool.spec.fee) == (POOL, 10, 500)
    assert isinstance(pair, UniswapV2Pool)
    assert (pair.pool_id, pair.tokens) == (USDC_WETH, (USDC, WETH))
    assert (pair.reserve0, pair.reserve1) == (100, 200)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda entry: entry["state"].update(protocol="CurveState"), Reason.FAMILY_NOT_SUPPORTED),
        (lambda entry: entry["state"]["state"].update(fee="Tiny"), Reason.MALFORMED_ENTRY),
        (lambda entry: entry["state"]["state"].update(fee=["Low"]), Reason.MALFORMED_ENTRY),
        (lambda entry: entry["state"]["state"]["ticks"].update(tick_spacing=60), Reason.MALFORMED_ENTRY),
        (lambda entry: entry["state"]["state"].update(liquidity=4999), Reason.LIQUIDITY_SUM_DIFFERS),
        (lambda entry: entry["state"]["state"].update(liquidity=5000.0), Reason.MALFORMED_ENTRY),
        (
            lambda entry: entry["state"]["state"]["ticks"]["ticks"][0].update(sqrt_price="0x1"),
            Reason.MALFORMED_ENTRY,
        ),
        (
            lambda entry: entry["state"]["state"]["ticks"]["ticks"][0].update(index=100),
            Reason.MALFORMED_ENTRY,
        ),
        (
            lambda entry: entry["state"]["state"]["ticks"]["ticks"][0].update(index=10**6),
            Reason.MALFORMED_ENTRY,
        ),
        (lambda entry: entry.update(tokens=entry["tokens"][:1]), Reason.MALFORMED_ENTRY),
        (lambda entry: entry.pop("state"), Reason.MALFORMED_ENTRY),
    ],
)
def test_a_bad_entry_of_a_list_is_refused_by_its_place(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], reason: Reason
) -> None:
    document = small_list()
    change(document[0])
    (snapshot,) = read_tycho_pools(written(tmp_path, document))
    assert {name: refusal.reason for name, refusal in snapshot.refused.items()} == {"entry 1": reason}
    assert [pool.pool_id for pool in snapshot.pools] == [USDC_WETH]


def test_a_pool_that_is_listed_twice_is_not_used(tmp_path: Path) -> None:
    document = small_list()
    (snapshot,) = read_tycho_pools(written(tmp_path, [*document, document[0]]))
    assert snapshot.refused[POOL].reason is Reason.DUPLICATE_ID
    assert [pool.pool_id for pool in snapshot.pools] == [USDC_WETH]


def test_pools_of_a_token_with_two_sorts_of_decimals_are_refused(tmp_path: Path) -> None:
    document = json.loads(json.dumps(small_list()))
    document[1]["tokens"][0]["decimals"] = 8
    (snapshot,) = read_tycho_pools(written(tmp_path, document))
    assert snapshot.reasons() == {Reason.CONTRADICTORY_DECIMALS: 2}
    assert snapshot.tokens.keys() == {USDC}


def small_message() -> dict[str, Any]:
    component = {"tokens": [WETH, USDC], "static_attributes": {"fee": "0x1e", "pool_address": USDC_WETH}}
    state = {"attributes": {"reserve0": "0x1"}, "balances": {USDC: "0x64", WETH: "0xc8"}}
    return {
        "state_msgs": {
            "uniswap_v2": {
                "header": {"number": 7},
                "snapshots": {"states": {USDC_WETH: {"state": state, "component": component}}},
                "deltas": {"component_balances": {USDC_WETH: {WETH: {"balance": "0xc9"}}}},
            }
        }
    }


def test_a_pair_stands_after_the_changes_of_its_block(tmp_path: Path) -> None:
    (snapshot,) = read_tycho_snapshot(written(tmp_path, small_message()))
    (pair,) = snapshot.pools
    assert isinstance(pair, UniswapV2Pool)
    assert (pair.tokens, pair.reserve0, pair.reserve1, pair.spec.fee) == ((USDC, WETH), 100, 201, 3000)


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry["state"]["balances"].pop(USDC),
        lambda entry: entry["state"]["balances"].update({DAI: "0x1"}),
        lambda entry: entry["component"].update(tokens=[USDC, DAI]),
        lambda entry: entry["component"].update(tokens=[USDC, USDC]),
        lambda entry: entry["component"]["static_attributes"].update(pool_address=DAI_WETH),
        lambda entry: entry["component"]["static_attributes"].pop("fee"),
    ],
)
def test_a_bad_pair_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    document = small_message()
    change(document["state_msgs"]["uniswap_v2"]["snapshots"]["states"][USDC_WETH])
    (snapshot,) = read_tycho_snapshot(written(tmp_path, document))
    assert snapshot.reasons() == {Reason.MALFORMED_ENTRY: 1}
