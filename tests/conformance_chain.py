"""Real pools in an EVM, and our market that follows them by their logs only."""

from __future__ import annotations

import asyncio
import math

import numpy as np

from chain.devnet.backend import PyrevmBackend, Receipt
from chain.devnet.world import World, build_world, fund
from core.errors import SwapRefused
from core.reasons import Reason
from market.pools.pool import Pool, Swap
from market.state import Applied, MarketState
from pipeline.bootstrap import load_market
from tests.pyrevm_node import PyrevmNode, specs_of, tokens_of

SWAPS = 2_000
RELOAD_EVERY = 250


class Chain:
    """The world in an EVM, and our market state that follows it by its logs only."""

    def __init__(self) -> None:
        self.backend = PyrevmBackend()
        self.world: World = build_world(self.backend)
        self.node = PyrevmNode(self.backend)
        self.trader = self.world.accounts["trader-0"].address
        for symbol, amount in (("WETH", 10**26), ("DAI", 10**30), ("USDC", 10**18), ("WBTC", 10**18)):
            fund(self.backend, self.world, self.trader, symbol, amount)
        self.state = self.load()

    def load(self) -> MarketState:
        return asyncio.run(load_market(self.node, specs_of(self.world), tokens_of(self.world)))

    def send(self, to: str, data: bytes) -> tuple[Receipt, Applied]:
        receipt = self.backend.send(self.trader, to, data)
        return receipt, self.state.apply(self.node.block(receipt))

    def assert_state_is_the_chains(self) -> None:
        assert dict(self.load().pools) == dict(self.state.pools)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> int:
    return int(10 ** rng.uniform(math.log10(low), math.log10(high)))


def swap_or_reason(pool: Pool, token_in: str, token_out: str, amount_in: int) -> Swap | Reason:
    try:
        return pool.swap(token_in, token_out, amount_in)
    except SwapRefused as refused:
        reason: Reason = refused.fields["reason"]
        return reason


def pools_of(chain: Chain, family: type) -> list[str]:
    return [pool_id for pool_id, pool in chain.state.pools.items() if isinstance(pool, family)]
