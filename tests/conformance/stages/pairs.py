"""What the stages of pairs share: two tokens each, trading by naming the output, donations, skim and sync."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import decode_result, encode_arguments, encode_call
from chain.devnet.protocols import must_send
from core.errors import DevnetError
from market.pools.pool import Pool
from market.pools.solidly import SolidlyPool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from tests.conformance.stage import log_uniform

OWNER: Address = "0x" + "a0" * 20
"""Deploys, administers, and gives the pairs their tokens."""
RECIPIENT: Address = "0x" + "c0" * 20
"""Receives what is bought."""
SUPPLY = 2**250

Pair = UniswapV2Pool | SolidlyPool


class PairStage(ABC):
    """Pairs that are paid first and then asked for an output; a family says how they are made and read."""

    exact_refusal = True

    def __init__(self) -> None:
        self.backend = PyrevmBackend()
        self.trader = self.backend.deploy(OWNER, load_artifact("PairTrader").bytecode)
        self.specs: dict[str, PoolSpec] = {}
        self._received: dict[Address, int] = {}

    @abstractmethod
    def read(self, spec: PoolSpec) -> Pair:
        """Read a pair's state."""

    @abstractmethod
    def change_liquidity(self, spec: PoolSpec, rng: np.random.Generator) -> None:
        """Add or take out liquidity."""

    @abstractmethod
    def change_otherwise(self, spec: PoolSpec, rng: np.random.Generator) -> None:
        """Change something that is not liquidity."""

    def pool_ids(self) -> tuple[str, ...]:
        return tuple(self.specs)

    def load(self, pool_id: str) -> Pool:
        return self.read(self.specs[pool_id])

    def typical_size(self, pool: Pool, token_in: str) -> int:
        assert isinstance(pool, Pair)
        return max((pool.reserve0 if token_in == pool.tokens[0] else pool.reserve1) // 4, 1)

    def swap(self, pool_id: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        """Sell for what the pair itself quotes."""
        signature = "sellQuoted(address,address,uint256,address)"
        if not self.send(self.trader, signature, pool_id, token_in, amount_in, RECIPIENT):
            return None
        return self.received(token_out)

    def refuses(self, pool: Pool, token_in: str, token_out: str, amount_in: int, amount_out: int) -> bool:
        signature = "sell(address,address,uint256,uint256,address)"
        data = encode_call(signature, pool.address, token_in, amount_in, amount_out, RECIPIENT)
        try:
            self.backend.call(self.trader, data, OWNER)
        except DevnetError:
            return True
        return False

    def disturb(self, pool_id: str, rng: np.random.Generator) -> None:
        spec, choice = self.specs[pool_id], rng.random()
        if choice < 0.3:
            self.change_otherwise(spec, rng)
        elif choice < 0.6:
            self.change_liquidity(spec, rng)
        else:
            self._donate(spec, rng)

    def two_tokens(self, decimals: tuple[int, int]) -> tuple[Address, Address]:
        """Create two tokens in the order of their addresses; the trader and the owner hold plenty."""
        first = self._token(decimals[0])
        second = self._token(decimals[1])
        while second < first:
            second = self._token(decimals[1])
        return first, second

    def send(self, to: Address, signature: str, *arguments: Any) -> bool:
        """Send a call of the owner's; return whether it did what it was told."""
        return self.backend.send(OWNER, to, encode_call(signature, *arguments)).ok

    def deploy(self, name: str, types: str = "", *arguments: Any) -> Address:
        """Create one of the contracts by name."""
        return self.backend.deploy(OWNER, load_artifact(name).bytecode + encode_arguments(types, *arguments))

    def view(self, to: Address, types: str, signature: str, *arguments: Any) -> tuple[Any, ...]:
        """Return what a read-only call answers."""
        return decode_result(types, self.backend.call(to, encode_call(signature, *arguments), OWNER))

    def give(self, spec: PoolSpec, amounts: tuple[int, int]) -> None:
        """Send tokens to a pair, which has not noticed them yet."""
        for token, amount in zip(spec.tokens, amounts, strict=True):
            assert self.send(token, "transfer(address,uint256)", spec.address, amount)

    def received(self, token: Address) -> int:
        """Return how much of a token has come in since this was asked last."""
        before = self._received.get(token, 0)
        (after,) = self.view(token, "uint256", "balanceOf(address)", RECIPIENT)
        self._received[token] = after
        return int(after - before)

    def reserves(self, spec: PoolSpec) -> tuple[int, int]:
        """Return what a pair takes for its balances."""
        reserve0, reserve1, _ = self.view(spec.address, "uint256,uint256,uint256", "getReserves()")
        return int(reserve0), int(reserve1)

    def take_or_add(self, spec: PoolSpec, rng: np.random.Generator) -> None:
        """Take up to a fifth of the balances, or add up to a quarter; of our own pairs only."""
        shares = (rng.uniform(0, 0.25), rng.uniform(0, 0.25))
        adding = rng.random() < 0.5
        part0, part1 = (
            int(reserve * (share if adding else share / (1 + share)))
            for reserve, share in zip(self.reserves(spec), shares, strict=True)
        )
        if adding:
            self.give(spec, (part0, part1))
            if not self.send(spec.address, "sync()"):
                assert self.send(spec.address, "skim(address)", OWNER)
        else:
            assert self.send(spec.address, "take(uint256,uint256)", part0, part1)

    def _donate(self, spec: PoolSpec, rng: np.random.Generator) -> None:
        """Give a pair something, and make it take it for its own, or give it away."""
        most0, most1 = (max(reserve / 10, 2) for reserve in self.reserves(spec))
        self.give(spec, (log_uniform(rng, 1, most0), log_uniform(rng, 1, most1)))
        kept = rng.random() < 0.5 and self.send(spec.address, "sync()")
        if not kept:
            assert self.send(spec.address, "skim(address)", OWNER)

    def _token(self, decimals: int) -> Address:
        token = self.deploy("TestToken", "string,string,uint8,address", "token", "TOKEN", decimals, OWNER)
        for holder in (self.trader, OWNER):
            must_send(self.backend, OWNER, token, encode_call("mint(address,uint256)", holder, SUPPLY))
        return token
