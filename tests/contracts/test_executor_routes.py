"""The executor's money path, on the protocols' real bytecode."""

from typing import Any

import pytest
from eth_utils.crypto import keccak

from chain.devnet.calldata import encode_call
from chain.devnet.protocols import AUTHORIZER, must_send
from execution.command import Funding
from tests.executor_stage import Stage

ETHER = 10**18
FEE_RECIPIENT = "0x" + "00" * 20
VAULT, FIRST, LAST = Funding.BALANCER_V2_VAULT, Funding.FIRST_POOL, Funding.LAST_POOL

# the pool that a trader moves, what the trader sells there, and the route that gains by it
V3_TO_V2 = (("uniswap_v2/USDC", "WETH", 200 * ETHER), ("uniswap_v3/USDC/500", "uniswap_v2/USDC"))
V2_TO_V3 = (("uniswap_v2/USDC", "USDC", 400_000 * 10**6), ("uniswap_v2/USDC", "uniswap_v3/USDC/500"))
V2_TO_V2 = (("sushiswap/USDC", "WETH", 100 * ETHER), ("uniswap_v2/USDC", "sushiswap/USDC"))
V3_TO_V3 = (("uniswap_v3/USDC/3000", "WETH", 100 * ETHER), ("uniswap_v3/USDC/500", "uniswap_v3/USDC/3000"))
V2_TO_WEIGHTED = (("uniswap_v2/DAI", "DAI", 200_000 * ETHER), ("uniswap_v2/DAI", "balancer_v2/DAI"))
V3_TO_WEIGHTED = (("uniswap_v3/DAI", "DAI", 200_000 * ETHER), ("uniswap_v3/DAI", "balancer_v2/DAI"))
FOUR_HOPS = (
    ("uniswap_v2/DAI", "DAI", 200_000 * ETHER),
    ("uniswap_v2/DAI", "balancer_v2/DAI", "uniswap_v3/USDC/500", "uniswap_v2/USDC"),
)
WEIGHTED_TO_V2 = (("uniswap_v2/DAI", "WETH", 200 * ETHER), ("balancer_v2/DAI", "uniswap_v2/DAI"))
WEIGHTED_TO_V3 = (("uniswap_v3/DAI", "WETH", 200 * ETHER), ("balancer_v2/DAI", "uniswap_v3/DAI"))
FOUR_HOPS_FROM_WEIGHTED = (
    ("uniswap_v2/USDC", "WETH", 200 * ETHER),
    ("balancer_v2/DAI", "uniswap_v3/DAI", "uniswap_v3/USDC/500", "uniswap_v2/USDC"),
)

GAINING = [
    pytest.param(V3_TO_V2, VAULT, id="v3-v2-vault"),
    pytest.param(V3_TO_V2, FIRST, id="v3-v2-first-pool"),
    pytest.param(V2_TO_V3, VAULT, id="v2-v3-vault"),
    pytest.param(V2_TO_V3, FIRST, id="v2-v3-first-pool"),
    pytest.param(V2_TO_V2, VAULT, id="v2-v2-vault"),
    pytest.param(V2_TO_V2, FIRST, id="v2-v2-first-pool"),
    pytest.param(V3_TO_V3, FIRST, id="v3-v3-first-pool"),
    pytest.param(V2_TO_WEIGHTED, FIRST, id="v2-weighted-first-pool"),
    pytest.param(V3_TO_WEIGHTED, FIRST, id="v3-weighted-first-pool"),
    pytest.param(FOUR_HOPS, FIRST, id="four-hops-first-pool"),
    pytest.param(V3_TO_V2, LAST, id="v3-v2-last-pool"),
    pytest.param(V2_TO_V3, LAST, id="v2-v3-last-pool"),
    pytest.param(V2_TO_V2, LAST, id="v2-v2-last-pool"),
    pytest.param(V3_TO_V3, LAST, id="v3-v3-last-pool"),
    pytest.param(WEIGHTED_TO_V2, LAST, id="weighted-v2-last-pool"),
    pytest.param(WEIGHTED_TO_V3, LAST, id="weighted-v3-last-pool"),
    pytest.param(FOUR_HOPS_FROM_WEIGHTED, LAST, id="four-hops-last-pool"),
]


def open_gap(stage: Stage, case: Any) -> tuple[str, ...]:
    move, route = case
    stage.sell(*move)
    return tuple(route)


@pytest.mark.parametrize(("case", "funding"), GAINING)
def test_the_profit_stays_and_the_minimum_is_exact(stage: Stage, case: Any, funding: Funding) -> None:
    route = open_gap(stage, case)
    stage.give("WETH", 5)
    with stage.undone():
        assert stage.send(stage.operator, stage.calldata(*route, funding=funding)).ok
        profit = stage.held() - 5
    assert profit > 0

    too_much = stage.calldata(*route, funding=funding, min_profit=profit + 1)
    assert (
        stage.reason(stage.operator, too_much)
        == f"NotProfitable(balance={profit + 5}, required={profit + 6})"
    )
    receipt = stage.send(stage.operator, stage.calldata(*route, funding=funding, min_profit=profit))
    assert receipt.ok
    assert stage.held() == profit + 5
    assert [stage.held(symbol) for symbol in ("USDC", "DAI", "WBTC")] == [0, 0, 0]
    assert receipt.logs[-1].topics[0] == keccak(text="Executed(address,uint256,uint256)")
    assert receipt.logs[-1].data == profit.to_bytes(32, "big") + bytes(32)


