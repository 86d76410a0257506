"""Steps of pools with concentrated liquidity."""

from __future__ import annotations

from market.events import V3Burn, V3Initialize, V3Mint, V3Swap
from market.events_v3_family import (
    AlgebraFee,
    AlgebraFeeConfiguration,
    PancakeV3Swap,
    V4Initialize,
    V4ModifyLiquidity,
    V4ProtocolFee,
    V4Swap,
)
from market.pools.algebra import AlgebraPool
from market.pools.concentrated import ConcentratedPool
from market.pools.pool import Pool
from market.pools.slipstream import SlipstreamPool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.uniswap_v4 import UniswapV4Pool
from market.steps.step import Speaker, Step, Steps, contradiction


def _initialize(pool: ConcentratedPool, event: V3Initialize | V4Initialize) -> Pool:
    return pool.after_initialize(event.sqrt_price_x96, event.tick)


def _swap(pool: ConcentratedPool, event: V3Swap) -> Pool:
    state = event.sqrt_price_x96, event.liquidity, event.tick
    return pool.after_swap(event.amount0, event.amount1, *state)


def _mint(pool: ConcentratedPool, event: V3Mint) -> Pool:
    return pool.after_position(event.lower, event.upper, event.amount)


def _burn(pool: ConcentratedPool, event: V3Burn) -> Pool:
    return pool.after_position(event.lower, event.upper, -event.amount)


def _modify(pool: UniswapV4Pool, event: V4ModifyLiquidity) -> Pool:
    return pool.after_position(event.lower, event.upper, event.amount)


def _protocol_fee(pool: UniswapV4Pool, event: V4ProtocolFee) -> Pool:
    return pool.with_protocol_fee(event.protocol_fee)


def _renewed_fee(pool: AlgebraPool, event: AlgebraFee) -> Pool:
    begun = pool.begun()
    if begun.fee != event.fee:
        raise contradiction(pool, f"the block's fee is {event.fee} pips, the oracle gives {begun.fee}")
    return begun


def _configuration(pool: AlgebraPool, event: AlgebraFeeConfiguration) -> Pool:
    return pool.with_configuration(event.configuration)


def _liquidity(family: type[ConcentratedPool]) -> Steps:
    """Return the steps that families with events of Uniswap V3 share."""
    return {
        (family, V3Initialize): Step(_initialize),
        (family, V3Mint): Step(_mint),
        (family, V3Burn): Step(_burn),
    }


CONCENTRATED_STEPS: Steps = {
    **_liquidity(UniswapV3Pool),
    **_liquidity(SlipstreamPool),
    **_liquidity(AlgebraPool),
    (UniswapV3Pool, V3Swap): Step(_swap),
    (UniswapV3Pool, PancakeV3Swap): Step(_swap),
    (SlipstreamPool, V3Swap): Step(_swap),
    (AlgebraPool, V3Swap): Step(_swap),
    (AlgebraPool, AlgebraFee): Step(_renewed_fee),
    (AlgebraPool, AlgebraFeeConfiguration): Step(_configuration, Speaker.FACTORY),
    (UniswapV4Pool, V4Initialize): Step(_initialize),
    (UniswapV4Pool, V4Swap): Step(_swap),
    (UniswapV4Pool, V4ModifyLiquidity): Step(_modify),
    (UniswapV4Pool, V4ProtocolFee): Step(_protocol_fee),
}
