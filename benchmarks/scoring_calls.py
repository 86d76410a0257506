"""One cycle of pairs through the call that commands make: from pools as values to a whole opportunity."""

from __future__ import annotations

import time
from collections import defaultdict

import numpy as np

from benchmarks.harness import Progress, Row, median
from benchmarks.scoring_lists import HOPS, SEED
from benchmarks.scoring_market import BenchMarket, make_market
from benchmarks.scoring_parameters import REFERENCE
from benchmarks.scoring_searching import without_collection
from scoring.curves import curve_of
from scoring.cycle_table import sample_cycles
from scoring.cycles import Cycle, Edge, cycle_id
from scoring.incremental import IncrementalScorer
from scoring.one_cycle import score_cycle

POOLS, SAMPLED, CYCLES, TURNS = 500, 20_000, 300, 7


def call_rows(progress: Progress) -> list[Row]:
    """Return the time of a call, by the cycle's hops."""
    progress("scoring single cycles of pairs")
    market = make_market(SEED, POOLS, REFERENCE)
    pools = {pool.pool_id: pool for pool in market.pools()}
    taken: dict[int, list[float]] = defaultdict(list)
    for cycle in _cycles(market):
        curves = [curve_of(pools[edge.pool_id], edge.token_in, edge.token_out) for edge in cycle.edges]
        seconds = []
        with without_collection():
            for _ in range(TURNS):
                start = time.perf_counter()
                score_cycle(pools, cycle, curves, block=0, found_at_ns=0)
                seconds.append(time.perf_counter() - start)
        taken[len(cycle.edges)].append(median(seconds))
    return [
        Row(f"one cycle of {hops} pairs to a whole opportunity, a call", 1e6 * median(taken[hops]), "us")
        for hops in sorted(taken)
    ]


def _cycles(market: BenchMarket) -> list[Cycle]:
    """Return the best of the market's cycles, which all earn something."""
    names = [pool.pool_id for pool in market.pools()]
    table = sample_cycles(market.edges, market.worth, SAMPLED, HOPS, SEED)
    best = table.hops[IncrementalScorer(market.edges, market.worth, table).top(CYCLES).rows]
    cycles = []
    for hops in best.astype(np.int64).tolist():
        edges = tuple(
            Edge(
                names[market.edges.pool[hop]],
                market.tokens[market.edges.token_in[hop]],
                market.tokens[market.edges.token_out[hop]],
            )
            for hop in hops
            if market.edges.pool[hop] >= 0
        )
        cycles.append(Cycle(cycle_id(edges), edges[0].token_in, edges))
    return cycles
