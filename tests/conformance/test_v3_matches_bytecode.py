"""V3 pools against the real contracts in an EVM: to the wei, in both directions, state included."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from chain.devnet.calldata import encode_call
from chain.devnet.flow import burn_v3, mint_v3, swap_v3
from chain.devnet.world import approve, fund
from market.events import V3Swap
from market.invariants import SwapCheck, check_swap
from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import sqrt_ratio_at_tick
from pipeline.bootstrap import load_market
from tests.conformance_chain import RELOAD_EVERY, SWAPS, Chain, log_uniform, pools_of
from tests.pyrevm_node import tokens_of


def test_a_v3_pool_walks_its_ticks_exactly_as_we_do(chain: Chain) -> None:
    rng = np.random.default_rng(3)
    ids = pools_of(chain, UniswapV3Pool)
    crossed = words = partial = 0
    for step in range(SWAPS):
        pool = chain.state.pools[ids[rng.integers(len(ids))]]
        assert isinstance(pool, UniswapV3Pool)
        if rng.random() < 0.1 and abs(pool.tick) < 400_000:
            change_liquidity(chain, pool, rng)
            continue
        falls = bool(rng.integers(2))
        amount = v3_amount(pool, falls, rng)
        walk = pool.walk(falls, amount)
        if not walk.amount_in and not walk.amount_out:
            continue
        call = swap_v3(chain.world.flow_trader, pool.address, falls, amount % 2**256)
        receipt, applied = chain.send(call.to, call.data)
        assert receipt.ok
        (event,) = applied.events
        assert isinstance(event, V3Swap)
        expected = (walk.amount_in, -walk.amount_out) if falls else (-walk.amount_out, walk.amount_in)
        assert (event.amount0, event.amount1) == expected
        assert chain.state.pools[pool.pool_id] == walk.pool
        assert check_swap(pool, event) == SwapCheck(True, walk.crossed, "")
        crossed += walk.crossed
        words += walk.steps - walk.crossed > 1
        partial += walk.remaining != 0
        if step % RELOAD_EVERY == 0:
            chain.assert_state_is_the_chains()
    assert crossed > SWAPS / 10
    assert words > SWAPS / 50
    assert partial > 5


def v3_amount(pool: UniswapV3Pool, falls: bool, rng: np.random.Generator) -> int:
    """Return an exact input (positive) or output (negative) between dust and far beyond the pool."""
    scale = max(pool.liquidity, 10**12)
    root = pool.sqrt_price_x96 / 2**96
    size = rng.uniform(-9, 0.3 if rng.random() < 0.9 else 3)
    exact_in = bool(rng.integers(2))
    in_token0 = falls if exact_in else not falls
    amount = max(1, int(scale * 10**size / root if in_token0 else scale * 10**size * root))
    return min(amount, 10**27) if exact_in else -min(amount, 10**27)


@pytest.mark.parametrize("tick", [-887_200, 880_000, 887_200])
def test_prices_at_the_ends_of_the_range_match_too(chain: Chain, tick: int) -> None:
    """The price's bounds stop the search for ticks, and one unit is worth 2**128 of the other."""
    world, backend, trader = chain.world, chain.backend, chain.trader
    tokens = (world.tokens["DAI"].address, world.tokens["USDC"].address)
    for symbol in ("DAI", "USDC"):
        fund(backend, world, trader, symbol, 2**200)
        approve(backend, trader, world.tokens[symbol].address, world.flow_trader)
    create = encode_call("createPool(address,address,uint24)", *tokens, 500)
    assert backend.send(trader, world.v3_factory, create).ok
    find = encode_call("getPool(address,address,uint24)", *tokens, 500)
    address = "0x" + backend.call(world.v3_factory, find)[12:].hex()
    start = sqrt_ratio_at_tick(tick) + 12_345
    assert backend.send(trader, address, encode_call("initialize(uint160)", start)).ok
    minted = mint_v3(world.flow_trader, address, -887_270, 887_270, 3**60)
    assert backend.send(trader, minted.to, minted.data).ok
    spec = PoolSpec("uniswap_v3", address, address, tokens, 500, tick_spacing=10)
    chain.state = asyncio.run(load_market(chain.node, [spec], tokens_of(world)))
    rng = np.random.default_rng(6)
    for _ in range(120):
        pool = chain.state.pools[address]
        assert isinstance(pool, UniswapV3Pool)
        falls = bool(rng.integers(2))
        walk = pool.walk(falls, int(2 ** rng.uniform(1, 160)))
        if walk.amount_in == 0:
            continue
        call = swap_v3(world.flow_trader, address, falls, walk.amount_in + walk.remaining)
        receipt, applied = chain.send(call.to, call.data)
        assert receipt.ok
        assert chain.state.pools[address] == walk.pool
        (event,) = applied.events
        assert check_swap(pool, event) == SwapCheck(True, walk.crossed, "")


def change_liquidity(chain: Chain, pool: UniswapV3Pool, rng: np.random.Generator) -> None:
    """Mint between random ticks near the price; burn all of it half of the time."""
    spacing = pool.spec.tick_spacing
    lower = (pool.tick // spacing + int(rng.integers(-40, 20))) * spacing
    upper = lower + int(rng.integers(1, 60)) * spacing
    liquidity = log_uniform(rng, 1e6, max(pool.liquidity, 10**12))
    minted = mint_v3(chain.world.flow_trader, pool.address, lower, upper, liquidity)
    receipt, applied = chain.send(minted.to, minted.data)
    assert receipt.ok
    assert applied.touched == (pool.pool_id,)
    if rng.random() < 0.5:
        burnt = burn_v3(pool.address, lower, upper, liquidity)
        receipt, _ = chain.send(burnt.to, burnt.data)
        assert receipt.ok
