"""A seeded market of any size in the shape of a real one; NumPy alone, so that any machine can make it.

How its pools and prices are drawn, and where the parameters come from: docs/reference/benchmark-market.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.scoring_parameters import FITTED, MarketParameters
from benchmarks.scoring_pieces import concentrated
from core.errors import InputError
from scoring.columns import EdgeColumns, PieceColumns, moebius_columns
from scoring.devices.device import Change

if TYPE_CHECKING:
    from market.pools.uniswap_v2 import UniswapV2Pool

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_PPM = 1_000_000
_MOST = float(2**112 - 2**60)
_LEAST = 1000.0


@dataclass(frozen=True, slots=True)
class BenchMarket:
    """A market in columns and in integers.

    Parameters
    ----------
    tokens
        Names in order of their numbers: the hubs, then the others.
    decimals
        Of each token.
    price, worth
        Wei of the native token per raw unit; ``worth`` is zero where no cycle may start.
    token0, token1
        Numbers of each pool's tokens, int32, ``token0 < token1``.
    reserves
        Raw units of both tokens, one pair of Python ints for each pool.
    fees
        Of each pool, ppm.
    edges, pieces
        Rows ``2 p`` (token0 in) and ``2 p + 1`` (token1 in) are pool ``p``.
    """

    tokens: tuple[str, ...]
    decimals: Integers
    price: Floats
    worth: Floats
    token0: NDArray[np.int32]
    token1: NDArray[np.int32]
    reserves: tuple[tuple[int, int], ...]
    fees: Integers
    edges: EdgeColumns
    pieces: PieceColumns

    def __len__(self) -> int:
        return len(self.reserves)

    def reserve_words(self) -> NDArray[np.uint64]:
        """Return reserves as ``(pools, 2, 2)`` words of 64 bits, the low word first."""
        packed = b"".join(side.to_bytes(16, "little") for pair in self.reserves for side in pair)
        return np.frombuffer(packed, dtype="<u8").reshape(-1, 2, 2).astype(np.uint64)

    def pools(self) -> list[UniswapV2Pool]:
        """Return the pools as values, in the order of their numbers.

        Raises
        ------
        InputError
            If some are concentrated: those are drawn as curves, without ticks.
        """
        # pools need libraries that a machine which only measures kernels may lack
        from market.pools.spec import PoolSpec
        from market.pools.uniswap_v2 import UniswapV2Pool

        if len(self.pieces.a):
            raise InputError("concentrated pools of this market have no ticks; make it with share_v3=0")
        names = [pool_name(place) for place in range(len(self))]
        return [
            UniswapV2Pool(
                PoolSpec("uniswap_v2", name, name, (self.tokens[first], self.tokens[second]), int(fee)), *pair
            )
            for name, first, second, fee, pair in zip(
                names, self.token0, self.token1, self.fees, self.reserves, strict=True
            )
        ]


def pool_name(place: int) -> str:
    """Return the id of a pool by its number; ids sort as numbers do."""
    return f"0x{place:040x}"


def make_market(
    seed: int, pools: int, parameters: MarketParameters = FITTED, *, share_v3: float = 0.0
) -> BenchMarket:
    """Draw a market of constant product; of some pools, concentrated.

    Parameters
    ----------
    seed
        Of everything.
    pools
        How many.
    parameters
        Its shape.
    share_v3
        Share of pools with concentrated liquidity, in pieces; see :mod:`benchmarks.scoring_pieces`.

    Examples
    --------
    >>> market = make_market(7, 100)
    >>> len(market), len(market.tokens), len(market.edges.rate), float(market.worth[0])
    (100, 40, 201, 1.0)
    """
    rng = np.random.default_rng(seed)
    count = max(round(parameters.tokens_per_pool * pools), len(parameters.hub_shares) + 2)
    first, second = _pairs(rng, pools, count, parameters)
    decimals, price = _tokens(rng, count, parameters)
    depth = np.exp(rng.normal(parameters.depth_mean, parameters.depth_std, pools))
    deeper = np.log(depth) - parameters.depth_mean
    off = rng.normal(0.0, 1.0, pools) * parameters.noise * np.exp(-parameters.noise_slope * deeper)
    tilt = np.exp(np.clip(off, -1.0, 1.0) / 2.0)
    held0 = np.clip(depth / tilt / price[first], _LEAST, _MOST)
    held1 = np.clip(depth * tilt / price[second], _LEAST, _MOST)
    reserves = tuple((int(one), int(other)) for one, other in zip(held0, held1, strict=True))
    fees = _drawn(rng, parameters.fees, pools)
    edges, pieces = _columns(first, second, reserves, fees, parameters.swap_cost)
    chosen = np.flatnonzero(rng.random(pools) < share_v3)
    if len(chosen):
        edges, pieces = concentrated(edges, chosen, np.array(reserves, dtype=np.float64), fees)
    worth = np.where(np.arange(count) < parameters.starts, price, 0.0)
    names = tuple(f"0x{place:040x}" for place in range(count))
    return BenchMarket(names, decimals, price, worth, first, second, reserves, fees, edges, pieces)


def moved(market: BenchMarket, pools: Integers, log_price: Floats) -> Change:
    """Return how edges change when trades move the prices of constant-product pools.

    Parameters
    ----------
    market
        What they move away from.
    pools
        Numbers of the pools, each once.
    log_price
        By how much the logarithm of each pool's price changes.
    """
    rows = np.repeat(2 * pools, 2) + np.tile([0, 1], len(pools))
    factor = np.repeat(log_price, 2) * np.tile([1.0, -1.0], len(pools))
    return Change(
        rows, market.edges.rate[rows] * np.exp(factor), market.edges.bend[rows] * np.exp(factor / 2)
    )


def _pairs(
    rng: np.random.Generator, pools: int, tokens: int, parameters: MarketParameters
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the two tokens of each pool, the smaller number first.

    Every token that is no hub gets one pool; the others go by how popular it is, which is exponential, so
    that the number of pools of a token is geometric.
    """
    shares = np.array(parameters.hub_shares)
    hubs, chance = len(shares), shares / shares.sum()
    held = rng.choice(3, size=pools, p=np.array(parameters.hubs_in_pool) / sum(parameters.hubs_in_pool))
    pairs = rng.choice(hubs, size=(pools, 2), p=chance).astype(np.int32)
    while (same := (held == 2) & (pairs[:, 0] == pairs[:, 1])).any():
        pairs[same] = rng.choice(hubs, size=(int(same.sum()), 2), p=chance)
    slots = 2 - np.minimum(held, 2)
    others = tokens - hubs
    popular = rng.exponential(1.0, others)
    needed = int(slots.sum())
    drawn = rng.choice(others, size=max(needed - others, 0), p=popular / popular.sum())
    queue = rng.permutation(np.concatenate([np.arange(others), drawn])[:needed]) + hubs
    pairs[held == 1, 1] = queue[: int((held == 1).sum())]
    rest = queue[int((held == 1).sum()) :].reshape(-1, 2)
    rest[:, 1] = np.where(rest[:, 0] == rest[:, 1], hubs + (rest[:, 1] - hubs + 1) % others, rest[:, 1])
    pairs[held == 0] = rest
    return pairs.min(axis=1), pairs.max(axis=1)


