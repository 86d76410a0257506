"""The world: tokens, venues, liquidity and funded accounts on an empty chain, the same for the same seed.

Real bytecode of Uniswap V2, Uniswap V3 and Balancer V2 stands at its Ethereum addresses, so that a
configuration for Ethereum works here unchanged. Prices are consistent at the start (ether 2000, bitcoin
40000 US dollars), so the first arbitrage is made by the first trader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chain.blocks import Address
from chain.devnet.accounts import DevAccount, dev_account
from chain.devnet.backend import Backend
from chain.devnet.calldata import decode_result, encode_call
from chain.devnet.liquidity import ETHER, PER_ETHER, DeployedPool, create_pools, fill_vault
from chain.devnet.protocols import (
    FLOW_TRADER,
    PROTOCOL_FEES_COLLECTOR,
    SUSHISWAP_FACTORY,
    TOKENS,
    UNISWAP_V2_FACTORY,
    UNISWAP_V3_FACTORY,
    VAULT,
    WETH,
    DeployedToken,
    must_send,
    place_protocols,
)
from core.errors import DevnetError

DEFAULT_SEED = "omniarb"
TRADERS = 4
ACCOUNT_NAMES = (
    "deployer",
    "lp",
    *(f"trader-{index}" for index in range(TRADERS)),
    "competitor-0",
    "competitor-1",
    "searcher",
    "builder",
)
"""Accounts of every world. The deployer owns the mintable tokens, ``lp`` the liquidity."""

START_ETHER = 10_000 * ETHER
PROVIDER_WETH = 100_000 * ETHER
TRADER_ETHER = 20_000
"""WETH of a trader, and its worth in every other token."""
FOREVER = 2**256 - 1


@dataclass(frozen=True, slots=True)
class World:
    """Where everything is.

    Parameters
    ----------
    seed
        Seed of the account keys.
    tokens
        By symbol: WETH, DAI, USDC, WBTC.
    pools
        In the order of creation.
    accounts
        By name, see :data:`ACCOUNT_NAMES`.
    v2_factories
        Factory by venue.
    v3_factory, weth, vault, fees_collector, flow_trader
        Contract addresses.
    """

    seed: str
    tokens: Mapping[str, DeployedToken]
    pools: tuple[DeployedPool, ...]
    accounts: Mapping[str, DevAccount]
    v2_factories: Mapping[str, Address]
    v3_factory: Address = UNISWAP_V3_FACTORY
    weth: Address = WETH
    vault: Address = VAULT
    fees_collector: Address = PROTOCOL_FEES_COLLECTOR
    flow_trader: Address = FLOW_TRADER

    def pool(self, venue: str, first: str, second: str, fee: int | None = None) -> DeployedPool:
        """Return the pool of a venue that trades two symbols, at a fee in ppm if one must be named.

        Raises
        ------
        DevnetError
            If there is none, or more than one.
        """
        wanted = {self.tokens[first].address, self.tokens[second].address}
        found = [
            pool
            for pool in self.pools
            if pool.venue == venue and set(pool.tokens) == wanted and fee in (None, pool.fee)
        ]
        if len(found) != 1:
            raise DevnetError(f"{len(found)} pools of {venue} trade {first} and {second}; name the fee too")
        return found[0]


def build_world(backend: Backend, seed: str = DEFAULT_SEED) -> World:
    """Build the world on an empty chain.

    Parameters
    ----------
    backend
        A node or an EVM in the process; both give the same addresses and the same state.
    seed
        Decides the account keys and nothing else.

    Raises
    ------
    ContractError
        If an artifact is missing.
    DevnetError
        If the chain is not empty or a step reverts.
    """
    if backend.get_code(WETH):
        raise DevnetError("this chain has a world already; start a new node")
    accounts = {name: dev_account(seed, name) for name in ACCOUNT_NAMES}
    for account in accounts.values():
        backend.set_balance(account.address, START_ETHER)
    owner, provider = accounts["deployer"].address, accounts["lp"].address
    place_protocols(backend, owner)
    _fund_provider(backend, owner, provider)
    pools = create_pools(backend, owner, provider)
    fill_vault(backend, provider)
    world = World(
        seed,
        dict(TOKENS),
        pools,
        accounts,
        {"uniswap_v2": UNISWAP_V2_FACTORY, "sushiswap": SUSHISWAP_FACTORY},
    )
    for index in range(TRADERS):
        _equip_trader(backend, world, accounts[f"trader-{index}"].address)
    return world


def fund(backend: Backend, world: World, address: Address, symbol: str, amount: int) -> None:
    """Give an address tokens out of nothing: WETH for new ether, others freshly minted. Its ether stays.

    Parameters
    ----------
    amount
        Raw units.
    """
    token = world.tokens[symbol].address
    owner = world.accounts["deployer"].address
    if token == world.weth:
        backend.set_balance(owner, backend.get_balance(owner) + amount)
        must_send(backend, owner, token, encode_call("deposit()"), amount)
        must_send(backend, owner, token, encode_call("transfer(address,uint256)", address, amount))
    else:
        must_send(backend, owner, token, encode_call("mint(address,uint256)", address, amount))


def balance_of(backend: Backend, token: Address, address: Address) -> int:
    """Return a token balance in raw units."""
    return int(decode_result("uint256", backend.call(token, encode_call("balanceOf(address)", address)))[0])


def approve(backend: Backend, owner: Address, token: Address, spender: Address) -> None:
    """Let a spender move any amount of the owner's tokens."""
    must_send(backend, owner, token, encode_call("approve(address,uint256)", spender, FOREVER))


def _fund_provider(backend: Backend, owner: Address, provider: Address) -> None:
    """Give the liquidity provider what all pools and the vault take, twice over."""
    backend.set_balance(provider, START_ETHER + PROVIDER_WETH)
    must_send(backend, provider, WETH, encode_call("deposit()"), PROVIDER_WETH)
    for symbol, token in TOKENS.items():
        if token.address != WETH:
            amount = PROVIDER_WETH // ETHER * PER_ETHER[symbol]
            must_send(backend, owner, token.address, encode_call("mint(address,uint256)", provider, amount))
        for spender in (FLOW_TRADER, VAULT):
            approve(backend, provider, token.address, spender)


def _equip_trader(backend: Backend, world: World, trader: Address) -> None:
    for symbol, token in world.tokens.items():
        fund(backend, world, trader, symbol, TRADER_ETHER * PER_ETHER[symbol])
        for spender in (world.flow_trader, world.vault):
            approve(backend, trader, token.address, spender)