@pytest.mark.parametrize(("case", "funding"), GAINING)
def test_the_fee_recipient_gets_exactly_the_bid(stage: Stage, case: Any, funding: Funding) -> None:
    route = open_gap(stage, case)
    bid = 10**15
    before = stage.backend.get_balance(FEE_RECIPIENT)
    assert stage.send(stage.operator, stage.calldata(*route, funding=funding, bid=bid)).ok
    assert stage.backend.get_balance(FEE_RECIPIENT) - before == bid
    assert stage.held() > 0
    assert stage.backend.get_balance(stage.executor) == 0


def test_a_bid_above_the_profit_reverts_even_if_money_is_held(stage: Stage) -> None:
    route = open_gap(stage, V3_TO_V2)
    stage.give("WETH", 50 * ETHER)
    data = stage.calldata(*route, bid=ETHER)
    assert stage.reason(stage.operator, data).startswith("NotProfitable(")


@pytest.mark.parametrize("funding", [VAULT, FIRST, LAST])
@pytest.mark.parametrize("case", [V3_TO_V2, V2_TO_V3])
def test_a_losing_route_reverts_even_if_money_is_held(stage: Stage, case: Any, funding: Funding) -> None:
    route = tuple(reversed(open_gap(stage, case)))
    stage.give("WETH", 50 * ETHER)
    data = stage.calldata(*route, funding=funding)
    assert stage.reason(stage.operator, data).startswith("RouteLoses(amountOut=")
    assert not stage.send(stage.operator, data).ok
    assert stage.held() == 50 * ETHER


def test_the_vaults_loan_cannot_fund_a_hop_in_the_vault(stage: Stage) -> None:
    route = open_gap(stage, V2_TO_WEIGHTED)
    assert stage.reason(stage.operator, stage.calldata(*route, funding=VAULT)) == "BAL#400"


def test_a_loan_above_the_vaults_balance_reverts(stage: Stage) -> None:
    route = open_gap(stage, V3_TO_V2)
    data = stage.calldata(*route, funding=VAULT, amount_in=10**6 * ETHER)
    assert stage.reason(stage.operator, data) == "BAL#528"


def test_the_loan_fee_comes_out_of_the_profit(stage: Stage) -> None:
    route = open_gap(stage, V3_TO_V2)
    amount, fee = 3 * ETHER, 5 * 10**14
    admin, collector = stage.world.accounts["deployer"].address, stage.world.fees_collector
    with stage.undone():
        assert stage.send(stage.operator, stage.calldata(*route, funding=VAULT, amount_in=amount)).ok
        free = stage.held()

    setter = "setFlashLoanFeePercentage(uint256)"
    (action,) = stage.read("bytes32", "getActionId(bytes4)", keccak(text=setter)[:4], to=collector)
    must_send(stage.backend, admin, AUTHORIZER, encode_call("grantRole(bytes32,address)", action, admin))
    must_send(stage.backend, admin, collector, encode_call(setter, fee))
    assert stage.send(stage.operator, stage.calldata(*route, funding=VAULT, amount_in=amount)).ok
    assert stage.held() == free - amount * fee // ETHER


@pytest.mark.parametrize(("case", "funding"), [(V2_TO_WEIGHTED, FIRST), (WEIGHTED_TO_V2, LAST)])
def test_no_approval_is_left_after_a_swap_in_the_vault(stage: Stage, case: Any, funding: Funding) -> None:
    route = open_gap(stage, case)
    assert stage.send(stage.operator, stage.calldata(*route, funding=funding)).ok
    for token in (stage.weth, stage.world.tokens["DAI"].address):
        allowed = stage.read(
            "uint256", "allowance(address,address)", stage.executor, stage.world.vault, to=token
        )
        assert allowed == (0,)


def test_a_pool_that_cannot_take_the_whole_input_refuses_the_route(stage: Stage) -> None:
    stage.sell("uniswap_v2/USDC", "WETH", ETHER)
    data = stage.calldata("uniswap_v3/USDC/500", "uniswap_v2/USDC", amount_in=50_000 * ETHER)
    assert stage.reason(stage.operator, data).startswith(f"PartialFill(wanted={50_000 * ETHER}, taken=")


@pytest.mark.parametrize("offset", [-1, 0, 2, 1000])
def test_a_route_runs_in_its_target_block_only(stage: Stage, offset: int) -> None:
    route = open_gap(stage, V3_TO_V2)
    current = stage.number + 1
    data = stage.calldata(*route, target_block=stage.number + offset)
    expected = f"WrongBlock(current={current}, target={stage.number + offset})"
    assert stage.reason(stage.operator, data) == expected


def test_a_signed_route_cannot_run_again(stage: Stage) -> None:
    data = stage.calldata(*open_gap(stage, V3_TO_V2))
    assert stage.send(stage.operator, data).ok
    assert stage.reason(stage.operator, data).startswith("WrongBlock(")
