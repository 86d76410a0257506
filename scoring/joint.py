"""Cycles that share pools, sized together and traded one after the other.

What the second cycle meets is what the first one left. So a set of trades is always carried out, in order,
on the pools themselves: its profit is what they pay, and nothing is counted twice.

Sizes come from coordinate ascent. One cycle at a time is sized on the pools as all the others leave them,
where the slope of its own profit is the slope of the set's, since nobody comes after it. Two cycles that
compete for a pool so give way to each other, and two that go through it in opposite directions take more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor

from core.errors import InvariantBroken, MarketError
from core.reasons import Reason
from market.pools.pool import Pool
from scoring.curves import Curve, curve_of
from scoring.cycles import Edge
from scoring.exact import best_integers, profit_of, run_forward
from scoring.opportunity import Certificate, Hop, Opportunity
from scoring.sizing import Size, size_cycle

_MAX_ROUNDS = 12
_GAIN_RELATIVE = 1e-9
_HALVINGS = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """An opportunity that may be part of a set.

    Parameters
    ----------
    opportunity
        As found alone; its hops name the cycle.
    worth
        Wei of the native token per raw unit of its token.
    cost
        Wei that carrying it out costs, whatever its size.
    """

    opportunity: Opportunity
    worth: float
    cost: int

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Its hops without their amounts."""
        return tuple(Edge(hop.pool_id, hop.token_in, hop.token_out) for hop in self.opportunity.hops)

    def net(self, profit: int) -> float:
        """Return the net value of a profit in raw units, in wei."""
        return self.worth * profit - self.cost


@dataclass(frozen=True, slots=True)
class Plan:
    """Candidates in the order in which they trade.

    Parameters
    ----------
    members
        Who trades.
    amounts, profits
        Raw units of each one's token, on the pools as those before it leave them.
    net
        Wei that all of them earn, less their costs.
    """

    members: tuple[Candidate, ...] = ()
    amounts: tuple[int, ...] = ()
    profits: tuple[int, ...] = ()
    net: float = 0.0


def after(pools: Mapping[str, Pool], hops: Sequence[Hop]) -> dict[str, Pool]:
    """Return the pools as a trade leaves them.

    Raises
    ------
    SwapRefused
        If a contract would revert.
    """
    moved = dict(pools)
    for hop in hops:
        moved[hop.pool_id] = moved[hop.pool_id].swap(hop.token_in, hop.token_out, hop.amount_in).pool
    return moved


def planned(pools: Mapping[str, Pool], members: Sequence[Candidate], amounts: Sequence[int]) -> Plan | None:
    """Return what these members earn with these inputs, in order; ``None`` if one earns nothing."""
    profits, moved, net = [], pools, 0.0
    for member, amount in zip(members, amounts, strict=True):
        try:
            hops = run_forward(moved, member.edges, amount)
            moved = after(moved, hops)
        except MarketError:
            return None
        if profit_of(hops) <= 0:
            return None
        profits.append(profit_of(hops))
        net += member.net(profits[-1])
    return Plan(tuple(members), tuple(amounts), tuple(profits), net)


def without(pools: Mapping[str, Pool], plan: Plan, place: int) -> Plan | None:
    """Return the plan without one of its members; ``None`` if then another one earns nothing."""
    left = [each for each in range(len(plan.members)) if each != place]
    return planned(pools, [plan.members[each] for each in left], [plan.amounts[each] for each in left])


def extended(pools: Mapping[str, Pool], plan: Plan, candidate: Candidate) -> Plan | Reason:
    """Return the plan with one more that trades last, at its own best size, or why it can not.

    Where the size that the candidate came with does better, that is taken.
    """
    moved = _after_all(pools, plan.members, plan.amounts)
    size = size_cycle(_curves(moved, candidate.edges))
    if isinstance(size, Reason):
        return size
    amounts = max(int(size.amount_in), 1), candidate.opportunity.amount_in
    tries = [each for amount in amounts if (each := planned(moved, [candidate], [amount])) is not None]
    if not tries:
        return Reason.DUST_PROFIT
    best = max(tries, key=lambda each: each.net)
    return Plan(
        (*plan.members, candidate),
        plan.amounts + best.amounts,
        plan.profits + best.profits,
        plan.net + best.net,
    )


