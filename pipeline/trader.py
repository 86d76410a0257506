"""The event path: from opportunities to signed bytes on their way to the relays.

Candidates are tried best first; the first that passes every check is signed. Every other
one leaves a reason code behind. Nothing here waits for a model, a registry or Ray.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from chain.blocks import Address, BlockHeader, next_base_fee
from chain.signers import Wallet
from core.reasons import Reason, Refusal
from core.seams import Clock, Ids
from execution.bid_draws import BidDraw
from execution.bundle import make_bundle
from execution.command import Bundle, Decision, Funding, Plan, Settlement, Simulation
from execution.encode import venue_refusal
from execution.flash import choose_funding
from execution.plan import GasTable, decide, gas_limit_for, make_plan, shape_of
from execution.prestate import Attempt, Rpc, TargetBlock, fetch_prestate
from execution.risk.chain import Candidate, RiskChain
from execution.simulate import NodeSimulator, PyrevmSimulator, compare
from market.pools.spec import PoolSpec
from pipeline.drawing import Draws, OneDraw, draw_of
from scoring.opportunity import Opportunity

log = structlog.get_logger(__name__)

CANDIDATES_AT_MOST = 3
"""Opportunities tried per block; the next block is near, and the best ones come first."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A signed bundle and how it came to be.

    Parameters
    ----------
    decision, plan, simulation, bundle
        With exact gas.
    draw
        How the bid was drawn.
    stages_us
        Microseconds of each stage: ``decide``, ``simulate``, ``sign``.
    signed_ns
        Wall-clock nanoseconds at which the bytes were signed.
    """

    decision: Decision
    plan: Plan
    simulation: Simulation
    bundle: Bundle
    draw: BidDraw
    stages_us: Mapping[str, float]
    signed_ns: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What a trader works with and that does not change from block to block.

    Parameters
    ----------
    wallet
        Operator of the executor contract; pays gas.
    executor, wrapped_native
        Contract, and token profits are taken in.
    abi
        The executor's ABI, for readable revert reasons.
    specs
        Pools by id.
    chain_id, block_time
        Of the network; seconds.
    max_slippage_ppm
        Share of the gross profit that a moved state may cost.
    """

    wallet: Wallet
    executor: Address
    wrapped_native: Address
    abi: Sequence[Mapping[str, Any]]
    specs: Mapping[str, PoolSpec]
    chain_id: int
    block_time: int
    max_slippage_ppm: int


