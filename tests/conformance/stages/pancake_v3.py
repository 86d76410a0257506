"""Pancake V3's own pools: Uniswap V3's arithmetic under other names."""

from __future__ import annotations

import numpy as np

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import decode_result, encode_call
from chain.devnet.protocols import must_send
from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import UniswapV3Pool
from tests.conformance.stage import Oracle
from tests.conformance.stages.concentrated import OWNER, ConcentratedStage, Layout, Placed, layouts
from tests.conformance.stages.packages import creation_code

POOL = "@pancakeswap/v3-core/artifacts/contracts/PancakeV3Pool.sol/PancakeV3Pool.json"
FEES = ((2_500, 50), (500, 10), (10_000, 200), (100, 1))
"""Fee and spacing, as its factory allows them."""


def deploy_with_parameters(
    backend: PyrevmBackend, deployer: Address, code: bytes, layout: Layout, tokens: tuple[Address, Address]
) -> Address:
    """Create a pool whose constructor asks its deployer for parameters; the owner stands for the factory."""
    signature = "deploy(bytes,(address,address,address,uint24,int24))"
    data = encode_call(signature, code, (OWNER, *tokens, layout.fee, layout.spacing))
    (address,) = decode_result("address", backend.call(deployer, data, OWNER))
    must_send(backend, OWNER, deployer, data)
    must_send(backend, OWNER, address, encode_call("initialize(uint160)", layout.sqrt_price))
    return str(address)


class PancakeV3Stage(ConcentratedStage):
    """Pools of every usual fee, and at the ends of the range."""

    family = "pancake_v3"
    oracle = Oracle("@pancakeswap/v3-core 1.0.2", published=True)

    def __init__(self) -> None:
        ConcentratedStage.__init__(self)
        self.deployer = self.backend.deploy(OWNER, load_artifact("PoolDeployer").bytecode)
        for layout in layouts(FEES):
            self.place(layout)

    def create(self, layout: Layout, tokens: tuple[Address, Address]) -> PoolSpec:
        code = creation_code(POOL)
        address = deploy_with_parameters(self.backend, self.deployer, code, layout, tokens)
        return PoolSpec(self.family, address, address, tokens, layout.fee, layout.spacing)

    def read(self, placed: Placed) -> UniswapV3Pool:
        address = placed.spec.address
        types = "uint160,int24,uint16,uint16,uint16,uint32,bool"
        price, tick, *_ = self.view(address, types, "slot0()")
        (liquidity,) = self.view(address, "uint128", "liquidity()")
        return UniswapV3Pool(placed.spec, price, tick, liquidity, self.tick_map(placed))

    def disturb_otherwise(self, placed: Placed, rng: np.random.Generator) -> None:
        """Let the protocol take a share of the fees, which changes no amount."""
        shares = [int(share) for share in rng.choice([0, 1_000, 4_000], 2)]
        data = encode_call("setFeeProtocol(uint32,uint32)", *shares)
        must_send(self.backend, OWNER, placed.spec.address, data)
