"""From a market on a chain to a settled trade: what was found is what the contracts paid."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chain.devnet.backend import AnvilBackend
from chain.providers import Provider
from core.errors import ExecutionError, RpcError
from core.reasons import Reason
from core.seams import Ids
from execution.block_facts import gather_facts
from execution.bundle import hash_of_bundle
from execution.command import Bundle, Decision, Funding, Plan
from execution.flash import choose_funding
from execution.plan import GasTable, decide, make_plan, shape_of
from execution.risk.checks import RiskLimits, standard_chain
from execution.settlement import settle
from market.pools.spec import PoolSpec
from market.state import MarketState
from market.tokens import Token
from pipeline.bootstrap import load_market
from scoring.opportunity import Opportunity
from scoring.scorer import CpuScorer
from tests.devnet_fixtures import Devnet
from tests.executor_stage import Stage, make_stage

ETHER = 10**18
RECIPIENT = "0x" + "b1" * 20
RISK = standard_chain(RiskLimits(0, 1_000, 0, Path("/nonexistent/STOP")))


class Half:
    def bid(self, gross_profit: int, gas_cost: int) -> tuple[int, float]:
        return max(gross_profit - gas_cost, 0) // 2, 0.5


@dataclasses.dataclass
class Desk:
    """A stage with one price gap, and what a searcher knows about it."""

    stage: Stage
    provider: Provider
    specs: dict[str, PoolSpec]

    async def market(self) -> MarketState:
        tokens = {
            token.address: Token(token.address, token.symbol, token.decimals)
            for token in self.stage.world.tokens.values()
        }
        return await load_market(self.provider, self.specs.values(), tokens)

    async def opportunities(self) -> tuple[Opportunity, ...]:
        state = await self.market()
        scorer = CpuScorer(state.pools.values(), (self.stage.weth,))
        return scorer.rescore(state, None, found_at_ns=0).opportunities

    async def decided(self, opportunity: Opportunity, funding: Funding, policy: Any = None) -> Decision:
        head = await self.provider.call("eth_getBlockByNumber", ["latest", False])
        return decide(
            opportunity,
            ids=Ids(),
            policy=policy or Half(),
            risk=RISK,
            gas_estimate=GasTable().estimate(shape_of(opportunity, self.specs, funding)),
            base_fee=int(head["baseFeePerGas"], 16),
            head=int(head["number"], 16),
        )

    def planned(self, decision: Decision, funding: Funding) -> Plan:
        return make_plan(
            decision, self.specs,
            funding=funding, executor=self.stage.executor, base_fee=10**11, max_slippage_ppm=1_000,
        )  # fmt: skip


@pytest.fixture
async def desk(devnet: Devnet) -> AsyncIterator[Desk]:
    stage = make_stage(devnet.backend, devnet.world)
    devnet.backend.request("anvil_setCoinbase", RECIPIENT)
    specs = {pool.pool_id: PoolSpec(**dataclasses.asdict(pool)) for pool in devnet.world.pools}
    async with Provider(devnet.anvil.http_url) as provider:
        yield Desk(stage, provider, specs)


def mine_together(backend: AnvilBackend, sender: str, calls: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """Mine one block with several transactions of one account, in order."""
    backend.request("anvil_impersonateAccount", sender)
    nonce = int(backend.request("eth_getTransactionCount", sender, "latest"), 16)
    hashes = [
        backend.request(
            "eth_sendTransaction",
            {
                "from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(2_000_000),
                "nonce": hex(nonce + position),
                "maxFeePerGas": hex(10**11), "maxPriorityFeePerGas": hex(10**9),
            },
        )
        for position, (to, data) in enumerate(calls)
    ]  # fmt: skip
    head = backend.request("eth_getBlockByNumber", "latest", False)
    backend.request("evm_setNextBlockTimestamp", int(head["timestamp"], 16) + 12)
    backend.request("evm_mine")
    return [bytes.fromhex(hashed[2:]) for hashed in hashes]


def bundle_of(decision: Decision, transaction_hash: bytes) -> Bundle:
    hashes = (transaction_hash,)
    return Bundle(
        "bundle-000001", decision.decision_id, (b"",), hashes, hash_of_bundle(hashes), decision.target_block
    )


async def settled(desk: Desk, decision: Decision, transaction_hash: bytes, **facts: bool):
    bundle = bundle_of(decision, transaction_hash)
    terms = {"accepted": True, "late": False} | facts
    found = await gather_facts(desk.provider, bundle, decision, desk.specs, **terms)
    return found, settle(bundle, decision, found, executor=desk.stage.executor, weth=desk.stage.weth)


GAPS = [
    pytest.param(("uniswap_v2/USDC", "WETH", 200 * ETHER), id="v2-six-decimals"),
    pytest.param(("uniswap_v2/DAI", "DAI", 200_000 * ETHER), id="v2"),
    pytest.param(("uniswap_v3/USDC/500", "WETH", 900 * ETHER), id="v3-crossing-ticks"),
    pytest.param(("balancer_v2/DAI", "WETH", 60 * ETHER), id="weighted"),
]


@pytest.mark.parametrize("gap", GAPS)
async def test_what_was_found_is_paid_to_the_wei_and_settled_to_the_wei(desk, gap):
    stage = desk.stage
    stage.sell(*gap)
    found = await desk.opportunities()
    assert found
    traded = 0
    for opportunity in found:
        funding = choose_funding(opportunity, desk.specs, 10**24)
        if not isinstance(funding, Funding):
            continue
        decision = await desk.decided(opportunity, funding)
        if not decision.approved:
            continue
        with stage.undone():
            plan = desk.planned(decision, funding)
            tokens, wei = stage.held(), stage.backend.get_balance(stage.operator)
            paid = stage.backend.get_balance(RECIPIENT)
            (hashed,) = mine_together(stage.backend, stage.operator, [(plan.executor, plan.calldata)])
            facts, settlement = await settled(desk, decision, hashed)
            gas = wei - stage.backend.get_balance(stage.operator)
            kept = stage.held() - tokens
            tip = facts.receipt.gas_used * 10**9
            assert settlement.verdict is Reason.LANDED
            assert kept + decision.bid == opportunity.gross_profit
            assert settlement.profit == kept - gas
            assert settlement.gas_cost == gas
            assert settlement.bid == decision.bid == stage.backend.get_balance(RECIPIENT) - paid - tip
            assert opportunity.gross_profit == settlement.profit + settlement.bid + settlement.gas_cost
            assert facts.rivals == ()
        traded += 1
        if traded == 4:
            break
    assert traded


@pytest.mark.parametrize("last", ["uniswap_v2/DAI", "uniswap_v3/DAI"])
async def test_a_route_that_starts_in_the_vault_is_paid_to_the_wei(desk, last):
    stage = desk.stage
    stage.sell(last, "WETH", 300 * ETHER)
    route = [stage.pool(name).pool_id for name in ("balancer_v2/DAI", last)]
    opportunity = next(o for o in await desk.opportunities() if [hop.pool_id for hop in o.hops] == route)
    funding = choose_funding(opportunity, desk.specs, 10**24)
    assert funding is Funding.LAST_POOL
    decision = await desk.decided(opportunity, funding)
    plan = desk.planned(decision, funding)
    tokens = stage.held()
    (hashed,) = mine_together(stage.backend, stage.operator, [(plan.executor, plan.calldata)])
    _, settlement = await settled(desk, decision, hashed)
    assert settlement.verdict is Reason.LANDED
    assert (stage.held() - tokens + decision.bid, stage.held("DAI")) == (opportunity.gross_profit, 0)


async def test_a_rival_that_took_the_cycle_first_outbid_us_and_its_payment_is_known(desk):
    stage = desk.stage
    stage.sell("uniswap_v2/USDC", "WETH", 200 * ETHER)
    opportunity = (await desk.opportunities())[0]
    funding = choose_funding(opportunity, desk.specs, 10**24)
    assert isinstance(funding, Funding)
    ours = await desk.decided(opportunity, funding)

    class All:
        def bid(self, gross_profit: int, gas_cost: int) -> tuple[int, float]:
            return (gross_profit - gas_cost) * 9 // 10, 0.9

    theirs = await desk.decided(opportunity, funding, All())
    plan = desk.planned(theirs, funding)
    paid = stage.backend.get_balance(RECIPIENT)
    mine_together(stage.backend, stage.operator, [(plan.executor, plan.calldata)])
    facts, settlement = await settled(desk, ours, bytes(31) + b"\x01")
    assert settlement.verdict is Reason.OUTBID
    assert settlement.winning_bid == stage.backend.get_balance(RECIPIENT) - paid
    assert settlement.winning_bid == theirs.bid + facts.rivals[0].gas_used * 10**9
    assert set(facts.rivals[0].pools) == {hop.pool_id for hop in opportunity.hops}


async def test_a_trade_before_ours_in_the_block_makes_ours_revert_or_moves_the_state(desk):
    stage = desk.stage
    stage.sell("uniswap_v2/USDC", "WETH", 200 * ETHER)
    opportunity = (await desk.opportunities())[0]
    funding = choose_funding(opportunity, desk.specs, 10**24)
    assert isinstance(funding, Funding)
    decision = await desk.decided(opportunity, funding)
    plan = desk.planned(decision, funding)
    calls = [(plan.executor, plan.calldata)] * 2
    _, second = mine_together(stage.backend, stage.operator, calls)
    facts, settlement = await settled(desk, decision, second)
    assert settlement.verdict is Reason.REVERTED
    assert settlement.profit == -settlement.gas_cost < 0
    assert len(facts.rivals) == 1


async def test_a_trader_in_one_pool_moved_the_state(desk):
    stage = desk.stage
    stage.sell("balancer_v2/DAI", "WETH", 60 * ETHER)
    opportunity = next(o for o in await desk.opportunities() if any(len(hop.pool_id) == 66 for hop in o.hops))
    decision = await desk.decided(opportunity, Funding.FIRST_POOL)
    stage.sell("balancer_v2/DAI", "DAI", 1_000 * ETHER)
    facts, settlement = await settled(desk, decision, bytes(31) + b"\x01")
    assert settlement.verdict is Reason.STATE_MOVED
    assert [len(pool_id) for pool_id in facts.rivals[0].pools] == [66]


async def test_another_pool_of_the_vault_is_none_of_ours(case):
    decision = case.decision(opportunity=case.opportunity(case.pair, case.vault_id))
    swap = "0x2170c741c41531aec20e7c107c24eecfdd15e69c9bb0a8dd37b1840b9e0b207b"
    log = {"address": case.vault, "transactionIndex": "0x0", "transactionHash": "0x" + "77" * 32}
    block = {"baseFeePerGas": "0x1", "miner": RECIPIENT}

    class OneVaultLog:
        def __init__(self, pool_id: str) -> None:
            self.pool_id = pool_id

        async def call(self, method: str, params: list[Any]) -> Any:
            if method == "eth_getLogs":
                assert params[0]["address"] == sorted([case.pair, case.vault])
                return [{**log, "topics": [swap, self.pool_id]}, {**log, "topics": [swap]}]
            if method == "eth_getTransactionReceipt":
                if params[0] != log["transactionHash"]:
                    return None
                return {**log, "blockNumber": "0x64", "status": "0x1", "gasUsed": "0x5",
                        "effectiveGasPrice": "0x3", "logs": []}  # fmt: skip
            return block if method == "eth_getBlockByNumber" else {"to": RECIPIENT, "value": "0x7"}

    terms = {"accepted": True, "late": False}
    for pool_id, expected in ((case.vault_id, 1), ("0x" + "b4" * 32, 0)):
        facts = await gather_facts(OneVaultLog(pool_id), case.bundle(), decision, case.specs, **terms)
        assert len(facts.rivals) == expected
        assert all((rival.pools, rival.payment) == ((case.vault_id,), 5 * 2 + 7) for rival in facts.rivals)


async def test_a_block_that_is_not_there_yet_cannot_be_settled(desk):
    desk.stage.sell("uniswap_v2/USDC", "WETH", 200 * ETHER)
    decision = await desk.decided((await desk.opportunities())[0], Funding.FIRST_POOL)
    with pytest.raises(ExecutionError, match="not mined yet"):
        await settled(desk, decision, bytes(31) + b"\x01")


async def test_a_node_without_a_tracer_leaves_the_payment_unknown(desk):
    stage = desk.stage
    stage.sell("uniswap_v2/USDC", "WETH", 200 * ETHER)
    opportunity = (await desk.opportunities())[0]
    funding = choose_funding(opportunity, desk.specs, 10**24)
    decision = await desk.decided(opportunity, funding)
    plan = desk.planned(decision, funding)
    mine_together(stage.backend, stage.operator, [(plan.executor, plan.calldata)])

    class NoTracer:
        async def call(self, method: str, params: list[Any]) -> Any:
            if method == "debug_traceTransaction":
                raise RpcError("no such method; use a node with a tracer", method=method)
            return await desk.provider.call(method, params)

    bundle = bundle_of(decision, bytes(31) + b"\x01")
    facts = await gather_facts(NoTracer(), bundle, decision, desk.specs, accepted=True, late=False)
    assert facts.rivals[0].payment is None
    settlement = settle(bundle, decision, facts, executor=stage.executor, weth=stage.weth)
    assert (settlement.verdict, settlement.winning_bid) == (Reason.OUTBID, None)


async def test_an_answer_of_another_shape_is_an_error_that_says_what_to_do(case):
    class Odd:
        async def call(self, method: str, params: list[Any]) -> Any:
            return [{"address": case.pair}] if method == "eth_getLogs" else {}

    with pytest.raises(ExecutionError, match="another shape"):
        await gather_facts(Odd(), case.bundle(), case.decision(), case.specs, accepted=True, late=False)
