"""Uniswap V3's own factory and pools."""

from __future__ import annotations

import numpy as np

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.calldata import decode_result, encode_call
from chain.devnet.protocols import must_send
from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import UniswapV3Pool
from tests.conformance.stage import Oracle
from tests.conformance.stages.concentrated import OWNER, ConcentratedStage, Layout, Placed, layouts

FACTORY_FEES = {(500, 10), (3_000, 60), (10_000, 200)}
"""What a new factory allows."""
FEES = ((3_000, 60), (500, 10), (10_000, 200), (100, 1), (0, 1_000), (999_999, 16_383))
"""Fee and spacing; the last ones are the least and the most that an owner may allow."""


class UniswapV3Stage(ConcentratedStage):
    """Pools of every usual fee, of the least and the most, and at the ends of the range."""

    family = "uniswap_v3"
    oracle = Oracle("@uniswap/v3-core 1.0.1", published=True)

    def __init__(self) -> None:
        ConcentratedStage.__init__(self)
        self.factory = self.backend.deploy(OWNER, load_artifact("UniswapV3Factory").bytecode)
        for fee, spacing in FEES:
            if (fee, spacing) not in FACTORY_FEES:
                allow = encode_call("enableFeeAmount(uint24,int24)", fee, spacing)
                must_send(self.backend, OWNER, self.factory, allow)
        for layout in layouts(FEES):
            self.place(layout)

    def create(self, layout: Layout, tokens: tuple[Address, Address]) -> PoolSpec:
        terms = (*tokens, layout.fee)
        create = encode_call("createPool(address,address,uint24)", *terms)
        must_send(self.backend, OWNER, self.factory, create)
        (address,) = self.view(self.factory, "address", "getPool(address,address,uint24)", *terms)
        initialize = encode_call("initialize(uint160)", layout.sqrt_price)
        must_send(self.backend, OWNER, address, initialize)
        return PoolSpec(self.family, address, address, tokens, layout.fee, layout.spacing)

    def read(self, placed: Placed) -> UniswapV3Pool:
        address = placed.spec.address
        price, tick = decode_result("uint160,int24", self.backend.call(address, encode_call("slot0()")))
        (liquidity,) = self.view(address, "uint128", "liquidity()")
        return UniswapV3Pool(placed.spec, price, tick, liquidity, self.tick_map(placed))

    def disturb_otherwise(self, placed: Placed, rng: np.random.Generator) -> None:
        """Let the protocol take a share of the fees, which changes no amount."""
        shares = [int(share) for share in rng.choice([0, 4, 10], 2)]
        data = encode_call("setFeeProtocol(uint8,uint8)", *shares)
        must_send(self.backend, OWNER, placed.spec.address, data)