def ascended(pools: Mapping[str, Pool], plan: Plan) -> Plan:
    """Return the same members with sizes that earn most together; never less than before."""
    rounds = _MAX_ROUNDS if len(plan.members) > 1 else 0
    for _ in range(rounds):
        better = _step(pools, plan)
        if better is None:
            break
        gain, plan = better.net - plan.net, better
        if gain <= _GAIN_RELATIVE * abs(plan.net):
            break
    return plan


def _step(pools: Mapping[str, Pool], plan: Plan) -> Plan | None:
    """Return a plan that earns more, all members sized anew once; ``None`` if none is found."""
    amounts = list(plan.amounts)
    for place in range(len(amounts)):
        amounts[place] = _given_the_others(pools, plan.members, amounts, place)
    for halvings in range(_HALVINGS):
        # sizes hold for the one who trades last, so together the step may be too long
        nearer = [old + ((new - old) >> halvings) for old, new in zip(plan.amounts, amounts, strict=True)]
        found = planned(pools, plan.members, nearer)
        if found is not None and found.net > plan.net:
            return found
    return None


def settled(pools: Mapping[str, Pool], plan: Plan) -> tuple[tuple[Opportunity, ...], float]:
    """Return the trades of a plan, certified and in their best integers, and their net value in wei.

    A member whose curves promise no whole unit is left out.
    """
    exact, polished = (_settled(pools, plan, polish=polish) for polish in (False, True))
    return polished if polished[1] > exact[1] else exact


def _settled(pools: Mapping[str, Pool], plan: Plan, *, polish: bool) -> tuple[tuple[Opportunity, ...], float]:
    trades, net = [], 0.0
    for member, amount in zip(plan.members, plan.amounts, strict=True):
        curves = _curves(pools, member.edges)
        size = size_cycle(curves)
        if isinstance(size, Reason):
            continue
        try:
            hops = run_forward(pools, member.edges, amount)
            if polish:
                near = replace(size, amount_in=float(amount), profit=max(float(profit_of(hops)), 0.0))
                hops = best_integers(pools, member.edges, curves, near)
        except MarketError:
            continue
        if profit_of(hops) > 0:
            trades.append(_opportunity(member.opportunity, hops, floor(size.upper_bound)))
            net += member.net(profit_of(hops))
            pools = after(pools, hops)
    return tuple(trades), net


def _given_the_others(
    pools: Mapping[str, Pool], members: Sequence[Candidate], amounts: Sequence[int], place: int
) -> int:
    """Return the best input of one member after all others; its present one if there is none."""
    others = [each for each in range(len(members)) if each != place]
    try:
        moved = _after_all(pools, [members[each] for each in others], [amounts[each] for each in others])
    except MarketError:
        return amounts[place]
    size = size_cycle(_curves(moved, members[place].edges))
    return max(int(size.amount_in), 1) if isinstance(size, Size) else amounts[place]


def _opportunity(given: Opportunity, hops: tuple[Hop, ...], bound: int) -> Opportunity:
    profit = profit_of(hops)
    if profit > bound:
        raise InvariantBroken(
            "an exact profit exceeds its bound; compare scoring/curves with the pool's arithmetic",
            cycle_id=given.cycle_id,
            profit=profit,
            bound=bound,
        )
    return replace(
        given,
        hops=hops,
        amount_in=hops[0].amount_in,
        amount_out=hops[-1].amount_out,
        gross_profit=profit,
        certificate=Certificate(bound, bound - profit, given.state_block),
    )


def _after_all(
    pools: Mapping[str, Pool], members: Sequence[Candidate], amounts: Sequence[int]
) -> Mapping[str, Pool]:
    for member, amount in zip(members, amounts, strict=True):
        pools = after(pools, run_forward(pools, member.edges, amount))
    return pools


def _curves(pools: Mapping[str, Pool], edges: Sequence[Edge]) -> list[Curve]:
    return [curve_of(pools[edge.pool_id], edge.token_in, edge.token_out) for edge in edges]
