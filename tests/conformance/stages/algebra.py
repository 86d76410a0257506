"""Algebra V1's own factory, oracle and pools; each pool has a time of its own, which a stage moves."""

from __future__ import annotations

import numpy as np

from chain.blocks import Address
from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import encode_arguments, encode_call
from chain.devnet.protocols import must_send
from market.pools.algebra import AlgebraPool
from market.pools.algebra_fee import FeeConfiguration
from market.pools.algebra_oracle import CAPACITY, WINDOW, Timepoint, VolatilityOracle
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from tests.conformance.stage import Oracle, log_uniform
from tests.conformance.stages.concentrated import OWNER, PROVIDER, ConcentratedStage, Layout, Placed, layouts
from tests.conformance.stages.packages import creation_code

CORE = "@cryptoalgebra/v1-core/artifacts/contracts"
SPACING = 60
SLOT_OF_STATE = 2
"""Storage slot of a pool's price, tick, fee and index of the newest timepoint."""
SLOT_OF_LIQUIDITY = 3
"""Storage slot of a pool: liquidity in the lower half, volume per liquidity in the upper half."""
CONFIGURATION = "uint16,uint16,uint32,uint32,uint16,uint16,uint32,uint16,uint16"


class BlocksByHand(PyrevmBackend):
    """An EVM in which all transactions are of one block until :meth:`turn_to` another."""

    def turn_to(self, timestamp: int) -> None:
        """Let the next transactions be of the block of a certain time."""
        self.timestamp = timestamp
        self.evm.set_block_env(self._block())

    def _next_block(self) -> None:
        self.evm.reset_transient_storage()


