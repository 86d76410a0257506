"""Both simulators against mined receipts: success, gas, profit and payment, to the unit."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.devnet.backend import BASE_FEE
from chain.providers import Provider
from core.errors import RpcError, SimulationError
from core.reasons import Reason
from execution.command import Funding, Plan, Simulation
from execution.prestate import AccountState, Attempt, TargetBlock, fetch_prestate, parse_prestate
from execution.simulate import NodeSimulator, PyrevmSimulator, compare
from tests.devnet_fixtures import Devnet
from tests.executor_stage import Stage, make_stage

ETHER = 10**18
NEW_ACCOUNT = "0x" + "b1" * 20
VAULT, FIRST, LAST = Funding.BALANCER_V2_VAULT, Funding.FIRST_POOL, Funding.LAST_POOL

ROUTES = [
    pytest.param(("uniswap_v3/USDC/500", "uniswap_v2/USDC"), VAULT, id="v3-v2-vault"),
    pytest.param(("uniswap_v3/USDC/500", "uniswap_v2/USDC"), FIRST, id="v3-v2-first-pool"),
    pytest.param(("uniswap_v2/DAI", "uniswap_v3/DAI"), VAULT, id="v2-v3-vault"),
    pytest.param(("uniswap_v2/DAI", "uniswap_v3/DAI"), FIRST, id="v2-v3-first-pool"),
    pytest.param(("uniswap_v2/DAI", "balancer_v2/DAI"), FIRST, id="v2-weighted-first-pool"),
    pytest.param(("uniswap_v3/USDC/500", "uniswap_v2/USDC"), LAST, id="v3-v2-last-pool"),
    pytest.param(("uniswap_v2/DAI", "uniswap_v3/DAI"), LAST, id="v2-v3-last-pool"),
    pytest.param(
        ("balancer_v2/DAI", "uniswap_v3/DAI", "uniswap_v3/USDC/500", "uniswap_v2/USDC"),
        LAST,
        id="weighted-v3-v3-v2-last-pool",
    ),
]


@pytest.fixture
def stage(devnet: Devnet) -> Stage:
    stage = make_stage(devnet.backend, devnet.world)
    stage.sell("uniswap_v2/USDC", "WETH", 200 * ETHER)
    stage.sell("uniswap_v2/DAI", "DAI", 200_000 * ETHER)
    return stage


@pytest.fixture
async def provider(devnet: Devnet) -> AsyncIterator[Provider]:
    async with Provider(devnet.anvil.http_url) as provider:
        yield provider


def attempt(stage: Stage, *pools: str, fee_recipient: str = NEW_ACCOUNT, **terms: Any) -> Attempt:
    head = stage.backend.request("eth_getBlockByNumber", "latest", False)
    stage.backend.request("anvil_setCoinbase", fee_recipient)
    number, timestamp = int(head["number"], 16) + 1, int(head["timestamp"], 16) + 12
    terms = {"funding": FIRST} | terms
    gas_limit = terms.pop("gas_limit", 2_000_000)
    data = stage.calldata(*pools, **terms)
    plan = Plan(
        "d", stage.executor, data, terms["funding"], gas_limit, 2 * BASE_FEE, number, 0, terms.get("bid", 0)
    )
    target = TargetBlock(number, timestamp, BASE_FEE, fee_recipient)
    return Attempt(plan, stage.operator, stage.weth, target)


async def simulate(stage: Stage, provider: Provider, wanted: Attempt) -> tuple[Simulation, Simulation]:
    here = PyrevmSimulator(await fetch_prestate(provider, wanted), stage.abi).simulate(wanted)
    return here, await NodeSimulator(provider, stage.abi).simulate(wanted)


def mine(stage: Stage, wanted: Attempt) -> tuple[bool, int, int, int]:
    """Mine the attempt; return success, gas, and what the executor (WETH) and the recipient (wei) gained."""
    tokens, wei = stage.held(), stage.backend.get_balance(wanted.target.fee_recipient)
    receipt = stage.send(stage.operator, wanted.plan.calldata)
    assert receipt.block_number == wanted.target.number
    payment = stage.backend.get_balance(wanted.target.fee_recipient) - wei  # the sender pays no tip
    return receipt.ok, receipt.gas_used, stage.held() - tokens, payment


@pytest.mark.parametrize("bid", [0, 10**15])
@pytest.mark.parametrize(("pools", "funding"), ROUTES)
async def test_a_gaining_route_is_simulated_as_it_is_mined(
    stage: Stage, provider: Provider, pools: tuple[str, ...], funding: Funding, bid: int
) -> None:
    wanted = attempt(stage, *pools, funding=funding, bid=bid)
    here, there = await simulate(stage, provider, wanted)
    assert compare(here, there) is None
    assert here == Simulation(*mine(stage, wanted), "", "pyrevm")
    assert here.ok
    assert here.profit > 0
    assert here.coinbase_payment == bid


async def test_a_fee_recipient_that_exists_costs_less(stage: Stage, provider: Provider) -> None:
    gas = []
    for recipient in (NEW_ACCOUNT, stage.world.accounts["builder"].address):
        with stage.undone():
            wanted = attempt(stage, "uniswap_v3/USDC/500", "uniswap_v2/USDC", fee_recipient=recipient, bid=1)
            here, there = await simulate(stage, provider, wanted)
            assert compare(here, there) is None
            assert here == Simulation(*mine(stage, wanted), "", "pyrevm")
            gas.append(here.gas_used)
    assert gas[0] - gas[1] == 25_000


async def test_money_already_held_is_not_profit(stage: Stage, provider: Provider) -> None:
    stage.give("WETH", 7 * ETHER)
    wanted = attempt(stage, "uniswap_v3/USDC/500", "uniswap_v2/USDC", bid=10**15)
    here, there = await simulate(stage, provider, wanted)
    assert compare(here, there) is None
    assert here == Simulation(*mine(stage, wanted), "", "pyrevm")
    assert 0 < here.profit < ETHER


@pytest.mark.parametrize(
    ("pools", "terms", "reason"),
    [
        (("uniswap_v2/USDC", "uniswap_v3/USDC/500"), {}, "RouteLoses(amountOut="),
        (("uniswap_v3/USDC/500", "uniswap_v2/USDC"), {"min_profit": ETHER}, "NotProfitable(balance="),
        (("uniswap_v2/DAI", "balancer_v2/DAI"), {"funding": VAULT}, "BAL#400"),
        (("balancer_v2/DAI", "uniswap_v2/DAI"), {"funding": LAST}, "RouteLoses(amountOut="),
        (("balancer_v2/DAI", "uniswap_v3/DAI"), {"funding": LAST}, "RouteLoses(amountOut="),
        (
            ("uniswap_v3/USDC/500", "uniswap_v2/USDC"),
            {"funding": LAST, "last_amount_in": 10**10},
            "LastHopUnpaid(amountOut=",
        ),
        (("uniswap_v3/USDC/500", "uniswap_v2/USDC"), {"target_block": 1}, "WrongBlock(current="),
    ],
)
async def test_a_revert_is_simulated_as_it_is_mined(
    stage: Stage, provider: Provider, pools: tuple[str, ...], terms: dict[str, Any], reason: str
) -> None:
    wanted = attempt(stage, *pools, **terms)
    here, there = await simulate(stage, provider, wanted)
    assert compare(here, there) is None
    assert here.revert_reason == there.revert_reason
    assert here.revert_reason.startswith(reason)
    ok, gas_used, *_ = mine(stage, wanted)
    assert (here.ok, here.gas_used) == (ok, gas_used) == (False, gas_used)


async def test_a_call_without_enough_gas_fails_in_both(stage: Stage, provider: Provider) -> None:
    wanted = attempt(stage, "uniswap_v3/USDC/500", "uniswap_v2/USDC", gas_limit=150_000)
    here, there = await simulate(stage, provider, wanted)
    assert not here.ok
    assert compare(here, there) is None
    assert here.revert_reason


async def test_a_transaction_that_may_not_start_is_an_error(stage: Stage, provider: Provider) -> None:
    wanted = attempt(stage, "uniswap_v3/USDC/500", "uniswap_v2/USDC")
    simulator = PyrevmSimulator(await fetch_prestate(provider, wanted), stage.abi)
    poor = replace(wanted, plan=replace(wanted.plan, gas_limit=21_000))
    with pytest.raises(SimulationError, match="may not start"):
        simulator.simulate(poor)
    with pytest.raises(RpcError):
        await NodeSimulator(provider, stage.abi).simulate(poor)
    assert simulator.simulate(wanted).ok


async def test_one_simulator_serves_many_attempts(stage: Stage, provider: Provider) -> None:
    wanted = attempt(stage, "uniswap_v3/USDC/500", "uniswap_v2/USDC", bid=10**15)
    prestate = await fetch_prestate(provider, wanted)
    shared = PyrevmSimulator(prestate, stage.abi)
    attempts = [
        replace(wanted, plan=replace(wanted.plan, calldata=stage.calldata(*pools, **terms)))
        for pools in (("uniswap_v3/USDC/500", "uniswap_v2/USDC"), ("uniswap_v2/USDC", "uniswap_v3/USDC/500"))
        for terms in ({}, {"bid": 10**15}, {"bid": 10**15, "amount_in": ETHER // 2}, {"min_profit": ETHER})
    ]
    once = [PyrevmSimulator(prestate, stage.abi).simulate(each) for each in attempts]
    again = [shared.simulate(each) for each in [*attempts, *reversed(attempts)]]
    assert again == once + once[::-1]


async def test_a_token_without_balances_is_an_error(stage: Stage, provider: Provider) -> None:
    wanted = attempt(stage, "uniswap_v3/USDC/500", "uniswap_v2/USDC")
    simulator = PyrevmSimulator(await fetch_prestate(provider, wanted), stage.abi)
    broken = replace(wanted, token="0x" + "77" * 20)
    with pytest.raises(SimulationError, match="does not tell its balance"):
        simulator.simulate(broken)
    with pytest.raises(SimulationError, match="does not tell its balance"):
        await NodeSimulator(provider, stage.abi).simulate(broken)


class Says:
    """A node that gives one answer to everything."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def call(self, method: str, params: Any) -> Any:
        return self.answer


