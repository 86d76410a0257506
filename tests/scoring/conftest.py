"""Random markets: exact pools of every family at roughly one price per token."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from chain.blocks import BlockHeader
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import tick_at_sqrt_ratio
from market.pools.weighted import WeightedPool
from market.state import MarketState
from market.tokens import Token

WETH, DAI, USDC, WBTC = ("0x" + digit * 40 for digit in "abcd")
TOKENS = {
    WETH: Token(WETH, "WETH", 18),
    DAI: Token(DAI, "DAI", 18),
    USDC: Token(USDC, "USDC", 6),
    WBTC: Token(WBTC, "WBTC", 8),
}
DOLLARS = {WETH: 2_000.0, DAI: 1.0, USDC: 1.0, WBTC: 40_000.0}


class Markets:
    """Builds pools and markets from a seed."""

    weth, dai, usdc, wbtc = WETH, DAI, USDC, WBTC
    tokens = TOKENS

    def raw_price(self, of: str, quoted_in: str) -> float:
        """Raw units of ``quoted_in`` for one raw unit of ``of``."""
        return (DOLLARS[of] / 10 ** TOKENS[of].decimals) / (
            DOLLARS[quoted_in] / 10 ** TOKENS[quoted_in].decimals
        )

    def amount(self, token: str, dollars: float) -> int:
        return max(int(dollars / DOLLARS[token] * 10 ** TOKENS[token].decimals), 1)

    def v2(self, rng: random.Random, name: str, pair: tuple[str, str], noise: float) -> Pool:
        dollars = 10 ** rng.uniform(4, 7)
        off = math.exp(rng.gauss(0, noise))
        spec = PoolSpec("uniswap_v2", name, name, pair, rng.choice([2500, 3000]))
        return UniswapV2Pool(
            spec=spec,
            reserve0=self.amount(pair[0], dollars),
            reserve1=self.amount(pair[1], dollars * off),
        )

    def v3(self, rng: random.Random, name: str, pair: tuple[str, str], noise: float) -> Pool:
        fee, spacing = rng.choice([(500, 10), (3000, 60)])
        price = self.raw_price(pair[0], pair[1]) * math.exp(rng.gauss(0, noise))
        sqrt_price = int(math.sqrt(price) * 2**96)
        tick = tick_at_sqrt_ratio(sqrt_price)
        base = tick // spacing * spacing
        scale = self.amount(pair[0], 10 ** rng.uniform(4, 7)) * math.sqrt(price)
        ticks: dict[int, int] = {}
        liquidity = 0
        for _ in range(rng.randint(1, 8)):
            # wide and narrow positions, some away from the price, so that there are gaps too
            width = int(10 ** rng.uniform(0, 2.5)) * spacing
            lower = base + rng.randint(-60, 60) * spacing - width
            upper = lower + 2 * width
            size = int(scale * rng.uniform(0.1, 5)) + 1
            ticks[lower] = ticks.get(lower, 0) + size
            ticks[upper] = ticks.get(upper, 0) - size
            if lower <= tick < upper:
                liquidity += size
        known = None
        if rng.random() < 0.5:
            known = (base - rng.randint(1, 400) * spacing, base + rng.randint(1, 400) * spacing)
            ticks = {at: net for at, net in ticks.items() if known[0] < at < known[1]}
        spec = PoolSpec("uniswap_v3", name, name, pair, fee, spacing)
        return UniswapV3Pool(
            spec=spec,
            sqrt_price_x96=sqrt_price,
            tick=tick,
            liquidity=liquidity,
            ticks=ticks,
            known=known,
        )

    def weighted(self, rng: random.Random, name: str, tokens: tuple[str, ...], noise: float) -> Pool:
        dollars = 10 ** rng.uniform(4, 7)
        parts = [rng.randint(5, 80) for _ in tokens]
        if rng.random() < 0.3:
            parts = [50 for _ in tokens]
        weights = tuple(part * 10**16 for part in parts)
        balances = tuple(
            self.amount(token, dollars * part / 50 * math.exp(rng.gauss(0, noise)))
            for token, part in zip(tokens, parts, strict=True)
        )
        spec = PoolSpec(
            "weighted", name, "0x" + "fe" * 20, tokens, rng.choice([500, 1000, 3000]), weights=weights
        )
        return WeightedPool(
            spec=spec, balances=balances, decimals=tuple(TOKENS[token].decimals for token in tokens)
        )

    def pools(self, seed: int, count: int = 10, noise: float = 0.01) -> list[Pool]:
        """Random pools of all families; token order as contracts have it."""
        rng = random.Random(seed)
        build: list[Callable[[random.Random, str, tuple[str, ...], float], Pool]] = [
            self.v2, self.v3, self.weighted,
        ]  # fmt: skip
        pools = []
        for number in range(count):
            chosen = rng.choice(build)
            size = rng.choice([2, 2, 3]) if chosen == self.weighted else 2
            pair = tuple(sorted(rng.sample(sorted(TOKENS), size)))
            name = f"0x{number + 1:040x}"
            pools.append(chosen(rng, name, pair, noise))
        return pools

    def header(self, number: int, parent: bytes = b"", salt: int = 0) -> BlockHeader:
        """A header whose hash is its number and a salt that tells branches apart."""
        return BlockHeader(number, bytes([number % 256, salt]), parent, 12 * number, 10**9, 0, 30_000_000)

    def state(self, pools: list[Pool], number: int = 100) -> MarketState:
        return MarketState(pools, TOKENS, self.header(number))


@pytest.fixture(scope="session")
def markets() -> Markets:
    return Markets()
