"""Copies of Uniswap V2 with other fees: one for both tokens (PancakeSwap), and one for each (Camelot).

Their bytecode is not published, so these are our own pairs with those fees and those product checks.
"""

from __future__ import annotations

import numpy as np

from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import MAX_RESERVE, UniswapV2Pool
from tests.conformance.stage import Oracle
from tests.conformance.stages.pairs import PairStage

RESERVES = (
    (1_000 * 10**18, 2_000_000 * 10**6),
    (50 * 10**8, 1_000 * 10**18),
    (3 * 10**24, 7 * 10**23),
    (1, 10**18),
    (3, 2),
    (MAX_RESERVE - 10**30, 10**30),
    (MAX_RESERVE // 2, 3 * 10**6),
    (0, 0),
)


class ForkStage(PairStage):
    """Our own pairs, in one of the two manners."""

    family = "uniswap_v2"
    denominator: int
    rounds_fee_down: bool
    starting_fees: tuple[tuple[int, int], ...]

    def __init__(self) -> None:
        super().__init__()
        for index, reserves in enumerate(RESERVES):
            self._place(reserves, self.starting_fees[index % len(self.starting_fees)])

    def change_liquidity(self, spec: PoolSpec, rng: np.random.Generator) -> None:
        self.take_or_add(spec, rng)

    def reserves(self, spec: PoolSpec) -> tuple[int, int]:
        return self._state(spec)[:2]

    def _state(self, spec: PoolSpec) -> tuple[int, int, int, int]:
        types = "uint112,uint112,uint16,uint16"
        reserve0, reserve1, fee0, fee1 = self.view(spec.address, types, "getReserves()")
        return int(reserve0), int(reserve1), int(fee0), int(fee1)

    def _place(self, reserves: tuple[int, int], fees: tuple[int, int]) -> None:
        tokens = self.two_tokens((18, 18))
        terms = (*tokens, self.denominator, *fees, self.rounds_fee_down)
        pair = self.deploy("FeePair", "address,address,uint256,uint16,uint16,bool", *terms)
        self.specs[pair] = PoolSpec("uniswap_v2", pair, pair, tokens, 0)
        self.give(self.specs[pair], reserves)
        assert self.send(pair, "sync()")


class PancakeV2Stage(ForkStage):
    """25 in 10000 of either token, and 10 for a fee that no one else has."""

    oracle = Oracle(
        "our FeePair",
        published=False,
        vectors="PancakeSwap's 9975/10000; at 3 in 1000 it is Uniswap's own pair",
    )
    denominator = 10_000
    rounds_fee_down = False
    starting_fees = ((25, 25), (25, 25), (10, 10))

    def read(self, spec: PoolSpec) -> UniswapV2Pool:
        reserve0, reserve1, fee, _ = self._state(spec)
        known = PoolSpec(spec.family, spec.pool_id, spec.address, spec.tokens, fee * 100)
        return UniswapV2Pool(known, reserve0, reserve1)

    def change_otherwise(self, spec: PoolSpec, rng: np.random.Generator) -> None:
        fee = int(rng.integers(0, 100))
        assert self.send(spec.address, "setFeePercent(uint16,uint16)", fee, fee)


class CamelotV2Stage(ForkStage):
    """A fee for each token; the pair accepts a little more than it quotes, so one more is not refused."""

    exact_refusal = False
    oracle = Oracle(
        "our FeePair",
        published=False,
        vectors="Camelot's formula; at equal fees the quotes are Uniswap's",
    )
    denominator = 100_000
    rounds_fee_down = True
    starting_fees = ((300, 300), (5, 2_000), (1, 250))

    def read(self, spec: PoolSpec) -> UniswapV2Pool:
        reserve0, reserve1, *fees = self._state(spec)
        return UniswapV2Pool(spec, reserve0, reserve1).after_fees(fees[0] * 10, fees[1] * 10)

    def change_otherwise(self, spec: PoolSpec, rng: np.random.Generator) -> None:
        fees = (int(rng.integers(1, 2_001)), int(rng.integers(1, 2_001)))
        assert self.send(spec.address, "setFeePercent(uint16,uint16)", *fees)
