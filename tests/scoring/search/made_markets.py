"""Seeded markets in columns, and every cycle in them by plain search."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.columns import SEGMENTED, EdgeColumns, PieceColumns, moebius_columns
from scoring.kernels.solve import solve
from scoring.search import Ranked


class Market(NamedTuple):
    edges: EdgeColumns
    pieces: PieceColumns
    worth: NDArray[np.float64]


def made_market(
    seed: int,
    *,
    pools: int,
    tokens: int,
    hubs: int,
    noise: float = 0.01,
    segmented: float = 0.0,
    steps: int = 8,
    hub_share: float = 0.5,
) -> Market:
    """Return pools at about one price per token, some of them of many pieces."""
    rng = np.random.default_rng(seed)
    price, unit = np.exp(rng.normal(0.0, 1.0, tokens)), 10.0 ** rng.choice([6, 8, 18], tokens)
    in_hubs = rng.random(pools) < hub_share
    token0 = np.where(in_hubs, rng.integers(0, hubs, pools), rng.integers(0, tokens, pools))
    token1 = (token0 + rng.integers(1, tokens, pools)) % tokens
    depth = np.exp(rng.normal(3.0, 1.5, pools))
    reserve0 = depth / price[token0] * unit[token0]
    reserve1 = depth / price[token1] * unit[token1] * np.exp(rng.normal(0.0, noise, pools))
    keep = 1.0 - rng.choice([0.0005, 0.003, 0.01], pools)
    rate = np.column_stack((keep * reserve1 / reserve0, keep * reserve0 / reserve1)).ravel()
    bend = np.column_stack((keep / reserve0, keep / reserve1)).ravel()
    pool = np.repeat(np.arange(pools, dtype=np.int32), 2)
    ends = np.column_stack((token0, token1)).astype(np.int32)
    cost = rng.choice([2e13, 5e13], pools).repeat(2)
    edges, _ = moebius_columns(rate, bend, pool, ends.ravel(), ends[:, ::-1].ravel(), cost)
    worth = np.zeros(tokens)
    worth[:hubs] = price[:hubs] * 1e18 / unit[:hubs]
    rows = np.flatnonzero((rng.random(pools) < segmented).repeat(2))
    return Market(edges, _into_pieces(rng, edges, rows, steps), worth)


def _into_pieces(
    rng: np.random.Generator, edges: EdgeColumns, rows: NDArray[np.int64], steps: int
) -> PieceColumns:
    """Turn edges into pieces, ten times as deep at the start, and give them a majorant."""
    columns: list[list[NDArray[np.float64]]] = [[], [], [], [], []]
    for number, row in enumerate(rows):
        bend = 0.1 * edges.bend[row] * np.exp(np.cumsum(rng.normal(0.05, 0.3, steps)))
        width = rng.uniform(0.002, 0.01, steps) / bend
        after = np.concatenate((np.ones(1), np.cumprod((1.0 + bend * width) ** -2.0)))
        rate = edges.rate[row] * after[:-1]
        out = rate * width / (1.0 + bend * width)
        start_in = np.concatenate((np.zeros(1), np.cumsum(width)))
        start_out = np.concatenate((np.zeros(1), np.cumsum(out)))
        along = width[:, None] * np.linspace(0.0, 1.0, 33)[1:]
        paid = start_out[:-1, None] + rate[:, None] * along / (1.0 + bend[:, None] * along)
        bends = edges.rate[row] / paid - 1.0 / (start_in[:-1, None] + along)
        # between the points of this grid the least bend is a little less
        edges.bend[row] = min(bends[1:].min(initial=np.inf), bend[0]) * 0.99
        edges.kind[row] = SEGMENTED
        edges.first[row], edges.stop[row] = number * steps, (number + 1) * steps
        for column, values in zip(columns, (rate, bend, start_in[:-1], start_out[:-1], width), strict=True):
            column.append(values)
    return PieceColumns(*(np.concatenate([*column, np.zeros(0)]) for column in columns))


def move(market: Market, rows: NDArray[np.int64], factors: NDArray[np.float64]) -> None:
    """Scale the rates of constant product edges, as trades would; a factor of zero kills one."""
    edges = market.edges
    edges.rate[rows] *= factors
    edges.bend[rows] *= np.where(factors > 0.0, np.sqrt(factors), 1.0)
    edges.terms[rows, 0], edges.terms[rows, 1] = edges.rate[rows], edges.bend[rows]


Row = tuple[float, tuple[int, ...], int, float, float]
"""Net, padded hops, start, amount in and profit."""


def every_loop(market: Market, max_hops: int) -> list[Row]:
    """Return all loops that earn something, best first: every path is walked, nothing is skipped."""
    edges, padding = market.edges, len(market.edges.rate) - 1
    leaving: dict[int, list[int]] = {}
    for row in range(padding):
        leaving.setdefault(int(edges.token_in[row]), []).append(row)
    found: list[tuple[tuple[int, ...], Row]] = []
    stack = [(row,) for hub in np.flatnonzero(market.worth > 0.0) for row in leaving.get(int(hub), ())]
    while stack:
        path = stack.pop()
        start, here = int(edges.token_in[path[0]]), int(edges.token_out[path[-1]])
        if here == start:
            row = _value(market, path, start)
            if row[0] > 0.0:
                found.append((tuple(sorted(path)), row))
        elif len(path) < max_hops:
            pools = {edges.pool[hop] for hop in path}
            seen = {edges.token_in[hop] for hop in path} - {start}
            stack += [
                (*path, row)
                for row in leaving.get(here, ())
                if edges.pool[row] not in pools and edges.token_out[row] not in seen
            ]
    found.sort(key=lambda item: (item[0], -item[1][0], item[1][1]))
    best = [next(group)[1] for _, group in groupby(found, key=lambda item: item[0])]
    return sorted(best, key=lambda row: (-row[0], row[1]))


def _value(market: Market, path: tuple[int, ...], start: int) -> Row:
    edges = market.edges
    hops = (*path, *(len(edges.rate) - 1,) * (4 - len(path)))
    amount, profit, _ = solve(edges, market.pieces, np.array(hops, np.int32), len(path))
    costs = edges.cost[list(hops)].tolist()
    cost = ((costs[0] + costs[1]) + costs[2]) + costs[3]
    return float(market.worth[start] * profit - cost), hops, start, amount, profit


def rows_of(ranked: Ranked) -> list[Row]:
    columns = (ranked.net, ranked.hops, ranked.start, ranked.amount_in, ranked.profit)
    return [
        (float(net), tuple(hops.tolist()), int(start), float(amount), float(profit))
        for net, hops, start, amount, profit in zip(*columns, strict=True)
    ]
