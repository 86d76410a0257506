"""What runs in the peers' environment: the same cycles by both, in turn, in one process.

Prints one JSON object. It is a script there, since that environment has little of ours:
``python -m benchmarks.peers.inside``.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np

from benchmarks.peers.best_found import best_profit, profit_of, rows_of
from benchmarks.peers.cases import Case, pair_cases, tick_cases
from benchmarks.peers.degenbot_cycles import degenbot_cycle, degenbot_profit
from scoring.edge_table import EdgeTable
from scoring.integers.pairs import pair_rows
from scoring.integers.trade import PairTrade, best_pair_trade
from scoring.kernels.solve import solve, solve_many

SEED = 11
HOPS, PAIR_CASES = (2, 3, 4), 200
CROSSED, TICK_CASES = (12, 61), 20
_TURNS, _OURS_A_TURN, _LISTS = 5, 20, 50


def main() -> None:
    """Measure all, and print it."""
    figures = {
        "degenbot": version("degenbot"),
        "python": platform.python_version(),
        "pairs": [pair_figures(hops, PAIR_CASES) for hops in HOPS],
        "ticks": [tick_figures(crossed, TICK_CASES) for crossed in CROSSED],
    }
    print(json.dumps(figures))


def pair_figures(hops: int, count: int) -> dict[str, Any]:
    """Return times and profits of cycles of pairs."""
    ratios, seconds, gains, short, peer_short = [], [], [], [], []
    row_numbers = np.arange(hops)
    for case in pair_cases(SEED, hops, count):
        rows, peer = rows_of(case), degenbot_cycle(case)
        pairs = pair_rows((into, out, 1_000_000 - kept) for into, out, kept in rows)
        trade = best_pair_trade(pairs, row_numbers)
        assert isinstance(trade, PairTrade)
        assert degenbot_profit(peer, trade.amounts[0]) == trade.profit
        theirs = profit_of(rows, peer.calculate().input_amount)
        ours_seconds, peer_seconds = _in_turn(partial(best_pair_trade, pairs, row_numbers), peer.calculate)
        ratios.append(peer_seconds / ours_seconds)
        seconds.append(ours_seconds)
        best = max(best_profit(rows, trade.amounts[0]), theirs)
        gains.append((trade.profit - theirs) / theirs)
        short.append((best - trade.profit) / best)
        peer_short.append((best - theirs) / best)
    return {
        "hops": hops,
        "count": count,
        "ratio": median(ratios),
        "seconds": median(seconds),
        "gains": gains,
        "short": short,
        "peer_short": peer_short,
    }


def tick_figures(crossed: int, count: int) -> dict[str, Any]:
    """Return times and profits of cycles of a pair and a V3 pool.

    Ours are solved in a list of all of them many times over, as scoring does, and one in a call.
    """
    cases = tick_cases(SEED, crossed, count)
    table = EdgeTable((pool for case in cases for pool in case.pools), cases[0].path)
    hops = np.array([_table_rows(table, case) for case in cases])
    many, room = np.tile(hops, (_LISTS, 1)), np.empty((3, _LISTS * count))
    solve_many(table.edges, table.pieces, many, *room)
    ratios, plain, seconds, gains, ticks = [], [], [], [], []
    for case, rows in zip(cases, hops, strict=True):
        peer, amount_in = degenbot_cycle(case), int(solve(table.edges, table.pieces, rows, 2)[0])
        once, peer_seconds = _in_turn(partial(solve, table.edges, table.pieces, rows, 2), peer.calculate)
        each = _seconds(lambda: solve_many(table.edges, table.pieces, many, *room)) / len(many)
        ratios.append(peer_seconds / each)
        plain.append(peer_seconds / once)
        seconds.append(each)
        theirs = degenbot_profit(peer, peer.calculate().input_amount)
        gains.append((degenbot_profit(peer, amount_in) - theirs) / theirs)
        ticks.append(_ticks_crossed(case, amount_in))
    return {
        "crossed": median(ticks),
        "count": count,
        "ratio": median(ratios),
        "plain_ratio": median(plain),
        "seconds": median(seconds),
        "gains": gains,
    }


def _table_rows(table: EdgeTable, case: Case) -> list[int]:
    ends = zip(case.path, case.path[1:], strict=False)
    return [table.row(pool.pool_id, *pair) for pool, pair in zip(case.pools, ends, strict=True)]


def _in_turn(ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[float, float]:
    """Return median seconds a call of each, measured alternately."""
    ours_seconds, peer_seconds = [], []
    for _ in range(_TURNS):
        start = time.perf_counter()
        theirs()
        middle = time.perf_counter()
        for _ in range(_OURS_A_TURN):
            ours()
        peer_seconds.append(middle - start)
        ours_seconds.append((time.perf_counter() - middle) / _OURS_A_TURN)
    return median(ours_seconds), median(peer_seconds)


def _seconds(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _ticks_crossed(case: Case, amount_in: int) -> int:
    pair, pool = case.pools
    bought = pair.swap(case.path[0], case.path[1], amount_in).amount_out
    return int(pool.walk(case.path[1] == pool.tokens[0], bought).crossed)  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
