"""Filters before scoring: what is taken out, in which order, and with which reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from chain.networks import load_network
from core.errors import InputError
from core.reasons import Reason, Refusal
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.weighted import WeightedPool
from market.snapshots.cow_auction import read_cow_auctions
from market.snapshots.snapshot import MarketSnapshot
from market.tokens import Token
from scoring.market_scan import MOST_HUBS, choose_hubs, scannable

WETH, USDC, DAI, FAR, OUT = ("0x" + digit * 40 for digit in "abcde")
TOKENS = {address: Token(address, address[2:5], 18) for address in (WETH, USDC, DAI, FAR, OUT)}
ETHER = 10**18


def pair(name: str, first: str, second: str, sides: tuple[int, int] = (10, 10)) -> Pool:
    spec = PoolSpec("uniswap_v2", name, name, (first, second), 3000)
    return UniswapV2Pool(spec, *(side * ETHER for side in sides))


def snapshot(*pools: Pool, **fields: object) -> MarketSnapshot:
    empty = MarketSnapshot("a file", TOKENS, pools, {}, {WETH: 1.0}, {})
    return replace(empty, **fields)  # type: ignore[arg-type]


def test_every_pool_of_a_file_is_scored_or_has_one_reason():
    island = pair("0x6", FAR, OUT)
    weights = PoolSpec("weighted", "0x7", "0xv", (WETH, DAI), 3000, weights=(ETHER // 2, ETHER // 2))
    given = snapshot(
        pair("0x1", WETH, USDC),
        pair("0x2", WETH, USDC),
        pair("0x3", WETH, USDC, (10, 1000)),
        pair("0x4", WETH, USDC, (0, 0)),
        island,
        WeightedPool(weights, (10 * ETHER, 10 * 10**6), decimals=(18, 6)),
        refused={"0x9": Refusal(Reason.MALFORMED_ENTRY, "half an entry")},
        reference_prices={WETH: 1.0, USDC: 1.0, FAR: 1.0},
    )
    found = scannable(given, WETH, [])
    assert [pool.pool_id for pool in found.pools] == ["0x1", "0x2"]
    assert found.hubs == (WETH, USDC)
    reasons = [found.unread, found.unsound, found.implausible, found.unreached]
    assert [{name: refusal.reason.value for name, refusal in part.items()} for part in reasons] == [
        {"0x9": "malformed_entry"},
        {"0x7": "contradictory_decimals"},
        {"0x3": "price_implausible", "0x4": "zero_liquidity"},
        {"0x6": "no_hub_token"},
    ]


def test_decimals_that_the_chain_contradicts_cost_the_tokens_pools_only():
    given = snapshot(pair("0x1", WETH, USDC), pair("0x2", WETH, DAI), pair("0x3", WETH, DAI))
    found = scannable(given, WETH, [Token(USDC, "USDC", 6)])
    assert [pool.pool_id for pool in found.pools] == ["0x2", "0x3"]
    assert found.unsound["0x1"].reason is Reason.CONTRADICTORY_DECIMALS
    assert "6 and 18 decimals" in found.unsound["0x1"].detail


@pytest.mark.parametrize("tokens", [(WETH, USDC, DAI), (WETH, WETH), (WETH,)])
def test_a_pool_described_with_other_tokens_than_it_holds_costs_itself_only(tokens: tuple[str, ...]):
    spec = PoolSpec("uniswap_v2", "0x7", "0x7", tokens, 3000)
    odd = UniswapV2Pool(spec, 10 * ETHER, 10 * ETHER)
    found = scannable(snapshot(pair("0x1", WETH, USDC), pair("0x2", WETH, USDC), odd), WETH, [])
    assert [pool.pool_id for pool in found.pools] == ["0x1", "0x2"]
    assert found.unsound["0x7"].reason is Reason.IMPOSSIBLE_STATE


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"reference_prices": {USDC: float("nan")}}, USDC),
        ({"reference_prices": {USDC: float("inf")}}, USDC),
        ({"reference_prices": {USDC: 0.0}}, USDC),
        ({"reference_prices": {WETH: 2.0}}, "--chain"),
        ({"swap_costs": {"0x1": -1}}, "0x1"),
        ({"swap_costs": {"0x1": 10**400}}, "0x1"),
        ({"gas_price": -1}, "gas"),
        ({"gas_price": 10**400}, "gas"),
        ({"tokens": {USDC: Token(USDC, "USDC", -1)}}, USDC),
        ({"tokens": {USDC: Token(USDC, "USDC", 10**9)}}, USDC),
    ],
)
def test_prices_and_costs_that_cannot_be_are_refused(fields: dict[str, object], named: str):
    with pytest.raises(InputError, match=named):
        scannable(snapshot(pair("0x1", WETH, USDC), **fields), WETH, [])


def test_a_wanted_hub_must_be_in_a_pool_that_is_left():
    given = snapshot(pair("0x1", WETH, USDC), pair("0x2", USDC, DAI))
    assert scannable(given, WETH, [], [DAI, USDC, DAI]).hubs == (DAI, USDC)
    with pytest.raises(InputError, match=FAR):
        scannable(given, WETH, [], [USDC, FAR])


def test_hubs_are_the_native_token_and_the_most_connected():
    pools = [pair(f"0x{place}", WETH, f"0xt{place % 9}") for place in range(40)]
    hubs = choose_hubs(pools, "0xt8")
    assert hubs == ("0xt8", WETH, "0xt0", "0xt1", "0xt2", "0xt3")
    assert len(hubs) == MOST_HUBS
    assert choose_hubs([pair("0x1", WETH, USDC)], WETH) == ()
    assert choose_hubs([], WETH) == ()


@pytest.mark.data
def test_both_auctions_have_the_hubs_that_everybody_would_name(data_root: Path):
    network = load_network("ethereum")
    known = [Token(token.address, token.symbol, token.decimals) for token in network.tokens]
    for auction in read_cow_auctions(data_root / "cow_auctions_2.json.zst"):
        found = scannable(auction, network.weth, known)
        symbols = [auction.tokens[hub].symbol for hub in found.hubs]
        assert symbols == ["WETH", "USDC", "USDT", "DAI", "WBTC", "UNI"]
        parts = (found.unread, found.unsound, found.implausible, found.unreached)
        assert not found.unsound
        assert len(found.pools) + sum(map(len, parts)) == len(auction.pools) + len(auction.refused)
        assert Counter(pool.pool_id for pool in found.pools).most_common(1)[0][1] == 1
