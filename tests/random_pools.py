"""Random pools of every family, at roughly one price per token, made of the exact classes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence

from market.pools.algebra import AlgebraPool
from market.pools.algebra_fee import FeeConfiguration
from market.pools.algebra_oracle import Timepoint, VolatilityOracle
from market.pools.amplification import Amplification
from market.pools.balancer_v3 import VaultAccount
from market.pools.balancer_v3_stable import BalancerV3StablePool
from market.pools.balancer_v3_weighted import BalancerV3WeightedPool
from market.pools.composable_stable import CachedRate, ComposableStablePool
from market.pools.curve_stable import CurveStablePool, Generation
from market.pools.pool import Pool
from market.pools.slipstream import SlipstreamPool
from market.pools.solidly import SolidlyPool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.uniswap_v4 import NATIVE, UniswapV4Pool
from market.pools.v3_math import tick_at_sqrt_ratio
from market.pools.weighted import WeightedPool
from market.tokens import Token

WETH, DAI, USDC, WBTC, EUSD = ("0x" + digit * 40 for digit in "abcde")
TOKENS = {
    WETH: Token(WETH, "WETH", 18),
    DAI: Token(DAI, "DAI", 18),
    USDC: Token(USDC, "USDC", 6),
    WBTC: Token(WBTC, "WBTC", 8),
    EUSD: Token(EUSD, "EUSD", 18),
}
DOLLARS = {WETH: 2_000.0, DAI: 1.0, USDC: 1.0, WBTC: 40_000.0, EUSD: 1.0}
PEGGED = (DAI, USDC, EUSD)
NOW = 1_700_000_000
ONE = 10**18


class Draw:
    """One pool to be: its tokens in order, its size in dollars, and how far its price is off."""

    def __init__(self, rng: random.Random, tokens: Sequence[str], noise: float, name: str) -> None:
        self.rng = rng
        self.tokens = tuple(sorted(tokens))
        self.dollars = 10 ** rng.uniform(4, 7)
        self.noise = noise
        self.name = name

    @property
    def decimals(self) -> tuple[int, ...]:
        return tuple(TOKENS[token].decimals for token in self.tokens)

    def balances(self, parts: Sequence[float] = ()) -> tuple[int, ...]:
        weights = parts or (1.0,) * len(self.tokens)
        return tuple(
            max(amount(token, self.dollars * part * math.exp(self.rng.gauss(0, self.noise))), 1)
            for token, part in zip(self.tokens, weights, strict=True)
        )

    def uneven(self) -> tuple[int, ...]:
        """Balances apart by a factor of a few, as stable pools have them."""
        return self.balances([math.exp(self.rng.gauss(0, 0.5)) for _ in self.tokens])

    def worths(self) -> tuple[int, ...]:
        """What a whole token is worth, 1e18 fixed point, near its price."""
        return tuple(
            int(ONE * DOLLARS[token] * math.exp(self.rng.gauss(0, self.noise))) for token in self.tokens
        )

    def spec(self, family: str, fee: int = 0, **fields: object) -> PoolSpec:
        return PoolSpec(family, self.name, self.name, self.tokens, fee, **fields)  # type: ignore[arg-type]


def amount(token: str, dollars: float) -> int:
    """Raw units of a token for so many dollars."""
    return int(dollars / DOLLARS[token] * 10 ** TOKENS[token].decimals)


def v2(draw: Draw) -> Pool:
    return UniswapV2Pool(draw.spec("uniswap_v2", draw.rng.choice([2500, 3000])), *draw.balances())


def v2_by_side(draw: Draw) -> Pool:
    fees = (draw.rng.randint(0, 10_000), draw.rng.randint(0, 10_000))
    return UniswapV2Pool(draw.spec("uniswap_v2", 3000, fees=fees), *draw.balances())


def solidly_volatile(draw: Draw) -> Pool:
    spec = draw.spec("solidly_volatile", draw.rng.choice([0, 500, 3000]))
    return SolidlyPool(spec, *draw.balances(), draw.decimals)  # type: ignore[arg-type]


def solidly_stable(draw: Draw) -> Pool:
    spec = draw.spec("solidly_stable", draw.rng.choice([0, 100, 500]))
    return SolidlyPool(spec, *draw.uneven(), draw.decimals)  # type: ignore[arg-type]


def concentrated(draw: Draw, spacing: int) -> tuple[int, int, int, dict[int, int]]:
    """Price, tick, liquidity and ticks: wide and narrow positions, some away from the price."""
    rng, (token0, token1) = draw.rng, draw.tokens
    raw = amount(token1, 1e12) / amount(token0, 1e12)
    price = raw * math.exp(rng.gauss(0, draw.noise))
    sqrt_price = int(math.sqrt(price) * 2**96)
    tick = tick_at_sqrt_ratio(sqrt_price)
    base = tick // spacing * spacing
    scale = amount(token0, draw.dollars) * math.sqrt(price)
    ticks: dict[int, int] = {}
    liquidity = 0
    for _ in range(rng.randint(1, 8)):
        width = int(10 ** rng.uniform(0, 2.5)) * spacing
        lower = base + rng.randint(-60, 60) * spacing - width
        upper, size = lower + 2 * width, int(scale * rng.uniform(0.1, 5)) + 1
        ticks[lower] = ticks.get(lower, 0) + size
        ticks[upper] = ticks.get(upper, 0) - size
        if lower <= tick < upper:
            liquidity += size
    return sqrt_price, tick, liquidity, ticks


def v3(draw: Draw) -> Pool:
    fee, spacing = draw.rng.choice([(100, 1), (500, 10), (3000, 60)])
    state = concentrated(draw, spacing)
    return UniswapV3Pool(draw.spec("uniswap_v3", fee, tick_spacing=spacing), *state)


def v4(draw: Draw) -> Pool:
    spec = draw.spec("uniswap_v4", draw.rng.choice([0, 100, 3000]), tick_spacing=10, hooks=NATIVE)
    fees = draw.rng.randint(0, 1000) | draw.rng.randint(0, 1000) << 12
    return UniswapV4Pool(spec, *concentrated(draw, 10), fees)


def slipstream(draw: Draw) -> Pool:
    fee = draw.rng.choice([0, 85, 423, 3000])
    return SlipstreamPool(draw.spec("slipstream", 9_999, tick_spacing=50), *concentrated(draw, 50), fee)


def algebra(draw: Draw) -> Pool:
    state = concentrated(draw, 60)
    volatility = draw.rng.randint(0, 10**9)
    times = [
        Timepoint(NOW - 100_000, 0, 0, state[1], 0),
        Timepoint(NOW - 60, 99_940 * state[1], 99_940 * volatility, state[1], 0),
    ]
    configuration = FeeConfiguration(2900, 12000, 360, 60000, 59, 8500, 0, 10, 100)
    spec = draw.spec("algebra_v1", 9_999, tick_spacing=60)
    return AlgebraPool(spec, *state, 777, NOW, 0, VolatilityOracle.of(times), configuration)


def weighted(draw: Draw) -> Pool:
    parts = _parts(draw)
    spec = draw.spec("weighted", draw.rng.choice([100, 1000, 3000]), weights=_weights(parts))
    return WeightedPool(spec, draw.balances(parts), draw.decimals)


def balancer_v3_weighted(draw: Draw) -> Pool:
    parts = _parts(draw)
    account = _account(draw, draw.balances(parts), _near_one(draw))
    least = draw.rng.choice([(), (10**6,) * len(draw.tokens)])
    return BalancerV3WeightedPool(draw.spec("balancer_v3_weighted", weights=_weights(parts)), account, least)


def balancer_v3_stable(draw: Draw) -> Pool:
    account = _account(draw, draw.uneven(), draw.worths())
    return BalancerV3StablePool(draw.spec("balancer_v3_stable"), account, _amplification(draw, 1000))


def composable_stable(draw: Draw) -> Pool:
    rates = tuple(
        CachedRate(worth, worth + worth // 10_000, 60, NOW + draw.rng.randint(-9, 9))
        for worth in draw.worths()
    )
    fee = int(10 ** draw.rng.uniform(12, 15.5))
    amplification = _amplification(draw, 1000)
    spec = draw.spec("composable_stable")
    return ComposableStablePool(spec, draw.uneven(), draw.decimals, rates, amplification, fee, NOW)


def curve(generation: Generation) -> Callable[[Draw], Pool]:
    def build(draw: Draw) -> Pool:
        rng = draw.rng
        pairs = zip(draw.decimals, draw.worths(), strict=True)
        rates = tuple(10 ** (18 - places) * worth for places, worth in pairs)
        precision = 1 if generation is Generation.LEGACY else 100
        fee, multiplier = int(10 ** rng.uniform(5, 7)), rng.randint(0, 12 * 10**10)
        return CurveStablePool(
            draw.spec("curve_stable", variant=str(generation)),
            draw.uneven(),
            rates,
            _amplification(draw, precision),
            fee,
            rng.randint(0, 10**10),
            generation,
            multiplier if generation is Generation.NG else 0,
            NOW,
        )

    return build


FAMILIES: Mapping[str, Callable[[Draw], Pool]] = {
    "uniswap_v2": v2,
    "uniswap_v2_by_side": v2_by_side,
    "solidly_volatile": solidly_volatile,
    "solidly_stable": solidly_stable,
    "uniswap_v3": v3,
    "uniswap_v4": v4,
    "slipstream": slipstream,
    "algebra_v1": algebra,
    "weighted": weighted,
    "balancer_v3_weighted": balancer_v3_weighted,
    "balancer_v3_stable": balancer_v3_stable,
    "composable_stable": composable_stable,
    "curve_legacy": curve(Generation.LEGACY),
    "curve_template": curve(Generation.TEMPLATE),
    "curve_ng": curve(Generation.NG),
}
TICKED = ("uniswap_v3", "uniswap_v4", "slipstream", "algebra_v1")
MANY = (
    "weighted", "balancer_v3_weighted", "balancer_v3_stable", "composable_stable",
    "curve_legacy", "curve_template", "curve_ng",
)  # fmt: skip


def random_pool(family: str, rng: random.Random, name: str = "0x01", noise: float = 0.01) -> Pool:
    """A pool of a family; pools of Solidly's stable curve hold tokens of one price, others any."""
    known = PEGGED if family == "solidly_stable" else tuple(TOKENS)
    count = rng.choice([2, 2, 3]) if family in MANY else 2
    return FAMILIES[family](Draw(rng, rng.sample(known, count), noise, name))