def _tokens(rng: np.random.Generator, count: int, parameters: MarketParameters) -> tuple[Integers, Floats]:
    """Return decimals, and prices in wei per raw unit; the first token is the native one."""
    hubs = len(parameters.hub_shares)
    decimals = np.concatenate([parameters.hub_decimals, _drawn(rng, parameters.decimals, count - hubs)])
    whole = np.exp(rng.normal(parameters.price_mean, parameters.price_std, count))
    whole[0] = 1.0
    return decimals.astype(np.int64), whole * 10.0 ** (18 - decimals)


def _drawn(rng: np.random.Generator, shares: tuple[tuple[int, float], ...], count: int) -> Integers:
    values, chance = np.array([value for value, _ in shares]), np.array([share for _, share in shares])
    return rng.choice(values, size=count, p=chance / chance.sum()).astype(np.int64)


def _columns(
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    reserves: tuple[tuple[int, int], ...],
    fees: Integers,
    swap_cost: float,
) -> tuple[EdgeColumns, PieceColumns]:
    held = np.array(reserves, dtype=np.float64)
    keep = np.repeat(1.0 - fees / _PPM, 2)
    given, taken = held.reshape(-1), held[:, ::-1].reshape(-1)
    tokens = np.stack([first, second], axis=1)
    return moebius_columns(
        keep * (taken / given),
        keep / given,
        np.repeat(np.arange(len(first), dtype=np.int32), 2),
        tokens.reshape(-1),
        tokens[:, ::-1].reshape(-1),
        np.full(2 * len(first), swap_cost),
    )
