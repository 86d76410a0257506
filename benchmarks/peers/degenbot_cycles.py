"""The same pools as degenbot's objects. They have no constructor without a node, so their state is put in."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from threading import Lock
from typing import Any

from degenbot.arbitrage.uniswap_lp_cycle import UniswapLpCycle
from degenbot.uniswap import v2_liquidity_pool as v2
from degenbot.uniswap import v3_liquidity_pool as v3

from benchmarks.peers.cases import LARGEST_INPUT, Case
from chain.blocks import Address
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool


def degenbot_cycle(case: Case) -> UniswapLpCycle:
    """Return the peer's calculator of a cycle, ready to calculate."""
    tokens = {name: _token(name) for name in case.path}
    pools = [_pool(pool, tokens) for pool in case.pools]
    return UniswapLpCycle(tokens[case.path[0]], pools, id="cycle", max_input=LARGEST_INPUT)


def degenbot_profit(cycle: UniswapLpCycle, amount_in: int) -> int:
    """Return what an input earns by the peer's own integer arithmetic, raw units."""
    token, amount = cycle.input_token, amount_in
    for pool in cycle.swap_pools:
        amount = pool.calculate_tokens_out_from_tokens_in(token, amount)
        token = pool.token1 if token == pool.token0 else pool.token0
    return int(amount) - amount_in


def _token(name: Address) -> v2.Erc20Token:
    token = v2.Erc20Token.__new__(v2.Erc20Token)
    token.address, token.symbol, token.name, token.decimals = name, name[-2:], name, 18
    return token


def _pool(pool: UniswapV2Pool | UniswapV3Pool, tokens: dict[Address, v2.Erc20Token]) -> Any:
    peer = _pair(pool) if isinstance(pool, UniswapV2Pool) else _v3_pool(pool)
    peer.address = peer.name = pool.pool_id
    peer.token0, peer.token1 = tokens[pool.tokens[0]], tokens[pool.tokens[1]]
    peer._subscribers = set()
    return peer


def _pair(pool: UniswapV2Pool) -> v2.UniswapV2Pool:
    peer = v2.UniswapV2Pool.__new__(v2.UniswapV2Pool)
    peer.fee_token0 = peer.fee_token1 = Fraction(pool.spec.fee, 1_000_000)
    peer._state = _state(
        v2.UniswapV2PoolState, pool.pool_id, reserves_token0=pool.reserve0, reserves_token1=pool.reserve1
    )
    return peer


def _v3_pool(pool: UniswapV3Pool) -> v3.UniswapV3Pool:
    peer = v3.UniswapV3Pool.__new__(v3.UniswapV3Pool)
    peer.fee, peer.tick_spacing, peer.sparse_liquidity_map = pool.spec.fee, pool.spec.tick_spacing, False
    # newer versions remember the steps of swaps; the first of the timed calls fills this
    peer._swap_step_cache, peer._swap_step_cache_lock = {}, Lock()
    words: dict[int, int] = {}
    for tick in pool.ticks:
        word, bit = divmod(tick // pool.spec.tick_spacing, 256)
        words[word] = words.get(word, 0) | 1 << bit
    gross = pool.tick_map.gross
    peer._state = _state(
        v3.UniswapV3PoolState,
        pool.pool_id,
        liquidity=pool.liquidity,
        sqrt_price_x96=pool.sqrt_price_x96,
        tick=pool.tick,
        tick_bitmap={word: v3.UniswapV3BitmapAtWord(bitmap=bits) for word, bits in words.items()},
        tick_data={
            tick: v3.UniswapV3LiquidityAtTick(liquidity_net=net, liquidity_gross=gross[tick])
            for tick, net in pool.ticks.items()
        },
    )
    return peer


def _state(kind: Any, name: Address, **values: Any) -> Any:
    """Return a state; what names its pool is called otherwise in another version."""
    known = {"pool": name, "address": name, "block": 0, **values}
    return kind(**{field.name: known[field.name] for field in fields(kind)})