def _parts(draw: Draw) -> list[float]:
    return [draw.rng.randint(5, 80) / 50 for _ in draw.tokens]


def _weights(parts: Sequence[float]) -> tuple[int, ...]:
    return tuple(int(ONE * part) for part in parts)


def _near_one(draw: Draw) -> tuple[int, ...]:
    return tuple(draw.rng.choice([ONE, ONE + draw.rng.randint(1, ONE // 50)]) for _ in draw.tokens)


def _account(draw: Draw, balances: tuple[int, ...], rates: tuple[int, ...]) -> VaultAccount:
    live = tuple(
        balance * 10 ** (18 - places) * rate // ONE
        for balance, places, rate in zip(balances, draw.decimals, rates, strict=True)
    )
    return VaultAccount(
        balances=balances,
        decimals=draw.decimals,
        rates=rates,
        last_live=tuple(each - each // draw.rng.choice([10**4, 10**9]) for each in live),
        pays_yield_fees=tuple(draw.rng.random() < 0.5 for _ in balances),
        swap_fee=int(10 ** draw.rng.uniform(12, 15.5)),
        protocol_swap_fee=ONE // 4,
        protocol_yield_fee=ONE // 10,
    )


def _amplification(draw: Draw, unit: int) -> Amplification:
    first, last = (int(unit * 10 ** draw.rng.uniform(1, 3.7)) for _ in range(2))
    return Amplification(first, last, NOW - 3_600, NOW + 3_600)
