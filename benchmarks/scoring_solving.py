"""The best size of cycles through concentrated and stable pools: how fast, and how near to the truth."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Progress, Row, at_least, at_most, median
from benchmarks.scoring_market import BenchMarket, make_market, moved
from benchmarks.scoring_parameters import REFERENCE
from benchmarks.scoring_reference import Hop, ProductHop, StableHop, best, earned
from benchmarks.scoring_searching import put, seconds
from market.pools.amplification import Amplification
from market.pools.curve_stable import CurveStablePool, Generation
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from scoring.columns import SEGMENTED, EdgeColumns, PieceColumns
from scoring.edge_table import EdgeTable
from scoring.kernels.solve import solve, solve_many

SEED, POOLS, REPEATS = 7, 5000, 25
NS, FOUND, PROFIT = 250.0, 1.0, 0.9999
FAR = 0.10
"""How far pairs are moved off the concentrated pools where many pieces are to be crossed; in log price."""

STABLE_CYCLES = 400
_A, _B = "0x" + "0a" * 20, "0x" + "0b" * 20
_WORTH_IT = 1000
"""Raw units of 18 decimals below which a profit is that of rounding."""

Hops = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class StableCycle:
    """A stable pool and a pair of the same two tokens, from the first token and back.

    Parameters
    ----------
    pools
        In the order of trading.
    directions
        Token in and out of each hop.
    hops
        The same for the reference.
    """

    pools: tuple[Pool, Pool]
    directions: tuple[tuple[str, str], tuple[str, str]]
    hops: tuple[Hop, Hop]


def solving_rows(progress: Progress) -> list[Row]:
    """Return the figures of sizes."""
    progress("sizing cycles of pairs and concentrated pools")
    measured = _concentrated_rows()
    progress("sizing cycles of stable pools to sixty digits")
    return measured + _stable_rows()


def stable_cycle(rng: random.Random) -> StableCycle:
    """Return a random cycle: balances apart up to fifty times, the pair's price off by a few percent."""
    scale = 10 ** rng.uniform(21, 25)
    balances = tuple(int(scale * 50 ** rng.uniform(-0.5, 0.5)) for _ in range(2))
    amplification, fee = round(10 ** rng.uniform(1, 3.5)), round(10 ** rng.uniform(6, 7.6))
    stable = CurveStablePool(
        PoolSpec("curve_stable", "0x01", "0x01", (_A, _B), 0, variant=str(Generation.TEMPLATE)),
        balances,
        (10**18, 10**18),
        Amplification.constant(100 * amplification),
        fee,
        0,
        Generation.TEMPLATE,
        0,
        0,
    )
    price = stable.marginal_rate(_A, _B) / (1 - fee / 10**10)
    depth = 10 ** rng.uniform(21, 25)
    pair = UniswapV2Pool(
        PoolSpec("uniswap_v2", "0x02", "0x02", (_A, _B), 3000),
        int(depth),
        int(depth * price * np.exp(rng.gauss(0.0, 0.02))),
    )
    there, back = (_A, _B), (_B, _A)
    if rng.random() < 0.5:
        hops: tuple[Hop, Hop] = (
            StableHop(balances[0], balances[1], amplification, fee),
            ProductHop(pair.reserve1, pair.reserve0, 3000),
        )
        return StableCycle((stable, pair), (there, back), hops)
    hops = (
        ProductHop(pair.reserve0, pair.reserve1, 3000),
        StableHop(balances[1], balances[0], amplification, fee),
    )
    return StableCycle((pair, stable), (there, back), hops)


def _concentrated_rows() -> list[Row]:
    market = make_market(SEED, POOLS, REFERENCE, share_v3=0.5)
    hops, pairs = _pair_against_concentrated(market)
    rng = np.random.default_rng(SEED)
    far = moved(market, pairs, FAR * rng.choice([-1.0, 1.0], len(pairs)))
    near_ns, near_crossed, near = _timed(market.edges, market.pieces, hops)
    put(market.edges, far)
    far_ns, far_crossed, apart = _timed(market.edges, market.pieces, hops)
    return [
        at_most("size of a pair against 64 pieces, a cycle that gains", near_ns, "ns", NS),
        Row("pieces that the best size goes through", near_crossed, "pieces"),
        Row("cycles of that kind", near, "cycles"),
        at_most("the same with every pair 10 % off", far_ns, "ns", NS),
        Row("pieces that the best size then goes through", far_crossed, "pieces"),
        Row("cycles of that kind, 10 % off", apart, "cycles"),
    ]


def _pair_against_concentrated(market: BenchMarket) -> tuple[Hops, NDArray[np.int64]]:
    """Return all two-hop cycles of a concentrated pool and then a pair, and the pairs in them."""
    beside: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
    is_concentrated = market.edges.kind[:-1:2] == SEGMENTED
    for place, tokens in enumerate(zip(market.token0.tolist(), market.token1.tolist(), strict=True)):
        beside.setdefault(tokens, ([], []))[int(is_concentrated[place])].append(place)
    both = [cycle for pairs, others in beside.values() for cycle in product(others, pairs)]
    concentrated, pairs = np.array(both, dtype=np.int64).T
    there, back = (2 * concentrated, 2 * pairs + 1), (2 * concentrated + 1, 2 * pairs)
    hops = np.concatenate([np.stack(there, axis=1), np.stack(back, axis=1)]).astype(np.int32)
    return hops, np.unique(pairs)


def _timed(edges: EdgeColumns, pieces: PieceColumns, hops: Hops) -> tuple[float, float, int]:
    """Return nanoseconds a cycle that gains something, pieces it goes through, and how many there are."""
    gaining = hops[edges.rate[hops].prod(axis=1) > 1.0]
    amounts, profits, bounds = (np.empty(len(gaining)) for _ in range(3))
    solve_many(edges, pieces, gaining, amounts, profits, bounds)
    taken = median(seconds(lambda: solve_many(edges, pieces, gaining, amounts, profits, bounds), REPEATS))
    first, stop = edges.first[gaining[:, 0]], edges.stop[gaining[:, 0]]
    starts = [pieces.start_in[low:high] for low, high in zip(first, stop, strict=True)]
    passed = [int(np.searchsorted(start, amount)) for start, amount in zip(starts, amounts, strict=True)]
    return 1e9 * taken / len(gaining), float(np.mean(passed)), len(gaining)


def _stable_rows() -> list[Row]:
    rng = random.Random(SEED)
    found, shares = [], []
    for _ in range(STABLE_CYCLES):
        cycle = stable_cycle(rng)
        _, most = best(cycle.hops)
        if most > _WORTH_IT:
            amount = _sized(cycle)
            found.append(amount > 0.0)
            shares.append(float(earned(cycle.hops, amount) / most))
    return [
        Row("random cycles of a stable pool and a pair that gain something", len(found), "cycles"),
        at_least("of these found", sum(found) / len(found), "share", FOUND, "60-digit decimals"),
        at_least("least share of the best profit", min(shares), "share", PROFIT, "60-digit decimals"),
    ]


def _sized(cycle: StableCycle) -> float:
    """Return the input that scoring chooses."""
    table = EdgeTable(cycle.pools, (_A, _B))
    rows = [
        table.row(pool.pool_id, *tokens) for pool, tokens in zip(cycle.pools, cycle.directions, strict=True)
    ]
    amount, _, _ = solve(table.edges, table.pieces, np.array(rows, np.int32), 2)
    return float(amount)
