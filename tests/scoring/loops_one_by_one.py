"""The best loops of a market found the slow way: every cycle is scored, and no bound is used."""

from __future__ import annotations

from fractions import Fraction
from math import floor, inf

from core.reasons import Reason
from scoring.curves import curve_of
from scoring.cycles import CycleIndex
from scoring.one_cycle import score_cycle
from scoring.opportunity import Opportunity
from scoring.ranking import Loop, PricedMarket, canonical
from scoring.sizing import marginal_rate


def best_loops(
    market: PricedMarket, max_gap: float = inf, max_hops: int = 4
) -> list[tuple[int, Opportunity]]:
    """Return what each loop nets at its best start, and that trade; best first, then by hops."""
    best: dict[Loop, tuple[tuple[object, ...], Opportunity]] = {}
    for cycle in CycleIndex(market.pools.values(), list(market.worth), max_hops).cycles:
        curves = [curve_of(market.pools[edge.pool_id], edge.token_in, edge.token_out) for edge in cycle.edges]
        if not 1.0 < marginal_rate(curves) <= max_gap:
            continue
        found = score_cycle(market.pools, cycle, curves, block=market.block, found_at_ns=0)
        if isinstance(found, Reason):
            continue
        cost = sum(market.costs.get(hop.pool_id, 0) for hop in found.hops)
        net = floor(Fraction(market.worth[cycle.token]) * found.gross_profit) - cost
        hops = [(edge.pool_id, edge.token_in, edge.token_out) for edge in cycle.edges]
        key, loop = (-net, hops), canonical(cycle.edges)
        if net > 0 and (loop not in best or key < best[loop][0]):
            best[loop] = key, found
    return [(-key[0], found) for key, found in sorted(best.values(), key=lambda each: each[0])]
