"""Which opportunities of one block to carry out together.

Each opportunity was sized as if it were alone. Here those that share pools are sized together, one that
adds less than it costs is left out, and the rest comes in the order in which it is carried out, with a
bound on what any other choice could have earned. ``docs/explanation/portfolio.md`` explains it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from chain.blocks import Address
from core.errors import InputError
from core.reasons import Reason, Refusal
from market.pools.concentrated import ConcentratedPool
from market.pools.pool import Pool
from market.pools.solidly import SolidlyPool
from market.pools.uniswap_v2 import UniswapV2Pool
from scoring.curves import curve_of
from scoring.dual_prices import DualPrices, dual_prices
from scoring.joint import Candidate, Plan, after, ascended, extended, settled, without
from scoring.opportunity import Hop, Opportunity

_NEVER_BETTER_IN_PARTS = (UniswapV2Pool, SolidlyPool, ConcentratedPool)
"""Pools of which it is proven that several swaps give no more than one."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """An opportunity that is not carried out, and why."""

    cycle_id: str
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What to carry out in one block.

    Parameters
    ----------
    opportunities
        In the order of execution; each is sized on the pools as those before it leave them, and its
        certificate holds there.
    total_net
        Wei of the native token that all of them earn, less their costs.
    upper_bound
        Wei that no set of trades through the pools of all candidates earns, before costs, if it swaps at
        most once in each weighted or stable pool of Balancer or Curve; in the others as often as it likes.
        Infinity where the choice itself swaps more often.
    dropped
        The others, by cycle id.
    """

    opportunities: tuple[Opportunity, ...]
    total_net: float
    upper_bound: float
    dropped: tuple[Dropped, ...]


def choose_portfolio(
    pools: Mapping[str, Pool],
    opportunities: Sequence[Opportunity],
    *,
    worth: Mapping[Address, float],
    costs: Mapping[str, int],
) -> Portfolio:
    """Return the set of opportunities to carry out together; their order does not matter.

    The time it takes grows with the cube of how many opportunities hang together through shared pools:
    give it the best few dozen of a block.

    Parameters
    ----------
    pools
        State by pool id, on which the opportunities were found.
    opportunities
        At most one of each cycle is taken.
    worth
        Wei of the native token per raw unit, of every token that an opportunity starts in.
    costs
        Wei that each cycle costs to carry out, by cycle id.

    Raises
    ------
    InputError
        If a pool, a worth or a cost is missing, or one of the numbers can be none.
    """
    candidates = _candidates(pools, opportunities, worth, costs)
    trades: list[Opportunity] = []
    total_net = 0.0
    refusals: dict[str, Refusal] = {}
    for cluster in _clusters(candidates):
        held = {hop.pool_id: pools[hop.pool_id] for each in cluster for hop in each.opportunity.hops}
        plan = _chosen(held, cluster)
        chosen, net = settled(held, plan)
        trades += chosen
        total_net += net
        taken = {trade.cycle_id for trade in chosen}
        for candidate in cluster:
            if candidate.opportunity.cycle_id not in taken:
                refusals[candidate.opportunity.cycle_id] = _why_not(held, plan, candidate)
    return Portfolio(
        tuple(trades),
        total_net,
        _upper_bound(pools, candidates, trades, worth),
        tuple(Dropped(cycle_id, refusals[cycle_id]) for cycle_id in sorted(refusals)),
    )


def _candidates(
    pools: Mapping[str, Pool],
    opportunities: Sequence[Opportunity],
    worth: Mapping[Address, float],
    costs: Mapping[str, int],
) -> list[Candidate]:
    """Return the candidates, best first, each cycle once."""
    found: dict[str, Candidate] = {}
    for each in opportunities:
        name = each.cycle_id
        if any(hop.pool_id not in pools for hop in each.hops):
            raise InputError("an opportunity uses a pool that is not given; give all of them", cycle_id=name)
        value, cost = worth.get(each.token, 0.0), costs.get(name, -1)
        if not (isfinite(value) and value > 0.0 and cost >= 0):
            raise InputError(
                "an opportunity needs a positive worth of its token and a cost that is not negative",
                cycle_id=name,
                worth=value,
                cost=cost,
            )
        before = found.get(name)
        if before is None or _order(each) < _order(before.opportunity):
            found[name] = Candidate(each, value, cost)
    return sorted(
        found.values(),
        key=lambda each: (-each.net(each.opportunity.gross_profit), each.opportunity.cycle_id),
    )