STANDALONE = Attempt(
    Plan("d", "0x" + "ee" * 20, b"", FIRST, 1, 1, 2, 0, 0),
    "0x" + "01" * 20,
    "0x" + "02" * 20,
    TargetBlock(2, 1, 1, NEW_ACCOUNT),
)


@pytest.mark.parametrize(
    "answer", [None, [], {}, [{}], [{"calls": []}], [{"calls": [{}, {}, {}]}], [{"calls": [1, 2, 3]}], "0x"]
)
async def test_an_answer_of_another_shape_is_an_error(answer: Any) -> None:
    with pytest.raises(SimulationError, match="another shape"):
        await NodeSimulator(Says(answer), []).simulate(STANDALONE)


@pytest.mark.parametrize(
    "answer", [None, [], "0x", {"0x1": None}, {"0x1": {"balance": "x"}}, {"0x1": {"code": "0xz"}}]
)
async def test_a_prestate_of_another_shape_is_an_error(answer: Any) -> None:
    with pytest.raises(SimulationError, match="another shape"):
        await fetch_prestate(Says(answer), STANDALONE)


amounts = st.integers(0, 2**256 - 1)


@given(
    balance=amounts,
    nonce=st.integers(0, 2**64 - 2),
    code=st.binary(max_size=8),
    storage=st.dictionaries(amounts, amounts),
)
def test_a_prestate_is_read_as_written(
    balance: int, nonce: int, code: bytes, storage: dict[int, int]
) -> None:
    address = "0x" + "Ab" * 20
    fields = {
        "balance": hex(balance),
        "nonce": nonce,
        "code": "0x" + code.hex(),
        "storage": {hex(slot): hex(value) for slot, value in storage.items()},
    }
    assert parse_prestate({address: fields}) == {address.lower(): AccountState(balance, nonce, code, storage)}


@pytest.mark.parametrize("field", ["gas_used", "profit", "coinbase_payment"])
def test_a_difference_is_refused_by_name(field: str) -> None:
    one = Simulation(True, 10, 20, 30, "", "pyrevm")
    other = replace(one, simulator="node")
    assert compare(one, other) is None
    refusal = compare(one, replace(other, **{field: 99}))
    assert refusal is not None
    assert refusal.reason is Reason.SIMULATORS_DISAGREE
    assert refusal.detail == f"{field}: pyrevm {getattr(one, field)}, node 99"


def test_success_against_failure_is_refused() -> None:
    one = Simulation(True, 10, 0, 0, "", "pyrevm")
    refusal = compare(one, Simulation(False, 10, 0, 0, "BAL#400", "node"))
    assert refusal is not None
    assert "ok: pyrevm True, node False" in refusal.detail
