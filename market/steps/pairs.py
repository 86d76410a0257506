"""Steps of pairs: Uniswap V2 and its forks, and Solidly's."""

from __future__ import annotations

from market.events import PairSwap, PairSync
from market.events_solidly import PairFees, SolidlyCustomFee, SolidlySwap, SolidlySync
from market.pools.pool import Pool
from market.pools.solidly import SolidlyPool, fee_in_force
from market.pools.uniswap_v2 import UniswapV2Pool
from market.steps.step import Speaker, Step, Steps, left_open, unchanged

_PPM_PER_CAMELOT_FEE = 10


def _sync(pool: UniswapV2Pool | SolidlyPool, event: PairSync | SolidlySync) -> Pool:
    return pool.after_sync(event.reserve0, event.reserve1)


def _fees(pool: UniswapV2Pool, event: PairFees) -> Pool:
    return pool.after_fees(event.fee0 * _PPM_PER_CAMELOT_FEE, event.fee1 * _PPM_PER_CAMELOT_FEE)


def _custom_fee(pool: SolidlyPool, event: SolidlyCustomFee) -> Pool:
    # without a fee of its own the pool has the factory's, which no event tells
    return pool.after_fee(fee_in_force(event.fee, 0)) if event.fee else left_open(pool, event)


PAIR_STEPS: Steps = {
    (UniswapV2Pool, PairSync): Step(_sync),
    (UniswapV2Pool, PairSwap): Step(unchanged),
    (UniswapV2Pool, PairFees): Step(_fees),
    (SolidlyPool, SolidlySync): Step(_sync),
    (SolidlyPool, SolidlySwap): Step(unchanged),
    (SolidlyPool, PairSwap): Step(unchanged),
    (SolidlyPool, SolidlyCustomFee): Step(_custom_fee, Speaker.FACTORY),
}