class AlgebraStage(ConcentratedStage):
    """Pools with busy minutes, quiet days and changing coefficients, and at the ends of the range."""

    family = "algebra_v1"
    oracle = Oracle("@cryptoalgebra/v1-core 1.0.0", published=True)

    def __init__(self) -> None:
        self.clock = BlocksByHand()
        ConcentratedStage.__init__(self, self.clock)
        self.deployer = self.backend.deploy(OWNER, _code("AlgebraPoolDeployer"))
        terms = encode_arguments("address,address", self.deployer, OWNER)
        self.factory = self.backend.deploy(OWNER, _code("AlgebraFactory") + terms)
        must_send(self.backend, OWNER, self.deployer, encode_call("setFactory(address)", self.factory))
        self._timepoints: dict[Address, list[Timepoint]] = {}
        ordinary, *extreme = layouts([(0, SPACING)])
        for layout in (ordinary, ordinary, ordinary, *extreme):
            self.place(layout)
        self._times = dict.fromkeys(self.placed, self.clock.timestamp)

    def create(self, layout: Layout, tokens: tuple[Address, Address]) -> PoolSpec:
        must_send(self.backend, OWNER, self.factory, encode_call("createPool(address,address)", *tokens))
        (pool,) = self.view(self.factory, "address", "poolByPair(address,address)", *tokens)
        must_send(self.backend, OWNER, pool, encode_call("initialize(uint160)", layout.sqrt_price))
        return PoolSpec(self.family, pool, pool, tokens, 0, SPACING)

    def mint(self, spec: PoolSpec, lower: int, upper: int, liquidity: int) -> bool:
        signature = "mintAlgebra(address,address,int24,int24,uint128)"
        data = encode_call(signature, spec.address, PROVIDER, lower, upper, liquidity)
        return self.backend.send(OWNER, self.trader, data).ok

    def read(self, placed: Placed) -> AlgebraPool:
        address = placed.spec.address
        types = "uint160,int24,uint16,uint16,uint8,uint8,bool"
        price, tick, fee, newest, *_ = self.view(address, types, "globalState()")
        packed = self.backend.get_storage(address, SLOT_OF_LIQUIDITY)
        (operator,) = self.view(address, "address", "dataStorageOperator()")
        return AlgebraPool(
            placed.spec,
            price,
            tick,
            packed % 2**128,
            self.tick_map(placed, "tickTable(int16)"),
            fee=fee,
            timestamp=self.backend.timestamp,
            volume=packed >> 128,
            oracle=VolatilityOracle.of(self._history(operator, newest)),
            configuration=FeeConfiguration(*self.view(operator, CONFIGURATION, "feeConfig()")),
        )

    def load(self, pool_id: str) -> Pool:
        self._turn_to(pool_id)
        return ConcentratedStage.load(self, pool_id)

    def swap(self, pool_id: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        self._turn_to(pool_id)
        return ConcentratedStage.swap(self, pool_id, token_in, token_out, amount_in)

    def refuses(self, pool: Pool, token_in: str, token_out: str, amount_in: int, amount_out: int) -> bool:
        self._turn_to(pool.pool_id)
        return ConcentratedStage.refuses(self, pool, token_in, token_out, amount_in, amount_out)

    def disturb(self, pool_id: str, rng: np.random.Generator) -> None:
        """Let time pass, often with trades in it; then change something, before or after a next block."""
        placed = self.placed[pool_id]
        for _ in range(int(rng.integers(0, 8))):
            self._pass(pool_id, log_uniform(rng, 1, 3 * WINDOW))
            self._trade(placed, rng)
        self._pass(pool_id, log_uniform(rng, 1, 3 * WINDOW))
        if rng.random() < 0.7:
            ConcentratedStage.disturb(self, pool_id, rng)
        if rng.random() < 0.5:
            self._pass(pool_id, log_uniform(rng, 1, WINDOW))

    def disturb_otherwise(self, placed: Placed, rng: np.random.Generator) -> None:
        """Change the coefficients of the fee, or let the community take a share of it."""
        address = placed.spec.address
        if rng.random() < 0.3:
            shares = [int(share) for share in rng.integers(0, 251, 2)]
            must_send(self.backend, OWNER, address, encode_call("setCommunityFee(uint8,uint8)", *shares))
            return
        (operator,) = self.view(address, "address", "dataStorageOperator()")
        change = f"changeFeeConfiguration(({CONFIGURATION}))"
        must_send(self.backend, OWNER, operator, encode_call(change, coefficients(rng)))

    def timepoint(self, operator: Address, index: int) -> Timepoint:
        """Read one timepoint."""
        types = "bool,uint32,int56,uint160,uint88,int24,uint144"
        _, time, ticks, _, volatility, average, volume = self.view(
            operator, types, "timepoints(uint256)", index
        )
        return Timepoint(time, ticks, volatility, average, volume)

    def _turn_to(self, pool_id: str) -> None:
        self.clock.turn_to(self._times[pool_id])

    def _pass(self, pool_id: str, seconds: int) -> None:
        self._times[pool_id] += seconds
        self._turn_to(pool_id)

    def _trade(self, placed: Placed, rng: np.random.Generator) -> None:
        pool = self.read(placed)
        token_in, token_out = pool.tokens if rng.random() < 0.5 else pool.tokens[::-1]
        amount = log_uniform(rng, 1, 1.0 * self.typical_size(pool, token_in) + 1)
        self.swap(pool.pool_id, token_in, token_out, amount)

    def _history(self, operator: Address, newest: int) -> list[Timepoint]:
        """Return all timepoints of a pool; one that was written never changes, as long as there is room."""
        assert newest < CAPACITY - 1
        known = self._timepoints.setdefault(operator, [])
        known.extend(self.timepoint(operator, index) for index in range(len(known), newest + 1))
        return known


def _code(name: str) -> bytes:
    return creation_code(f"{CORE}/{name}.sol/{name}.json")


def coefficients(rng: np.random.Generator) -> tuple[int, ...]:
    """Return coefficients that the owner may set: the fee stays below 16 bits, every stretch positive."""
    alpha1, alpha2, base = (int(part) for part in rng.integers(0, 21_845, 3))
    beta1, beta2, volume_beta = (log_uniform(rng, 1, 10**6) for _ in range(3))
    gamma1, gamma2, volume_gamma = (log_uniform(rng, 1, 2**16 - 1) for _ in range(3))
    return alpha1, alpha2, beta1, beta2, gamma1, gamma2, volume_beta, volume_gamma, base