class Trader:
    """Turns opportunities into signed bundles.

    Parameters
    ----------
    desk
        Fixed equipment.
    rpc
        The node that judges simulations.
    risk, policy
        Checks, and what inclusion is worth.
    ids, clock
        Seams.
    refusals
        Where every reason against a candidate is counted.
    """

    def __init__(
        self,
        desk: Desk,
        rpc: Rpc,
        risk: RiskChain,
        policy: Draws,
        ids: Ids,
        clock: Clock,
        refusals: Counter[Reason],
    ) -> None:
        self._desk = desk
        self._rpc = rpc
        self._risk = risk
        self._policy = policy
        self._ids = ids
        self._clock = clock
        self._gas = GasTable()
        self._node = NodeSimulator(rpc, desk.abi)
        self.vault_balance = 0
        self._refusals = refusals

    @property
    def address(self) -> Address:
        """Account that signs and pays gas."""
        return self._desk.wallet.address

    async def prepare(self, opportunities: Sequence[Opportunity], head: BlockHeader) -> Prepared | None:
        """Return the best opportunity's signed bundle for the next block, or ``None``.

        Every reason against a candidate is counted and logged.

        Parameters
        ----------
        opportunities
            Best first.
        head
            Newest header of the chain; the state of opportunities may be older, and then the
            risk chain refuses them as stale.

        Raises
        ------
        RpcError
            If the node does not answer.
        """
        for opportunity in opportunities[:CANDIDATES_AT_MOST]:
            prepared = await self._try(opportunity, head)
            if isinstance(prepared, Prepared):
                return prepared
            for refusal in prepared:
                self._refusals[refusal.reason] += 1
                log.info(
                    "refused",
                    reason=refusal.reason.value,
                    detail=refusal.detail,
                    block=head.number,
                    cycle=opportunity.cycle_id,
                )
        return None

    def observe(self, settlement: Settlement) -> None:
        """Tell the risk chain what became of a bundle."""
        self._risk.observe(settlement)

    async def _try(self, opportunity: Opportunity, head: BlockHeader) -> Prepared | list[Refusal]:
        started = self._clock.monotonic_ns()
        base_fee = next_base_fee(head)
        planned = self._plan(opportunity, head, base_fee)
        if isinstance(planned, list):
            return planned
        decision, plan, drawing = planned
        decided = self._clock.monotonic_ns()
        judged = await self._simulate(decision, plan, head, base_fee)
        if isinstance(judged, Refusal):
            return [judged]
        simulation, nonce = judged
        dearest = max(decision.gas_cost, simulation.gas_used * base_fee)
        decision = self._with_exact_gas(decision, simulation.gas_used, base_fee, head.number)
        if not decision.approved:
            return _refusals(decision)
        simulated = self._clock.monotonic_ns()
        plan = replace(plan, gas_limit=gas_limit_for(simulation.gas_used))
        bundle = self._sign(plan, nonce)
        signed, signed_ns = self._clock.monotonic_ns(), self._clock.now_ns()
        stages = {"decide": decided - started, "simulate": simulated - decided, "sign": signed - simulated}
        return Prepared(
            decision,
            plan,
            simulation,
            bundle,
            draw_of(decision, drawing.drawn, dearest, self._risk, head.number),
            {name: nanoseconds / 1_000 for name, nanoseconds in stages.items()},
            signed_ns,
        )

    def _plan(
        self, opportunity: Opportunity, head: BlockHeader, base_fee: int
    ) -> tuple[Decision, Plan, OneDraw] | list[Refusal]:
        untradable = venue_refusal(opportunity, self._desk.specs)
        if untradable is not None:
            return [untradable]
        funding = choose_funding(opportunity, self._desk.specs, self.vault_balance)
        if not isinstance(funding, Funding):
            return [funding]
        drawing = OneDraw(self._policy)
        decision = decide(
            opportunity,
            ids=self._ids,
            policy=drawing,
            risk=self._risk,
            gas_estimate=self._gas.estimate(shape_of(opportunity, self._desk.specs, funding)),
            base_fee=base_fee,
            head=head.number,
        )
        if not decision.approved:
            return _refusals(decision)
        plan = make_plan(
            decision,
            self._desk.specs,
            funding=funding,
            executor=self._desk.executor,
            base_fee=base_fee,
            max_slippage_ppm=self._desk.max_slippage_ppm,
        )
        return decision, plan, drawing

    async def _simulate(
        self, decision: Decision, plan: Plan, head: BlockHeader, base_fee: int
    ) -> tuple[Simulation, int] | Refusal:
        desk = self._desk
        target = TargetBlock(
            head.number + 1, head.timestamp + desk.block_time, base_fee, head.fee_recipient, head.gas_limit
        )
        attempt = Attempt(plan, desk.wallet.address, desk.wrapped_native, target)
        prestate, node, nonce = await asyncio.gather(
            fetch_prestate(self._rpc, attempt),
            self._node.simulate(attempt),
            self._rpc.call("eth_getTransactionCount", [desk.wallet.address, hex(head.number)]),
        )
        here = PyrevmSimulator(prestate, desk.abi).simulate(attempt)
        refusal = compare(here, node) or _check_outcome(here, decision)
        if refusal is not None:
            return refusal
        self._gas.observe(shape_of(decision.opportunity, desk.specs, plan.funding), here.gas_used)
        return here, int(nonce, 16)

    def _with_exact_gas(self, decision: Decision, gas_used: int, base_fee: int, head: int) -> Decision:
        """Ask the risk chain again, now that gas is known and not guessed."""
        opportunity, gas_cost = decision.opportunity, gas_used * base_fee
        return replace(
            decision,
            gas_estimate=gas_used,
            gas_cost=gas_cost,
            expected_net=decision.win_probability * (opportunity.gross_profit - gas_cost - decision.bid),
            verdicts=self._risk.run(Candidate(opportunity, gas_cost, decision.bid, head)),
        )

    def _sign(self, plan: Plan, nonce: int) -> Bundle:
        raw, _ = self._desk.wallet.sign_transaction(
            {
                "chainId": self._desk.chain_id,
                "nonce": nonce,
                "maxPriorityFeePerGas": 0,
                "maxFeePerGas": plan.max_fee_per_gas,
                "gas": plan.gas_limit,
                "to": plan.executor,
                "data": plan.calldata,
            }
        )
        return make_bundle(self._ids, plan.decision_id, [raw], plan.target_block)


def _check_outcome(simulation: Simulation, decision: Decision) -> Refusal | None:
    """The bytecode must give exactly what our integers said."""
    if not simulation.ok:
        return Refusal(Reason.SIMULATION_REVERTED, simulation.revert_reason)
    said = decision.opportunity.gross_profit - decision.bid
    if simulation.profit != said or simulation.coinbase_payment != decision.bid:
        return Refusal(
            Reason.QUOTE_DIFFERS,
            f"the contracts give {simulation.profit} wei and pay {simulation.coinbase_payment}, "
            f"we said {said} and {decision.bid}",
        )
    return None


def _refusals(decision: Decision) -> list[Refusal]:
    return [
        Refusal(verdict.reason, verdict.detail) for verdict in decision.verdicts if verdict.reason is not None
    ]
