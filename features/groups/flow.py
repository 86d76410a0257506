"""Flow: who trades how much, and how much the deepest pool's price moves."""

from __future__ import annotations

import math
from collections.abc import Mapping

from chain.blocks import Address
from features.feature import Feature
from features.groups.group import Observed
from features.groups.prices import PPM, Pair, find_token
from market.events import Event, PairSwap, V3Swap, VaultSwap
from market.pools.pool import Pool
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.weighted import WeightedPool
from market.tokens import Token

VOLATILITY_WINDOWS = (5, 20, 100)
_WEI_PER_ETHER = 10**18
_Q96 = 2**96

FEATURES = (
    Feature("swap_count", "swaps", "Swaps in the block."),
    Feature("signed_flow", "ether", "WETH paid into pools minus WETH taken out, in the block."),
    Feature("seconds_since_touch", "seconds", "Time since the last block that changed a pool."),
    *(
        Feature(
            f"volatility_{window}",
            "ppm",
            f"Realised volatility per block of the deepest WETH/USDC pool, {window} blocks.",
            window,
        )
        for window in VOLATILITY_WINDOWS
    ),
)


class FlowGroup:
    """Swaps, net WETH flow and realised volatility."""

    def __init__(self, tokens: Mapping[Address, Token]) -> None:
        self._weth = find_token(tokens, "WETH")
        usdc = find_token(tokens, "USDC")
        self._pair: Pair | None = None
        if self._weth is not None and usdc is not None:
            self._pair = (min(self._weth, usdc), max(self._weth, usdc))
        self._touched_at: int | None = None
        self._quotes: Mapping[str, float] = {}
        self._squares: tuple[float, ...] = ()

    def update(self, observed: Observed) -> tuple[float | None, ...]:
        """Take in the next block; values in the order of ``FEATURES``."""
        timestamp = observed.block.header.timestamp
        if observed.applied.touched:
            self._touched_at = timestamp
        swaps = [
            event for event in observed.applied.events if isinstance(event, PairSwap | V3Swap | VaultSwap)
        ]
        flow = sum(self._weth_paid(event, observed.state.pools) for event in swaps) / _WEI_PER_ETHER
        self._follow_price(observed)
        seen = len(self._squares)
        return (
            float(len(swaps)),
            flow,
            None if self._touched_at is None else float(timestamp - self._touched_at),
            *(
                math.sqrt(math.fsum(self._squares[:window]) / min(seen, window)) * PPM if seen else None
                for window in VOLATILITY_WINDOWS
            ),
        )

    def _weth_paid(self, event: Event, pools: Mapping[str, Pool]) -> int:
        """Return raw WETH the pool took in; negative if it paid out."""
        match event:
            case VaultSwap():
                return (event.amount_in if event.token_in == self._weth else 0) - (
                    event.amount_out if event.token_out == self._weth else 0
                )
            case V3Swap():
                amounts = (event.amount0, event.amount1)
            case PairSwap():
                amounts = (
                    event.amount0_in - event.amount0_out,
                    event.amount1_in - event.amount1_out,
                )
            case _:
                return 0
        tokens = pools[event.pool_id].tokens
        return sum(amount for token, amount in zip(tokens, amounts, strict=True) if token == self._weth)

    def _follow_price(self, observed: Observed) -> None:
        quotes = observed.book.quotes.get(self._pair, {}) if self._pair else {}
        before, self._quotes = self._quotes, quotes
        both = [pool_id for pool_id in quotes if pool_id in before]
        if not both:
            return
        deepest = max(both, key=lambda pool_id: (self._depth(observed.state.pools[pool_id]), pool_id))
        move = quotes[deepest] - before[deepest]
        self._squares = (move * move, *self._squares[: max(VOLATILITY_WINDOWS) - 1])

    def _depth(self, pool: Pool) -> float:
        """Return the WETH around the current price, raw units; only ranks pools."""
        place = pool.tokens.index(self._weth) if self._weth is not None else 0
        match pool:
            case UniswapV3Pool():
                root = pool.sqrt_price_x96 / _Q96
                return pool.liquidity * root if place else pool.liquidity / root
            case UniswapV2Pool():
                return float((pool.reserve0, pool.reserve1)[place])
            case WeightedPool():
                return float(pool.balances[place])
        return 0.0
