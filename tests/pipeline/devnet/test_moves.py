"""Sizes of the swaps that open gaps."""

from hypothesis import given
from hypothesis import strategies as st

from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import Q96
from market.pools.weighted import WeightedPool
from pipeline.devnet.moves import amount_for_move

ETHER = 10**18
TOKENS = ("0xa", "0xb")
WEIGHTS = (2 * 10**17, 8 * 10**17)
POOLS: list[Pool] = [
    UniswapV2Pool(PoolSpec("uniswap_v2", "0x1", "0x1", TOKENS, 3000), 500 * ETHER, 10**12),
    UniswapV3Pool(
        PoolSpec("uniswap_v3", "0x2", "0x2", TOKENS, 500, tick_spacing=10),
        Q96,
        0,
        2_000 * ETHER,
        {-6000: 1_000 * ETHER, -50: 1_000 * ETHER, 30: -1_500 * ETHER, 6000: -500 * ETHER},
    ),
    WeightedPool(
        PoolSpec("weighted", "0x3", "0x3", TOKENS, 2500, weights=WEIGHTS),
        (500 * ETHER, 2_000 * ETHER),
        (18, 18),
    ),
]


@given(st.sampled_from(POOLS), st.booleans(), st.floats(0.001, 0.02))
def test_the_price_afterwards_is_the_one_asked_for(pool: Pool, forward: bool, move: float) -> None:
    token_in, token_out = TOKENS if forward else TOKENS[::-1]
    amount = amount_for_move(pool, token_in, token_out, move)
    before = pool.marginal_rate(token_in, token_out)
    after = pool.swap(token_in, token_out, amount).pool.marginal_rate(token_in, token_out)
    assert abs((1 - after / before) - move) < 1e-5


def test_a_pool_that_runs_dry_gives_an_amount_all_the_same() -> None:
    assert amount_for_move(POOLS[2], *TOKENS, 0.9) > 0
