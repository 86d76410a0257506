"""Order flow: the traders and liquidity providers whose orders open the gaps that searchers close.

What a block brings depends on the seed, the block's number and the state, and on nothing else.
Users look at the base fee before they trade, which keeps it where a real market keeps it:
somewhere between their bids.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import log
from typing import Protocol

import numpy as np

from chain.blocks import BlockHeader, next_base_fee
from chain.devnet.accounts import DevAccount
from chain.devnet.flow import Call, burn_v3, collect_v3, mint_v3, swap_v2, swap_v3, swap_vault
from chain.devnet.liquidity import PER_ETHER
from chain.devnet.world import World
from chain.providers import Provider
from chain.signers import Wallet
from core.reasons import Reason, Refusal
from core.seams import Randomness
from execution.relays.transactions import SignedTransaction, decode_transaction
from market.pools.pool import Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.state import MarketState
from pipeline.devnet.market import SharedMarket
from pipeline.devnet.moves import amount_for_move

USERS_PER_BLOCK = 10.0
"""Mean number of people who think about a swap."""
WILLING_MEDIAN = 18e9
"""Wei per gas that half of them would pay."""
WILLING_SPREAD = 0.7
"""Standard deviation of its logarithm."""
SWAP_MEDIAN = 0.3
"""Ether's worth of a usual swap."""
SWAP_LARGEST = 4.0
LARGE_SWAP_CHANCE = 0.5
GAP_BPS = (20.0, 150.0)
"""Range of the price move of a large swap, in basis points."""
LIQUIDITY_CHANCE = 0.12
PULL = 8.0
"""How strongly a large swap leans back to the price at the start."""

_GWEI = 10**9
_ETHER = 10**18
_GAS = {"uniswap_v2": 180_000, "uniswap_v3": 400_000, "weighted": 250_000}
_LIQUIDITY_GAS = 500_000


class Mempool(Protocol):
    """Where public transactions go; :class:`execution.relays.builder.Builder` is one."""

    async def add_public(self, transaction: SignedTransaction) -> Refusal | None:
        """Take a transaction, or say why not."""
        ...


@dataclass(frozen=True, slots=True)
class _Order:
    account: str
    call: Call
    gas: int
    tip: int


@dataclass(frozen=True, slots=True)
class _Position:
    pool: str
    lower: int
    upper: int
    liquidity: int


