"""Uniswap V2's own pairs, as published; one-wei reserves and the edge of 112 bits among them."""

from __future__ import annotations

import numpy as np

from chain.blocks import Address
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import MAX_RESERVE, UniswapV2Pool
from tests.conformance.stage import Oracle
from tests.conformance.stages.pairs import OWNER, RECIPIENT, PairStage

NOBODY: Address = "0x" + "00" * 20
RESERVES = (
    (1_000 * 10**18, 2_000_000 * 10**6),
    (50 * 10**8, 1_000 * 10**18),
    (3 * 10**24, 7 * 10**23),
    (10**18, 10**18 + 1),
    (1, 10**18),  # one unit
    (10**25, 2),
    (1_500, 1_700),
    (MAX_RESERVE, MAX_RESERVE),  # every input is too much
    (MAX_RESERVE - 10**30, 10**30),
    (MAX_RESERVE // 2, 3 * 10**6),
    (0, 0),
)


class UniswapV2Stage(PairStage):
    """A factory and its pairs; the output is named by the router's formula."""

    family = "uniswap_v2"
    oracle = Oracle("@uniswap/v2-core 1.0.1", published=True)

    def __init__(self) -> None:
        super().__init__()
        self.factory = self.deploy("UniswapV2Factory", "address", OWNER)
        for reserves in RESERVES:
            self._place(reserves)

    def read(self, spec: PoolSpec) -> UniswapV2Pool:
        return UniswapV2Pool(spec, *self.reserves(spec))

    def swap(self, pool_id: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        spec = self.specs[pool_id]
        reserve_in, reserve_out = self.reserves(spec)
        if token_in != spec.tokens[0]:
            reserve_in, reserve_out = reserve_out, reserve_in
        taxed = amount_in * 997
        named = taxed * reserve_out // (reserve_in * 1000 + taxed)
        signature = "sell(address,address,uint256,uint256,address)"
        if not self.send(self.trader, signature, pool_id, token_in, amount_in, max(named, 1), RECIPIENT):
            return None
        return self.received(token_out)

    def change_liquidity(self, spec: PoolSpec, rng: np.random.Generator) -> None:
        """Mint, about in proportion, or burn up to a fifth of what there is."""
        if rng.random() < 0.5:
            amount0, amount1 = (int(reserve * rng.uniform(0.0, 0.25)) for reserve in self.reserves(spec))
            self.give(spec, (amount0, amount1))
            if not self.send(spec.address, "mint(address)", OWNER):
                assert self.send(spec.address, "skim(address)", OWNER)
        else:
            (shares,) = self.view(spec.address, "uint256", "balanceOf(address)", OWNER)
            burned = int(shares * rng.uniform(0.0, 0.2))
            assert self.send(spec.address, "transfer(address,uint256)", spec.address, burned)
            if not self.send(spec.address, "burn(address)", OWNER):  # too little to burn: it stays there
                assert self.send(spec.address, "sync()")

    def change_otherwise(self, spec: PoolSpec, rng: np.random.Generator) -> None:
        """Turn the protocol's share of the fee on or off, which no trade notices."""
        receiver = OWNER if rng.random() < 0.5 else NOBODY
        assert self.send(self.factory, "setFeeTo(address)", receiver)

    def _place(self, reserves: tuple[int, int]) -> None:
        tokens = self.two_tokens((18, 18))
        assert self.send(self.factory, "createPair(address,address)", *tokens)
        (pair,) = self.view(self.factory, "address", "getPair(address,address)", *tokens)
        spec = PoolSpec("uniswap_v2", pair, pair, tokens, 3_000)
        self.specs[pair] = spec
        if all(reserves):
            self.give(spec, reserves)
            assert self.send(pair, "mint(address)", OWNER)
