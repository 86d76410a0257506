"""Uniswap pools of a snapshot file: which factory made them, and whether their ticks add up."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import NoReturn

from chain.blocks import Address
from chain.network_facts import Factory
from chain.networks import Network
from chain.pool_addresses import pool_address
from core.reasons import Reason
from market.pools.spec import PoolSpec
from market.pools.uniswap_v3 import UniswapV3Pool
from market.snapshots.fields import Unusable, malformed


def v3_pool(
    spec: PoolSpec, sqrt_price_x96: int, tick: int, liquidity: int, ticks: Mapping[int, int]
) -> UniswapV3Pool:
    """Return the pool if its ticks add up to its liquidity.

    A file gives net liquidity only. Gross is taken to be its absolute value, and a tick whose net is
    zero is not there at all: such a pool is for quoting, and is read from a node before it follows
    events.

    Raises
    ------
    Unusable
        ``LIQUIDITY_SUM_DIFFERS`` if the net liquidity up to the tick is not the active liquidity, or
        some range would have less than none.
    MarketError
        If no contract can be in this state.
    """
    pool = UniswapV3Pool(spec, sqrt_price_x96, tick, liquidity, ticks)
    running = list(zip(pool.ticks, accumulate(pool.ticks.values()), strict=True))
    at_price = next((total for place, total in reversed(running) if place <= tick), 0)
    if at_price != liquidity:
        _differs(f"the ticks up to {tick} give {at_price} units of liquidity, the pool has {liquidity}")
    for place, total in running:
        if total < 0:
            _differs(f"from tick {place} on there are {total} units of liquidity")
    if running and running[-1][1]:
        _differs(f"{running[-1][1]} units of liquidity are left above the last tick")
    return pool


def v3_spec(network: Network, factory: Factory, tokens: tuple[Address, Address], fee: int) -> PoolSpec:
    """Return the pool that a factory has for two tokens and a fee in ppm.

    Raises
    ------
    Unusable
        If the factory has no such fee, or the tokens are in the wrong order.
    """
    spacing = factory.tick_spacing_by_fee_ppm.get(fee)
    if spacing is None:
        malformed(f"{factory.name} on {network.name} has no fee of {fee} ppm")
    if tokens[0] >= tokens[1]:
        malformed(f"token0 {tokens[0]} is not below token1 {tokens[1]}")
    address = pool_address(factory, *tokens, fee_ppm=fee)
    return PoolSpec("uniswap_v3", address, address, tokens, fee, spacing, venue=factory.name)


def pair_spec(network: Network, address: Address, tokens: tuple[Address, Address], fee: int) -> PoolSpec:
    """Return the constant product pair at an address.

    Its address tells which factory made it. What the factory's pairs take then counts, whatever the file
    says; a pair of no factory we know keeps the file's fee, in ppm.
    """
    for factory in network.factories:
        if factory.kind == "uniswap_v2" and pool_address(factory, *tokens) == address:
            assert factory.fee_ppm is not None
            return PoolSpec("uniswap_v2", address, address, tokens, factory.fee_ppm, venue=factory.name)
    return PoolSpec("uniswap_v2", address, address, tokens, fee)


def _differs(detail: str) -> NoReturn:
    raise Unusable(detail, reason=Reason.LIQUIDITY_SUM_DIFFERS)
