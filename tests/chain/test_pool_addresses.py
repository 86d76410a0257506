"""Derived pool addresses against pools that are known to exist, on every chain and for every kind."""

from __future__ import annotations

from typing import Any

import pytest

from chain.network_facts import Factory
from chain.networks import Network, load_network, network_names
from chain.pool_addresses import pool_address
from core.errors import InputError

KNOWN = [
    ("ethereum", "uniswap_v2", "USDC", {}, "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc"),
    ("ethereum", "uniswap_v3", "USDC", {"fee_ppm": 500}, "0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640"),
    ("ethereum", "sushiswap_v2", "USDC", {}, "0x397FF1542f962076d0BFE58eA045FfA2d347ACa0"),
    ("bsc", "pancakeswap_v2", "USDT", {}, "0x16b9a82891338f9bA80E2D6970FddA79D1eb0daE"),
    ("bsc", "pancakeswap_v3", "USDT", {"fee_ppm": 500}, "0x36696169C63e42cd08ce11f5deeBbCeBae652050"),
    ("polygon", "quickswap_v2", "USDC.e", {}, "0x6e7a5FAFcec6BB1e78bAE2A1F0B612012BF14827"),
    ("arbitrum", "uniswap_v3", "USDC", {"fee_ppm": 500}, "0xC6962004f452bE9203591991D15f6b388e09E8D0"),
    ("arbitrum", "uniswap_v2", "USDC", {}, "0xF64Dfe17C8b87F012FCf50FbDA1D62bfA148366a"),
    ("arbitrum", "camelot_v3", "USDC", {}, "0xB1026b8e7276e7AC75410F1fcbbe21796e8f7526"),
    ("base", "uniswap_v3", "USDC", {"fee_ppm": 500}, "0xd0b53D9277642d899DF5C87A3966A349A798F224"),
    ("base", "aerodrome_v2", "USDC", {"stable": False}, "0xcDAC0d6c6C59727a65F871236188350531885C43"),
    (
        "base",
        "aerodrome_slipstream",
        "USDC",
        {"tick_spacing": 100},
        "0xb2cc224c1c9feE385f8ad6a55b4d94E92359DC59",
    ),
    (
        "optimism",
        "velodrome_slipstream",
        "USDC",
        {"tick_spacing": 100},
        "0x478946BcD4a5a22b316470F5486fAfb928C0bA25",
    ),
]


def token_of(network: Network, symbol: str) -> str:
    (address,) = [token.address for token in network.tokens if token.symbol == symbol]
    return address


@pytest.mark.parametrize(("chain", "factory", "symbol", "terms", "known"), KNOWN)
def test_a_known_pool_is_derived(
    chain: str, factory: str, symbol: str, terms: dict[str, Any], known: str
) -> None:
    network = load_network(chain)
    token = token_of(network, symbol)
    found = network.factory(factory)
    assert pool_address(found, network.weth, token, **terms) == known.lower()
    assert pool_address(found, token, network.weth, **terms) == known.lower()


def test_quickswap_v3_pools_are_derived_from_their_deployer() -> None:
    polygon = load_network("polygon")
    weth = "0x7ceb23fd6bc0add59e62ac25578270cff1b9f619"
    known = "0x479e1b71a702a595e19b6d5932cd5c863ab57ee0"
    assert pool_address(polygon.factory("quickswap_v3"), polygon.weth, weth) == known


def factories() -> list[Factory]:
    return [factory for name in network_names() for factory in load_network(name).factories]


def test_every_factory_derives_an_address_and_says_which_term_is_missing() -> None:
    one, other = "0x" + "11" * 20, "0x" + "22" * 20
    terms: dict[str, dict[str, Any]] = {
        "uniswap_v3": {"fee_ppm": 500},
        "pancake_v3": {"fee_ppm": 500},
        "slipstream": {"tick_spacing": 100},
        "solidly": {"stable": True},
    }
    for factory in factories():
        needed = terms.get(factory.kind, {})
        assert len(pool_address(factory, one, other, **needed)) == 42
        if needed:
            with pytest.raises(InputError, match=next(iter(needed))):
                pool_address(factory, one, other)


def test_one_token_is_no_pair() -> None:
    ethereum = load_network("ethereum")
    with pytest.raises(InputError, match="two different tokens"):
        pool_address(ethereum.factory("uniswap_v2"), ethereum.weth, ethereum.weth.upper().replace("X", "x"))
