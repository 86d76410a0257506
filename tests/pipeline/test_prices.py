"""Prices of a real node: feed, average and spot at one block, and what happens when some of them fail."""

from __future__ import annotations

import pytest

from chain.devnet.artifacts import load_artifact
from chain.devnet.calldata import encode_arguments, encode_call
from chain.devnet.flow import swap_v3
from chain.providers import Provider
from core.errors import RpcError
from core.reasons import Reason, Refusal
from market.prices.chainlink import ChainlinkFeed
from market.prices.pool_twap import PoolTwap
from market.prices.price import USD
from market.prices.registry import PriceRegistry, Valued
from market.prices.spot import PoolSpot
from pipeline.bootstrap import load_market
from pipeline.prices import refresh_prices
from tests.devnet_fixtures import Devnet
from tests.pyrevm_node import specs_of, tokens_of

HOUR = 3_600
DOLLAR, ETHER = 10**6, 10**18


def deploy_feed(devnet: Devnet, description: str, answer: int, updated_at: int) -> str:
    deployer = devnet.world.accounts["deployer"].address
    terms = encode_arguments("uint8,string", 8, description)
    address = devnet.backend.deploy(deployer, load_artifact("SettableAggregator").bytecode + terms)
    data = encode_call("setRound(uint80,int256,uint256,uint80)", 1, answer, updated_at, 1)
    assert devnet.backend.send(deployer, address, data).ok
    return address


def trade(devnet: Devnet, pool: str) -> None:
    """Make the pool remember more than its newest block, and trade there and back for some blocks."""
    grow = encode_call("increaseObservationCardinalityNext(uint16)", 20)
    world, trader = devnet.world, devnet.world.accounts["trader-0"].address
    assert devnet.backend.send(trader, pool, grow).ok
    for forth in (True, False) * 4:
        call = swap_v3(world.flow_trader, pool, forth, 10**6)
        assert devnet.backend.send(trader, call.to, call.data).ok


async def test_sources_of_every_kind_are_read_at_one_block(devnet: Devnet) -> None:
    world = devnet.world
    tokens = {token.symbol: token for token in tokens_of(world).values()}
    weth, usdc = tokens["WETH"], tokens["USDC"]
    spec = next(spec for spec in specs_of(world) if spec.fee == 500 and usdc.address in spec.tokens)
    trade(devnet, spec.address)
    now = devnet.backend.head().timestamp
    ether = deploy_feed(devnet, "ETH / USD", 2_000 * 10**8, now)
    dollar = deploy_feed(devnet, "USDC / USD", 10**8, now)
    async with Provider(devnet.anvil.http_url) as provider:
        state = await load_market(provider, [spec], tokens_of(world))
        assert state.head is not None
        registry = PriceRegistry(
            [
                ChainlinkFeed("0x" + "99" * 20, usdc, weth, HOUR, "USDC / ETH"),
                ChainlinkFeed(dollar, usdc, USD, HOUR, "USDC / USD"),
                ChainlinkFeed(ether, weth, USD, HOUR, "ETH / USD"),
                PoolTwap(spec, usdc.address, 60, ETHER),
                PoolSpot(lambda: state.pools[spec.pool_id], usdc.address, weth.address),
            ],
            weth.address,
        )
        await refresh_prices(registry, provider, state.head)
        now = state.head.timestamp
        valued = registry.value(usdc.address, 4_000 * DOLLAR, now)
        assert isinstance(valued, Valued)
        assert valued.value == 2 * ETHER
        assert [reason.reason for reason in valued.reasons] == [Reason.PRICE_UNREADABLE]
        assert valued.price is not None
        assert valued.price.known_at == now

        later = now + 2 * HOUR
        refused = registry.value(usdc.address, 4_000 * DOLLAR, later)
        assert isinstance(refused, Refusal)
        assert refused.detail.count("price_stale") == 3  # the feed of the second step was not asked for

        wrong = encode_call("setRound(uint80,int256,uint256,uint80)", 2, 3_000 * 10**8, now, 2)
        assert devnet.backend.send(world.accounts["deployer"].address, ether, wrong).ok
        head = devnet.backend.head()
        await refresh_prices(registry, provider, head)
        contradicted = registry.value(usdc.address, 4_000 * DOLLAR, now)
        assert isinstance(contradicted, Refusal)
        assert contradicted.reason is Reason.PRICES_DISAGREE


async def test_a_node_that_is_away_leaves_what_was_read_until_it_is_too_old(devnet: Devnet) -> None:
    weth = tokens_of(devnet.world)[devnet.world.weth]
    head = devnet.backend.head()
    feed = deploy_feed(devnet, "ETH / USD", 2_000 * 10**8, head.timestamp)
    registry = PriceRegistry([ChainlinkFeed(feed, weth, USD, HOUR, "ETH / USD")], USD.address)
    head = devnet.backend.head()
    async with Provider(devnet.anvil.http_url) as provider:
        await refresh_prices(registry, provider, head)
    async with Provider("http://127.0.0.1:1", attempts=1) as provider:
        with pytest.raises(RpcError):
            await refresh_prices(registry, provider, head)
    valued = registry.value(weth.address, 3, head.timestamp + HOUR)
    assert isinstance(valued, Valued)
    assert valued.value == 6_000
    assert isinstance(registry.value(weth.address, 3, head.timestamp + 2 * HOUR), Refusal)