def _order(opportunity: Opportunity) -> tuple[int, int]:
    """Return what sorts trades of one cycle, best first."""
    return -opportunity.gross_profit, opportunity.amount_in


def _clusters(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Return the candidates that hang together through shared pools; order is kept within and between."""
    clusters: list[tuple[set[str], list[int]]] = []
    for place, candidate in enumerate(candidates):
        used, members = {hop.pool_id for hop in candidate.opportunity.hops}, [place]
        apart = []
        for cluster in clusters:
            if used.isdisjoint(cluster[0]):
                apart.append(cluster)
            else:
                used |= cluster[0]
                members += cluster[1]
        clusters = [*apart, (used, members)]
    return [
        [candidates[place] for place in places] for places in sorted(sorted(each[1]) for each in clusters)
    ]


def _chosen(pools: Mapping[str, Pool], cluster: Sequence[Candidate]) -> Plan:
    """Return the best plan found among candidates that share pools.

    Two ways are tried: to take in one after the other what adds more than it costs, and to take in all
    that earn anything and then to leave out what does not pay. The first is never below the best single one.
    """
    forward, everything = Plan(), Plan()
    for candidate in cluster:
        longer = extended(pools, forward, candidate)
        if isinstance(longer, Plan) and longer.net > forward.net:
            forward = longer
        longer = extended(pools, everything, candidate)
        if isinstance(longer, Plan):
            everything = longer
    best = _pruned(pools, ascended(pools, forward))
    if len(everything.members) > len(forward.members):
        other = _pruned(pools, ascended(pools, everything))
        best = other if other.net > best.net else best
    return best


def _pruned(pools: Mapping[str, Pool], found: Plan) -> Plan:
    """Return the set without members that it earns more without, sized anew."""
    while found.members:
        less = [without(pools, found, place) for place in range(len(found.members))]
        best = max((each for each in less if each is not None), key=lambda each: each.net, default=None)
        if best is None or best.net < found.net:
            break
        found = ascended(pools, best)
    return found


def _why_not(pools: Mapping[str, Pool], chosen: Plan, candidate: Candidate) -> Refusal:
    """Return why a candidate does not pay beside those that were chosen."""
    longer = extended(pools, chosen, candidate)
    if not isinstance(longer, Plan):
        return Refusal(longer, "after the chosen trades the cycle earns nothing")
    adds = longer.net - chosen.net + candidate.cost
    return Refusal(
        Reason.CONTRIBUTION_BELOW_COST,
        f"beside the chosen trades it adds {adds:.0f} wei and costs {candidate.cost} wei",
    )


def _upper_bound(
    pools: Mapping[str, Pool],
    candidates: Sequence[Candidate],
    trades: Sequence[Opportunity],
    worth: Mapping[Address, float],
) -> float:
    """Return what no set of trades earns, in wei, as :class:`Portfolio` says."""
    if not candidates:
        return 0.0
    names = sorted({hop.pool_id for each in candidates for hop in each.opportunity.hops})
    prices = dual_prices([pools[name] for name in names], worth)
    hops = [hop for trade in trades for hop in trade.hops]
    used = [hop.pool_id for hop in hops]
    if not all(_is_proven(pools[name], used.count(name)) for name in names):
        return inf
    return prices.upper_bound + _excess(pools, hops, prices)


def _is_proven(pool: Pool, swaps: int) -> bool:
    """Return whether the bound holds for so many swaps in one pool.

    One swap always is what the pool's curve says. Several can be better than one where the fee of the first
    stays in the pool as output, or where the input of each swap has a limit.
    """
    return swaps < 2 or isinstance(pool, _NEVER_BETTER_IN_PARTS)


def _excess(pools: Mapping[str, Pool], hops: Sequence[Hop], prices: DualPrices) -> float:
    """Return what contracts may have paid beyond their curves, in wei.

    Twice: what one trade got too much, the next one finds moved.
    """
    excess, moved = 0.0, dict(pools)
    for hop in hops:
        curve = curve_of(moved[hop.pool_id], hop.token_in, hop.token_out)
        excess += 2.0 * curve.excess * prices.prices.get(hop.token_out, 0.0)
        moved = after(moved, [hop])
    return excess
