"""Slipstream pools, whose bytecode is not published: Uniswap V3's own pools with a fee that changes.

Slipstream's pool is a fork of Uniswap V3's in which the fee is asked for instead of built in. So the fee
that the constructor built into the code is overwritten there, as a fee module would change its answer.
"""

from __future__ import annotations

import numpy as np

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import decode_result, encode_call
from market.pools.slipstream import SlipstreamPool
from market.pools.spec import PoolSpec
from tests.conformance.stage import Oracle
from tests.conformance.stages.concentrated import OWNER, ConcentratedStage, Layout, Placed, layouts
from tests.conformance.stages.pancake_v3 import deploy_with_parameters

FEES = ((500, 100), (100, 1), (500, 50), (3_000, 200), (10_000, 2_000))
"""Fee and spacing, as its factory starts."""
_HIGHEST_FEE = 100_000
_PUSH32 = b"\x7f"


def set_fee(backend: PyrevmBackend, pool: Address, fee: int) -> None:
    """Overwrite the fee that is built into a Uniswap V3 pool's code; it must not equal the spacing."""
    (before,) = decode_result("uint24", backend.call(pool, encode_call("fee()")))
    old, new = (_PUSH32 + each.to_bytes(32, "big") for each in (int(before), fee))
    code = backend.get_code(pool)
    assert old in code
    backend.set_code(pool, code.replace(old, new))
    assert decode_result("uint24", backend.call(pool, encode_call("fee()"))) == (fee,)


class SlipstreamStage(ConcentratedStage):
    """Pools of every usual spacing, and at the ends of the range; the fee changes now and then."""

    family = "slipstream"
    oracle = Oracle(
        "@uniswap/v3-core 1.0.1, its fee overwritten",
        published=False,
        vectors="quotes of Slipstream's own tests, see tests/market/test_slipstream.py",
    )

    def __init__(self) -> None:
        ConcentratedStage.__init__(self)
        self.deployer = self.backend.deploy(OWNER, load_artifact("PoolDeployer").bytecode)
        for layout in layouts(FEES):
            self.place(layout)

    def create(self, layout: Layout, tokens: tuple[Address, Address]) -> PoolSpec:
        code = load_artifact("UniswapV3Pool").bytecode
        address = deploy_with_parameters(self.backend, self.deployer, code, layout, tokens)
        return PoolSpec(self.family, address, address, tokens, 0, layout.spacing)

    def read(self, placed: Placed) -> SlipstreamPool:
        address = placed.spec.address
        price, tick = self.view(address, "uint160,int24", "slot0()")
        (liquidity,) = self.view(address, "uint128", "liquidity()")
        (fee,) = self.view(address, "uint24", "fee()")
        return SlipstreamPool(placed.spec, price, tick, liquidity, self.tick_map(placed), fee)

    def disturb_otherwise(self, placed: Placed, rng: np.random.Generator) -> None:
        """Change the fee, sometimes to the least or the most that the factory gives."""
        fee = int(rng.choice([0, _HIGHEST_FEE, int(rng.integers(1, _HIGHEST_FEE))]))
        if fee != placed.spec.tick_spacing:
            set_fee(self.backend, placed.spec.address, fee)