class OrderFlow:
    """All ordinary users of the local chain.

    Parameters
    ----------
    world
        Contracts and funded accounts.
    market
        State that users look at.
    mempool
        Where they send.
    provider
        The node, for their nonces.
    randomness
        Seed; stream ``flow-<block>`` decides what block ``<block>`` brings.
    chain_id
        Signed into every transaction.
    """

    name = "flow"

    def __init__(
        self,
        world: World,
        market: SharedMarket,
        mempool: Mempool,
        provider: Provider,
        randomness: Randomness,
        chain_id: int,
    ) -> None:
        self.refused: Counter[Reason] = Counter()
        self.sent = 0
        self._world = world
        self._market = market
        self._mempool = mempool
        self._provider = provider
        self._randomness = randomness
        self._chain_id = chain_id
        self._traders = sorted(name for name in world.accounts if name.startswith("trader-"))
        self._wallets = {name: _wallet(world.accounts[name]) for name in (*self._traders, "lp")}
        self._nonces: dict[str, int] = {}
        self._first_rates: dict[str, float] = {}
        self._positions: list[_Position] = []

    async def act(self, head: BlockHeader) -> None:
        """Send what users want in the block after ``head``."""
        state = await self._market.at(head)
        base_fee = next_base_fee(head)
        if not self._first_rates:
            self._first_rates = {
                pool_id: pool.marginal_rate(*pool.tokens[:2]) for pool_id, pool in state.pools.items()
            }
        draw = self._randomness.stream(f"flow-{head.number + 1}")
        for order in self._orders(draw, state, base_fee):
            await self._send(order, base_fee)

    def _orders(self, draw: np.random.Generator, state: MarketState, base_fee: int) -> list[_Order]:
        orders = [
            order
            for willing, order in (
                self._small_swap(draw, state) for _ in range(draw.poisson(USERS_PER_BLOCK))
            )
            if willing >= base_fee
        ]
        if draw.random() < LARGE_SWAP_CHANCE:
            orders.append(self._large_swap(draw, state))
        if draw.random() < LIQUIDITY_CHANCE:
            orders += self._liquidity(draw, state)
        return orders

    def _small_swap(self, draw: np.random.Generator, state: MarketState) -> tuple[float, _Order]:
        """Return what the user would pay per gas, and the swap."""
        willing = WILLING_MEDIAN * float(np.exp(draw.normal(0.0, WILLING_SPREAD)))
        ether = min(SWAP_MEDIAN * float(np.exp(draw.normal(0.0, 1.0))), SWAP_LARGEST)
        pool = _choose_pool(draw, state)
        zero_in = bool(draw.random() < 0.5)
        symbol = self._symbol(pool, zero_in)
        amount = int(ether * PER_ETHER[symbol])
        return willing, self._swap(draw, pool, zero_in, amount)

    def _large_swap(self, draw: np.random.Generator, state: MarketState) -> _Order:
        pool = _choose_pool(draw, state)
        token0, token1 = pool.tokens[:2]
        above_start = log(pool.marginal_rate(token0, token1) / self._first_rates[pool.pool_id])
        # selling token0 lowers its price, so it is the likelier the higher the price stands
        zero_in = bool(draw.random() < min(max(0.5 + PULL * above_start, 0.1), 0.9))
        token_in, token_out = (token0, token1) if zero_in else (token1, token0)
        amount = amount_for_move(pool, token_in, token_out, float(draw.uniform(*GAP_BPS)) / 10_000)
        return self._swap(draw, pool, zero_in, amount)

    def _swap(self, draw: np.random.Generator, pool: Pool, zero_in: bool, amount: int) -> _Order:
        trader = self._traders[int(draw.integers(len(self._traders)))]
        sender = self._world.accounts[trader].address
        router = self._world.flow_trader
        token_in, token_out = pool.tokens[:2] if zero_in else pool.tokens[1::-1]
        if pool.family == "uniswap_v2":
            call = swap_v2(router, pool.address, zero_in, amount)
        elif pool.family == "uniswap_v3":
            call = swap_v3(router, pool.address, zero_in, amount)
        else:
            call = swap_vault(self._world.vault, pool.pool_id, sender, token_in, token_out, amount)
        return _Order(trader, call, _GAS[pool.family], _tip(draw))

    def _liquidity(self, draw: np.random.Generator, state: MarketState) -> list[_Order]:
        """Open a position around the price, or close the oldest one."""
        pools = [pool for _, pool in sorted(state.pools.items()) if isinstance(pool, UniswapV3Pool)]
        pool = pools[int(draw.integers(len(pools)))]
        share, width = float(draw.uniform(0.05, 0.25)), int(draw.integers(2, 12))
        tip = _tip(draw)
        if self._positions and draw.random() < 0.5:
            old = self._positions.pop(0)
            burn = burn_v3(old.pool, old.lower, old.upper, old.liquidity)
            collect = collect_v3(old.pool, self._world.accounts["lp"].address, old.lower, old.upper)
            return [_Order("lp", call, _LIQUIDITY_GAS, tip) for call in (burn, collect)]
        spacing = pool.spec.tick_spacing
        middle = pool.tick // spacing * spacing
        lower, upper = middle - width * spacing, middle + (width + 1) * spacing
        position = _Position(pool.pool_id, lower, upper, max(int(pool.liquidity * share), 1))
        self._positions.append(position)
        mint = mint_v3(self._world.flow_trader, pool.address, lower, upper, position.liquidity)
        return [_Order("lp", mint, _LIQUIDITY_GAS, tip)]

    def _symbol(self, pool: Pool, zero_in: bool) -> str:
        address = pool.tokens[0 if zero_in else 1]
        return next(symbol for symbol, token in self._world.tokens.items() if token.address == address)

    async def _send(self, order: _Order, base_fee: int) -> None:
        wallet = self._wallets[order.account]
        if order.account not in self._nonces:
            answer = await self._provider.call("eth_getTransactionCount", [wallet.address, "latest"])
            self._nonces[order.account] = int(answer, 16)
        raw, _ = wallet.sign_transaction(
            {
                "chainId": self._chain_id,
                "nonce": self._nonces[order.account],
                "maxPriorityFeePerGas": order.tip,
                "maxFeePerGas": 2 * base_fee + order.tip,
                "gas": order.gas,
                "to": order.call.to,
                "data": order.call.data,
            }
        )
        refusal = await self._mempool.add_public(decode_transaction(raw, self._chain_id))
        if refusal is None:
            self._nonces[order.account] += 1
            self.sent += 1
        else:
            self.refused[refusal.reason] += 1


def _wallet(account: DevAccount) -> Wallet:
    return Wallet.from_key(account.key)


def _choose_pool(draw: np.random.Generator, state: MarketState) -> Pool:
    names = sorted(state.pools)
    return state.pools[names[int(draw.integers(len(names)))]]


def _tip(draw: np.random.Generator) -> int:
    return int(_GWEI * float(np.exp(draw.normal(-1.0, 0.8))))
