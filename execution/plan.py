"""From an opportunity to a decision, and from a decision to an unsigned transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from chain.blocks import Address
from core.errors import ExecutionError
from core.seams import Ids
from execution.command import Decision, Funding, Plan
from execution.encode import encode_execute
from execution.risk.chain import Candidate, RiskChain
from execution.risk.checks import profit_after_slippage
from market.pools.spec import PoolSpec
from scoring.opportunity import Opportunity

MAX_TRANSACTION_GAS = 2**24
"""EIP-7825: a transaction with a larger gas limit is invalid."""

_BASE_GAS = 100_000
_FUNDING_GAS = {Funding.BALANCER_V2_VAULT: 35_000, Funding.FIRST_POOL: 0, Funding.LAST_POOL: 5_000}
_HOP_GAS = {"uniswap_v2": 80_000, "uniswap_v3": 110_000, "weighted": 95_000}

_SPARE_GAS = 50_000
"""A call may forward 63/64 of what is left, so a transaction needs some it does not use."""

Shape = tuple[Funding, tuple[str, ...]]


def gas_limit_for(gas_used: int) -> int:
    """Return the gas limit under which a transaction that uses ``gas_used`` certainly runs.

    Refunds are paid after the fact and give back a fifth of the gas at most (EIP-3529), so up to
    a quarter more than the used gas must be allowed. No limit exceeds what a transaction may have.

    Examples
    --------
    >>> gas_limit_for(200_000), gas_limit_for(14_000_000) == MAX_TRANSACTION_GAS
    (300000, True)
    """
    return min(gas_used * 5 // 4 + _SPARE_GAS, MAX_TRANSACTION_GAS)


class BidPolicy(Protocol):
    """Decides what inclusion is worth."""

    def bid(self, gross_profit: int, gas_cost: int) -> tuple[int, float]:
        """Return a bid in wei and the chance that it wins, for a trade in wei."""
        ...


class GasTable:
    """Gas of a route, guessed from its shape until a simulation has told.

    Two routes of one shape differ by ticks crossed and by storage that is touched for the first
    time, so the largest of what simulations told is kept: an estimate too low would approve
    trades that lose.

    Examples
    --------
    >>> table = GasTable()
    >>> shape = (Funding.FIRST_POOL, ("uniswap_v2", "uniswap_v3"))
    >>> table.estimate(shape)
    290000
    >>> table.observe(shape, 251_000)
    >>> table.observe(shape, 249_000)
    >>> table.estimate(shape)
    251000
    """

    def __init__(self) -> None:
        self._seen: dict[Shape, int] = {}

    def estimate(self, shape: Shape) -> int:
        """Return the gas of a whole transaction of this shape; none can use more than the protocol's cap.

        Raises
        ------
        ExecutionError
            If there is no start value for a pool family.
        """
        seen = self._seen.get(shape)
        if seen is not None:
            return seen
        funding, families = shape
        try:
            guess = _BASE_GAS + _FUNDING_GAS[funding] + sum(_HOP_GAS[family] for family in families)
        except KeyError as error:
            raise ExecutionError(
                "no gas is known for this pool family; add a start value to execution/plan.py",
                family=error.args[0],
            ) from None
        return min(guess, MAX_TRANSACTION_GAS)

    def observe(self, shape: Shape, gas_used: int) -> None:
        """Take in what a simulation of this shape used."""
        self._seen[shape] = max(gas_used, self._seen.get(shape, 0))


def shape_of(opportunity: Opportunity, specs: Mapping[str, PoolSpec], funding: Funding) -> Shape:
    """Return what a route's gas depends on: its funding and the families of its hops.

    Raises
    ------
    ExecutionError
        If a pool of the route is not described.
    """
    try:
        return funding, tuple(specs[hop.pool_id].family for hop in opportunity.hops)
    except KeyError as error:
        raise ExecutionError(
            "a pool of the route is not described; load its description first", pool_id=error.args[0]
        ) from None


def decide(
    opportunity: Opportunity,
    *,
    ids: Ids,
    policy: BidPolicy,
    risk: RiskChain,
    gas_estimate: int,
    base_fee: int,
    head: int,
) -> Decision:
    """Choose a bid for the next block and ask every risk check.

    Parameters
    ----------
    opportunity
        What was found.
    ids
        Source of the decision's id.
    policy
        Chooses the bid.
    risk
        Checks to ask.
    gas_estimate
        Gas of the whole transaction.
    base_fee
        Wei per gas of the target block, ``head + 1``.
    head
        Height of the newest block.

    Raises
    ------
    ExecutionError
        If the policy bids less than nothing or names a chance outside 0 to 1.
    """
    gas_cost = gas_estimate * base_fee
    bid, win_probability = policy.bid(opportunity.gross_profit, gas_cost)
    if bid < 0 or not 0.0 <= win_probability <= 1.0:
        raise ExecutionError(
            "the bid policy answered nonsense; replace it", bid=bid, win_probability=win_probability
        )
    verdicts = risk.run(Candidate(opportunity, gas_cost, bid, head))
    return Decision(
        decision_id=ids.next("decision"),
        opportunity=opportunity,
        target_block=head + 1,
        gas_estimate=gas_estimate,
        gas_cost=gas_cost,
        bid=bid,
        win_probability=win_probability,
        expected_net=win_probability * (opportunity.gross_profit - gas_cost - bid),
        verdicts=verdicts,
    )


def make_plan(
    decision: Decision,
    specs: Mapping[str, PoolSpec],
    *,
    funding: Funding,
    executor: Address,
    base_fee: int,
    max_slippage_ppm: int,
) -> Plan:
    """Return the unsigned transaction that carries out an approved decision.

    The contract keeps at least the profit that the allowed slippage leaves, after the bid, or
    reverts. When the last pool funds the route, slippage is allowed in that pool alone: a hop before
    it that gives one unit less reverts. The base fee of the next block is known exactly and
    inclusion is paid by the bid, so the transaction pays the base fee and no tip.

    Parameters
    ----------
    decision
        An approved decision.
    specs
        Description of every pool of the route, by pool id.
    funding
        From :func:`execution.flash.choose_funding`.
    executor
        Our contract.
    base_fee
        Wei per gas of the target block.
    max_slippage_ppm
        Parts per million of the gross profit that may be lost.

    Raises
    ------
    ExecutionError
        If a check refused the decision, or slippage would leave less than the bid.
    InputError
        If the route cannot be encoded.
    """
    min_profit = _least_profit(decision, max_slippage_ppm)
    calldata = encode_execute(
        decision.opportunity,
        specs,
        funding=funding,
        min_profit=min_profit,
        bid=decision.bid,
        target_block=decision.target_block,
    )
    return Plan(
        decision_id=decision.decision_id,
        executor=executor,
        calldata=calldata,
        funding=funding,
        # twice a guess: a simulation tells the exact gas, and this limit must not stop it
        gas_limit=min(decision.gas_estimate * 2, MAX_TRANSACTION_GAS),
        max_fee_per_gas=base_fee,
        target_block=decision.target_block,
        min_profit=min_profit,
        bid=decision.bid,
    )


def _least_profit(decision: Decision, max_slippage_ppm: int) -> int:
    """Return what an approved decision must leave after its bid, in wei."""
    if not decision.approved:
        refusals = [str(verdict.reason) for verdict in decision.verdicts if not verdict.ok]
        raise ExecutionError(
            "a refused decision has no plan; look at its verdicts",
            decision_id=decision.decision_id,
            refusals=refusals,
        )
    worst = profit_after_slippage(decision.opportunity.gross_profit, max_slippage_ppm)
    if worst < decision.bid:
        raise ExecutionError(
            "the bid exceeds the profit that slippage leaves; bid less or allow less slippage",
            decision_id=decision.decision_id,
            worst=worst,
            bid=decision.bid,
        )
    return worst - decision.bid
