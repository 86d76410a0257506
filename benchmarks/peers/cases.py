"""Seeded cycles that earn something: pairs alone, and a pair with a V3 pool of many ticks."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import exp, sqrt

from chain.blocks import Address
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.pools.uniswap_v3 import UniswapV3Pool
from market.pools.v3_math import sqrt_ratio_at_tick
from market.pools.v3_ticks import TickMap

ETHER = 10**18
LARGEST_INPUT = 100 * ETHER
LEAST_PROFIT = 10**13
TICKS = 253

_DOLLARS = 2000.0
_TOKENS = ((18, 1.0), (6, 1.0), (6, 1.0), (8, 40_000.0), (9, 0.003), (18, 12.0), (8, 0.05))
"""Decimals, and dollars a token is worth; the start token has 18, and is worth more."""
_FEES = (3000, 3000, 3000, 2500, 500)
_NOISE = 0.004
_SPACING = 10
_LIQUIDITY = 10**21


@dataclass(frozen=True, slots=True)
class Case:
    """One cycle; ``path`` has a token more than there are pools, and ends where it starts."""

    pools: tuple[UniswapV2Pool | UniswapV3Pool, ...]
    path: tuple[Address, ...]


def pair_cases(seed: int, hops: int, count: int) -> list[Case]:
    """Return cycles of pairs whose best real size is within the peer's default limit."""
    chance, found = random.Random(seed), list[Case]()
    while len(found) < count:
        chosen = [0, *chance.sample(range(1, len(_TOKENS) + 1), hops - 1), 0]
        rows = [_pair_row(chance, chosen[hop], chosen[hop + 1]) for hop in range(hops)]
        rate, bend = 1.0, 0.0
        for reserve_in, reserve_out, fee in rows:
            kept = 1.0 - fee / 1e6
            bend += kept / reserve_in * rate
            rate *= kept * reserve_out / reserve_in
        if rate <= 1.0:
            continue
        size = (sqrt(rate) - 1.0) / bend
        if size < 0.9 * LARGEST_INPUT and (sqrt(rate) - 1.0) * size > LEAST_PROFIT:
            found.append(_pair_case([address(place) for place in chosen], rows))
    return found


def tick_cases(seed: int, crossed: int, count: int) -> list[Case]:
    """Return cycles of a pair and a V3 pool in which the best trade crosses about so many ticks."""
    chance = random.Random(seed)
    weth, other = address(0), address(1)
    cases = []
    for place in range(count):
        pair_name, pool_name = address(10 + 2 * place), address(11 + 2 * place)
        # both pools are about as deep, so both give in by as much; fees take the rest
        apart = 2 * _SPACING * crossed + 45
        pool = _v3_pool(chance, chance.randrange(-5000, 5000), pool_name, (weth, other))
        price = 1.0001 ** (pool.tick + apart)
        reserve = int(_LIQUIDITY / sqrt(price) * chance.uniform(0.9, 1.1))
        spec = PoolSpec("uniswap_v2", pair_name, pair_name, (weth, other), 3000)
        pair = UniswapV2Pool(spec, reserve, int(reserve * price))
        cases.append(Case((pair, pool), (weth, other, weth)))
    return cases


def address(place: int) -> Address:
    """Return an address, digits only so that it is its own checksum."""
    return f"0x{place + 1:040d}"


def _pair_row(chance: random.Random, token_in: int, token_out: int) -> tuple[int, int, int]:
    dollars = 10 ** chance.uniform(4, 7)
    noise = exp(chance.gauss(0.0, _NOISE))
    return _units(token_in, dollars), _units(token_out, dollars * noise), chance.choice(_FEES)


def _units(token: int, dollars: float) -> int:
    decimals, worth = _TOKENS[token - 1] if token else (18, _DOLLARS)
    return int(dollars / worth * 10**decimals)


def _pair_case(path: list[Address], rows: list[tuple[int, int, int]]) -> Case:
    pools = []
    for hop, (reserve_in, reserve_out, fee) in enumerate(rows):
        name, token_in, token_out = address(10 + hop), path[hop], path[hop + 1]
        forward = token_in < token_out
        spec = PoolSpec("uniswap_v2", name, name, tuple(sorted((token_in, token_out))), fee)
        reserves = (reserve_in, reserve_out) if forward else (reserve_out, reserve_in)
        pools.append(UniswapV2Pool(spec, *reserves))
    return Case(tuple(pools), tuple(path))


def _v3_pool(
    chance: random.Random, tick: int, name: Address, tokens: tuple[Address, Address]
) -> UniswapV3Pool:
    """Return a pool whose liquidity differs from tick to tick, most ticks on the way of a rising price."""
    first = (tick // _SPACING - TICKS // 4) * _SPACING
    ends = [first + _SPACING * place for place in range(TICKS)]
    depths = [int(_LIQUIDITY * chance.uniform(0.7, 1.3)) for _ in ends[:-1]]
    net = {end: after - before for end, before, after in zip(ends, [0, *depths], [*depths, 0], strict=True)}
    spec = PoolSpec("uniswap_v3", name, name, tokens, 500, _SPACING)
    active = sum(change for end, change in net.items() if end <= tick)
    price = (sqrt_ratio_at_tick(tick) + sqrt_ratio_at_tick(tick + 1)) // 2
    return UniswapV3Pool(spec, price, tick, active, TickMap(net, dict.fromkeys(ends, 2 * _LIQUIDITY)))
