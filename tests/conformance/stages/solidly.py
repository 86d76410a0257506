"""Pools of both Solidly curves, our own contract: the protocols publish no bytecode."""

from __future__ import annotations

import numpy as np

from market.pools.solidly import STABLE, VOLATILE, SolidlyPool
from market.pools.spec import PoolSpec
from tests.conformance.stage import Oracle
from tests.conformance.stages.pairs import PairStage

Layout = tuple[tuple[int, int], tuple[int, int]]
"""Decimals and reserves."""

VOLATILE_LAYOUTS: tuple[Layout, ...] = (
    ((18, 6), (1_000 * 10**18, 2_000_000 * 10**6)),
    ((8, 18), (50 * 10**8, 1_000 * 10**18)),
    ((18, 18), (3 * 10**24, 7 * 10**23)),
    ((18, 18), (1, 10**18)),
    ((18, 18), (3, 2)),
    ((18, 18), (2**128 - 1, 2**128 - 1)),  # the product is at the edge of 256 bits
    ((18, 18), (2**200, 2**50)),  # so is the record of fees
    ((18, 18), (0, 0)),
)
STABLE_LAYOUTS: tuple[Layout, ...] = (
    ((18, 18), (10**24, 9 * 10**23)),
    ((6, 18), (10**12, 9 * 10**23)),
    ((18, 6), (8 * 10**23, 10**12)),
    ((6, 6), (3 * 10**12, 4 * 10**12)),
    ((8, 18), (50 * 10**8, 70 * 10**18)),
    ((2, 18), (10**5, 10**21)),  # a unit is worth a lot
    ((24, 6), (10**30, 10**12)),
    ((18, 18), (10**24, 10**19)),  # far out of balance
    ((6, 18), (5 * 10**6, 10**24)),
    ((6, 6), (10**4, 10**13)),
    ((18, 18), (10**28, 9 * 10**27)),  # the curve is at the edge of 256 bits
    ((18, 18), (0, 0)),
)
DUST_LAYOUTS: tuple[Layout, ...] = (
    ((18, 18), (10**17, 10**17)),
    ((18, 18), (10**15, 3 * 10**15)),
    ((6, 18), (10**3, 10**15)),
    ((18, 18), (10**12, 10**12)),
    ((18, 18), (1_000, 1_000)),  # the curve is zero
)
"""So little on the stable curve that its rounding can pay for a trade there and back."""


class SolidlyStage(PairStage):
    """Pools, each with a factory of its own, so that its fees are its own."""

    layouts: tuple[Layout, ...]
    family: str

    def __init__(self) -> None:
        super().__init__()
        self.factories: dict[str, str] = {}
        self.beginnings: dict[str, tuple[int, int]] = {}
        for decimals, reserves in self.layouts:
            self._place(decimals, reserves)

    def read(self, spec: PoolSpec) -> SolidlyPool:
        stable = self.family == STABLE
        types = "uint256,uint256,uint256,uint256,bool,address,address"
        unit0, unit1, reserve0, reserve1, found, *tokens = self.view(spec.address, types, "metadata()")
        assert (found, tuple(tokens)) == (stable, spec.tokens)
        factory = self.factories[spec.pool_id]
        (fee,) = self.view(factory, "uint256", "getFee(address,bool)", spec.address, stable)
        decimals = (len(str(unit0)) - 1, len(str(unit1)) - 1)
        return SolidlyPool(spec, reserve0, reserve1, decimals).after_fee(fee * 100)

    def change_liquidity(self, spec: PoolSpec, rng: np.random.Generator) -> None:
        """Take or add a little, or bring the pool back to where it began, before it has drifted off."""
        if rng.random() < 0.7:
            self.take_or_add(spec, rng)
        else:
            self._restore(spec)

    def change_otherwise(self, spec: PoolSpec, rng: np.random.Generator) -> None:
        """Set the pool's own fee, or no fee, or the default one."""
        factory, fee = self.factories[spec.pool_id], int(rng.integers(1, 301))
        if rng.random() < 0.3:
            assert self.send(factory, "setFee(bool,uint256)", self.family == STABLE, fee)
        custom = int(rng.choice([0, 420, fee]))
        assert self.send(factory, "setCustomFee(address,uint256)", spec.address, custom)

    def _restore(self, spec: PoolSpec) -> None:
        over0, over1 = (
            now - then for now, then in zip(self.reserves(spec), self.beginnings[spec.pool_id], strict=True)
        )
        assert self.send(spec.address, "take(uint256,uint256)", max(over0, 0), max(over1, 0))
        self.give(spec, (max(-over0, 0), max(-over1, 0)))
        assert self.send(spec.address, "sync()")

    def _place(self, decimals: tuple[int, int], reserves: tuple[int, int]) -> None:
        tokens, factory = self.two_tokens(decimals), self.deploy("SolidlyFactory")
        data = (*tokens, self.family == STABLE)
        signature = "createPool(address,address,bool)"
        (pool,) = self.view(factory, "address", signature, *data)
        assert self.send(factory, signature, *data)
        self.factories[pool], self.beginnings[pool] = factory, reserves
        self.specs[pool] = PoolSpec(self.family, pool, pool, tokens, 0)
        self.give(self.specs[pool], reserves)
        assert self.send(pool, "sync()")


class SolidlyVolatileStage(SolidlyStage):
    family = VOLATILE
    layouts = VOLATILE_LAYOUTS
    oracle = Oracle("our SolidlyPool", published=False, vectors="Aerodrome V2's code, 50 vectors")


class SolidlyStableStage(SolidlyStage):
    """What the pool quotes is not always the most it would pay, so one more is not refused."""

    exact_refusal = False
    family = STABLE
    layouts = STABLE_LAYOUTS
    oracle = Oracle("our SolidlyPool", published=False, vectors="Aerodrome V2's code, 50 vectors")


class SolidlyDustStage(SolidlyStableStage):
    layouts = DUST_LAYOUTS
